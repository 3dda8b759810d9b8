"""Loads, plants and losses of the power train -> PUE and WUE of the site, at nameplate and as measured under training.

PUE (The Green Grid, ISO/IEC 30134-2): energy of the whole facility by energy of IT. CDUs hang on the rack PDUs, yet
they are no IT. WUE (ISO/IEC 30134-9): litres of water by kWh of IT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.plan.plant import LOADS

if TYPE_CHECKING:
    from collections.abc import Mapping

HOURS = 24


def efficiency(
    devices: pl.DataFrame,
    watts: pl.DataFrame,
    plant_loads: pl.DataFrame,
    plants: pl.DataFrame,
    losses_w: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """Devices, their loads, what the plants draw and need, W lost in the power train by load -> a row a load.

    Without losses they are null, and the PUE is that of IT and cooling alone.
    """
    drawn = devices.select("device", "kind").join(watts, on="device", maintain_order="left")
    cdu = pl.col("kind") == "cdu"
    rows = []
    for load in LOADS:
        it, inside = (int(drawn.filter(mine)[f"{load}_w"].sum()) for mine in (~cdu, cdu))
        outside = int(plant_loads[f"{load}_w"].sum())
        lost = (losses_w or {}).get(load)
        all_w = it + inside + outside + (lost or 0)
        liquid = int(drawn["liquid_w" if load == "nameplate" else "liquid_typical_w"].sum())
        water_ml_h = int(plants.filter(pl.col("load") == load)["water_ml_h"].sum())
        rows.append(
            {
                "load": load,
                "it_w": it,
                "cdu_w": inside,
                "plant_w": outside,
                "loss_w": lost,
                "facility_w": all_w,
                "liquid_w": liquid,
                "air_w": it + inside - liquid,
                "pue_ppm": all_w * 1_000_000 // it if it else None,
                "water_l_day": water_ml_h * HOURS // 1000,
                "wue_ml_kwh": water_ml_h * 1000 // it if it else None,
            }
        )
    names = [n for n in rows[0] if n != "load"]
    return pl.DataFrame(rows, schema={"load": pl.String} | dict.fromkeys(names, pl.Int64), orient="row")
