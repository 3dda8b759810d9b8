"""The cooling section of a site file: loops, what rejects the heat, the air of the halls, the weather.

Every default is a figure that is common in the field, with its source in the docstring of its section.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lindos.spec.section import ProductName, Section

Celsius = Annotated[float, Field(ge=-40, le=70)]
Rise = Annotated[float, Field(ge=1, le=40)]
Velocity = Annotated[float, Field(ge=0.3, le=5)]
Efficiency = Annotated[float, Field(gt=0.1, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000)]
Spare = Annotated[int, Field(ge=0, le=100)]
Bore = Annotated[int | None, Field(ge=15, le=1_200)]


class Technology(Section):
    """The loop from CDUs to cold plates. OCP asks for 1.5 L/min for each kW, which is a rise of about 10 K (range 1.25
    to 2.0); CDUs are rated at an approach of 3 to 5 K; 2.4 m/s keeps pipes from erosion (ASHRAE Fundamentals).
    """

    coolant: Annotated[ProductName, Field(description="Coolant of the loop: pg25, water or one of your own.")] = "pg25"
    flow_lpm_per_kw: Annotated[
        float, Field(ge=0.5, le=5, description="Litres a minute for each kW of heat; the rise follows from it.")
    ] = 1.5
    approach_k: Annotated[
        float, Field(gt=0, le=30, description="Kelvin above the facility water at which CDUs deliver it.")
    ] = 5.0
    supply_c: Annotated[
        Celsius | None, Field(description="Degrees to the cold plates; by default facility water and the approach.")
    ] = None
    velocity_m_s: Annotated[Velocity, Field(description="Fastest flow in its pipes, in metres a second.")] = 2.4
    manifold_dn: Annotated[Bore, Field(description="Nominal bore of rack manifolds in mm; by default by velocity.")] = (
        None
    )
    header_dn: Annotated[
        Bore, Field(description="Nominal bore of headers in the row in mm; by default by velocity.")
    ] = None


class Facility(Section):
    """The loop from the plant to CDUs, rear doors and air handlers. 20 degrees stay 5 K above the dew point that ASHRAE
    recommends at most (15 degrees) and cool the air of a door to what nodes take in; 2.4 m/s as above. 150 kPa is what
    heat rejection (50 to 100 kPa) and a CDU or a door with its valve (50 to 100 kPa) take together.
    """

    coolant: Annotated[ProductName, Field(description="Coolant of the loop: water, pg25 or one of your own.")] = "water"
    supply_c: Annotated[Celsius, Field(description="Degrees of the water that the plant delivers.")] = 20.0
    rise_k: Annotated[Rise, Field(description="Kelvin by which it comes back warmer, all heat at nameplate.")] = 10.0
    equipment_kpa: Annotated[
        float,
        Field(ge=0, le=1_000, description="Pressure drop of what is no pipe: heat rejection, CDU or door, valve."),
    ] = 150.0
    velocity_m_s: Annotated[Velocity, Field(description="Fastest flow in its pipes, in metres a second.")] = 2.4
    distance_m: Annotated[
        float, Field(ge=0, le=5_000, description="Metres of main from the plant to the corner of a hall.")
    ] = 50.0
    main_dn: Annotated[Bore, Field(description="Nominal bore of mains in mm; by default by velocity.")] = None
    row_dn: Annotated[Bore, Field(description="Nominal bore of headers along a row in mm; by default by velocity.")] = (
        None
    )
    branch_dn: Annotated[
        Bore, Field(description="Nominal bore of branches to racks in mm; by default by velocity.")
    ] = None


class Pumps(Section):
    """The pumps of each loop of the plant, side by side. Wire to water 0.7: motor and drive 0.9, pump 0.78."""

    needed: Annotated[Count, Field(description="Pumps that carry the whole flow.")] = 3
    spare: Annotated[Spare, Field(description="Pumps beside them.")] = 1
    efficiency: Annotated[Efficiency, Field(description="Work on the water by electricity drawn.")] = 0.7


class Plant(Section):
    """What rejects the heat. Kinds:

    chiller, air-cooled chillers, no water; water_chiller, chillers on evaporative towers; tower, evaporative towers
    alone; dry, dry coolers alone. Sizes: 1,700 kW, as 119 air-cooled chillers for about 200 MW at Colossus 2
    (SemiAnalysis, 2025-09-16). Cycles of concentration: two to four are common, six often possible (US DOE FEMP).
    """

    kind: Annotated[
        Literal["chiller", "water_chiller", "tower", "dry"],
        Field(description="chiller (air-cooled), water_chiller (on towers), tower or dry."),
    ] = "chiller"
    per: Annotated[Literal["hall", "building", "site"], Field(description="What a plant serves.")] = "hall"
    unit_kw: Annotated[float, Field(gt=0, le=100_000, description="kW that one unit of the plant takes.")] = 1_700.0
    count: Annotated[
        Count | None,
        Field(description="Units of a plant, spares among them; left out, what its heat takes and `spare`."),
    ] = None
    spare: Annotated[Spare, Field(description="Units beside those that its heat takes.")] = 1
    cop: Annotated[
        float | None, Field(gt=0.5, le=30, description="Cooling by work of a chiller; left out, by temperatures.")
    ] = None
    free_cooling: Annotated[
        bool, Field(description="Whether chillers stand still where the weather alone cools the water enough.")
    ] = False
    approach_k: Annotated[
        float | None,
        Field(gt=0, le=30, description="Kelvin above wet bulb (towers, by default 4) or dry bulb (dry coolers, 8)."),
    ] = None
    cycles: Annotated[float, Field(gt=1, le=50, description="Cycles of concentration of the towers' water.")] = 4.0


class Air(Section):
    """Air handlers of a hall (CRAH, fan wall) for heat that no cold plate and no rear door takes. 12 K and 300 Pa are
    common for fan walls with contained aisles; fan, motor and drive together 0.6.
    """

    unit_kw: Annotated[float, Field(gt=0, le=5_000, description="kW that one air handler takes.")] = 400.0
    count: Annotated[
        Count | None, Field(description="Air handlers of a hall; left out, what its air takes and `spare`.")
    ] = None
    spare: Annotated[Spare, Field(description="Air handlers beside those that its air takes.")] = 1
    rise_k: Annotated[Rise, Field(description="Kelvin by which the air warms in the racks.")] = 12.0
    pressure_pa: Annotated[float, Field(gt=0, le=3_000, description="Pressure that its fans build up.")] = 300.0
    efficiency: Annotated[Efficiency, Field(description="Work on the air by electricity drawn.")] = 0.6
    dew_point_c: Annotated[
        Celsius, Field(description="Highest dew point of the halls; ASHRAE recommends at most 15.")
    ] = 15.0


class Ambient(Section):
    """The weather: a hot day that the plant is built for, and the mean of the year, in degrees outside.

    The defaults are those of a temperate place (design day of Memphis, Tennessee, by ASHRAE's class: 36 and 26).
    """

    dry_bulb_c: Annotated[Celsius, Field(description="Dry bulb of the design day.")] = 36.0
    wet_bulb_c: Annotated[Celsius, Field(description="Wet bulb of the design day, that of the dampest for towers.")] = (
        26.0
    )
    mean_dry_bulb_c: Annotated[Celsius, Field(description="Dry bulb, mean of the year.")] = 17.0
    mean_wet_bulb_c: Annotated[Celsius, Field(description="Wet bulb, mean of the year.")] = 13.5


class Cooling(Section):
    """How heat leaves the site. Left out, air-cooled chillers a hall and the defaults of each part."""

    technology: Annotated[Technology, Field(description="The loop from CDUs to cold plates.")] = Technology()
    facility: Annotated[Facility, Field(description="The loop from the plant to the halls.")] = Facility()
    pumps: Annotated[Pumps, Field(description="The pumps of the plant: {needed: 3, spare: 1}.")] = Pumps()
    plant: Annotated[Plant, Field(description="What rejects the heat: {kind: tower, unit_kw: 2_000}.")] = Plant()
    air: Annotated[Air, Field(description="Air handlers of the halls: {unit_kw: 400}.")] = Air()
    ambient: Annotated[Ambient, Field(description="The weather: {dry_bulb_c: 36, wet_bulb_c: 26, ...}.")] = Ambient()
