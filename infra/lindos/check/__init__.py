"""Plan -> Findings: the design rules of the field, each a function named as a sentence.

To add a rule: one function in the module of its topic, one line in `RULES`, one case in tests/rules that breaks it.
Codes are stable and never reused. A rule without its fact says "not evaluated"; it never passes for that.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from lindos.check import (
    addresses,
    cables,
    coolant,
    cooling,
    electric,
    fabric,
    failures,
    floor,
    infiniband,
    north_south,
    pathways,
    power,
    roce,
    slices,
    swing,
)
from lindos.check.rule import Rule, findings
from lindos.check.view import View

if TYPE_CHECKING:
    from lindos.finding import Finding
    from lindos.plan.tables import Plan
    from lindos.spec.model import Spec

__all__ = ["LOAD_FLOW", "RULES", "Rule", "check", "check_load_flow", "check_view", "explain"]

RULES: tuple[Rule, ...] = (
    Rule("FABRIC-001", fabric.every_rail_port_is_on_one_leaf_port),
    Rule("FABRIC-002", fabric.rail_i_is_on_leaf_i_of_its_own_unit),
    Rule("FABRIC-003", fabric.leaves_stripe_evenly_over_the_spines_of_their_pod),
    Rule("FABRIC-004", fabric.spines_stripe_evenly_over_the_cores_of_their_group),
    Rule("FABRIC-005", fabric.a_port_is_used_once),
    Rule("FABRIC-006", fabric.a_share_of_a_cage_is_used_once),
    Rule("FABRIC-007", fabric.every_uplink_is_an_equal_path),
    Rule("FABRIC-008", fabric.a_fabric_is_no_more_oversubscribed_than_stated),
    Rule("FABRIC-009", fabric.planes_meet_in_no_switch),
    Rule("FABRIC-010", roce.a_cage_is_split_as_its_product_can),
    Rule("NS-001", north_south.ports_of_a_device_lead_to_leaves_of_their_own),
    Rule("NS-002", north_south.every_node_reaches_the_storage),
    Rule("NS-003", north_south.storage_is_not_held_back_by_its_network),
    Rule("ROCE-001", roce.switches_take_what_hosts_send),
    Rule("ROCE-002", roce.data_and_notifications_have_a_class_each),
    Rule("ROCE-003", roce.headroom_fits_the_buffer),
    Rule("IB-001", infiniband.both_ends_of_a_link_speak_one_link_layer),
    Rule("IB-002", infiniband.a_subnet_has_a_manager_and_one_that_stands_by),
    Rule("IB-003", infiniband.a_subnet_has_a_lid_for_every_port),
    Rule("IB-004", infiniband.infiniband_has_no_address_and_no_autonomous_system),
    Rule("IB-005", infiniband.a_partition_has_a_key_of_its_own),
    Rule("CABLE-101", cables.the_ports_of_a_cage_share_one_module),
    Rule("CABLE-102", cables.the_optics_of_a_cable_speak_with_each_other),
    Rule("CABLE-103", cables.a_cable_is_within_the_reach_of_its_parts),
    Rule("CABLE-104", cables.a_cable_covers_its_route),
    Rule("CABLE-105", cables.every_link_lies_in_a_cable),
    Rule("CABLE-106", cables.a_cable_is_of_a_length_that_is_sold),
    Rule("CABLE-107", pathways.labels_are_unique_and_printable),
    Rule("CABLE-108", pathways.a_bundle_joins_one_rack_with_one_other),
    Rule("CABLE-109", pathways.trays_hold_their_cables),
    Rule("CABLE-110", pathways.modules_are_within_the_power_of_their_switch),
    Rule("CABLE-111", pathways.the_bill_counts_what_the_plan_holds),
    Rule("ADDR-001", addresses.an_address_is_used_once),
    Rule("ADDR-002", addresses.a_gateway_is_the_neighbour_in_the_same_prefix),
    Rule("ADDR-003", addresses.prefixes_do_not_overlap),
    Rule("ADDR-004", addresses.both_ends_of_a_link_share_its_prefix),
    Rule("ADDR-005", addresses.a_rail_keeps_to_its_own_prefix),
    Rule("ADDR-006", addresses.every_device_is_reached_out_of_band),
    Rule("ADDR-007", addresses.every_leaf_has_an_autonomous_system_of_its_own),
    Rule("ADDR-008", addresses.no_path_meets_an_autonomous_system_twice),
    Rule("POWER-001", power.every_power_supply_has_one_cord),
    Rule("POWER-002", power.power_supplies_of_a_device_spread_over_the_feeds),
    Rule("POWER-003", power.a_switch_hangs_on_two_feeds),
    Rule("POWER-004", power.a_device_survives_the_loss_of_any_feed),
    Rule("POWER-005", power.a_rack_pdu_carries_its_rack_when_another_part_is_lost),
    Rule("POWER-006", power.a_busway_carries_its_racks_when_another_part_is_lost),
    Rule("POWER-007", power.what_feeds_the_halls_carries_them_when_another_part_is_lost),
    Rule("POWER-008", power.every_cord_leads_back_to_a_source),
    Rule("POWER-009", power.sources_carry_the_nameplate_load),
    Rule("POWER-010", power.every_device_has_power),
    Rule("POWER-011", power.a_rack_draws_no_more_than_it_and_its_place_are_built_for),
    Rule("POWER-012", power.every_part_carries_what_hangs_on_it),
    Rule("POWER-013", power.phases_of_a_rack_pdu_are_balanced),
    Rule("POWER-014", failures.no_part_feeds_all_spines_of_a_plane),
    Rule("POWER-015", failures.power_supplies_of_a_leaf_hang_on_more_than_one_busway),
    Rule("POWER-016", failures.redundancy_holds_what_it_promises),
    Rule("POWER-017", swing.sources_take_the_swing_of_training),
    Rule("OOB-001", failures.bmcs_are_reached_when_another_rack_is_off),
    Rule("COOL-001", cooling.liquid_heat_is_a_part_of_the_draw),
    Rule("COOL-002", cooling.every_device_gives_its_heat_to_one_part),
    Rule("COOL-003", cooling.a_cdu_takes_the_heat_of_its_devices),
    Rule("COOL-004", cooling.heat_is_conserved),
    Rule("COOL-005", cooling.doors_air_handlers_and_plants_take_their_heat),
    Rule("COOL-006", cooling.one_unit_lost_stops_no_more_than_a_rack),
    Rule("COOL-007", cooling.a_cdu_delivers_the_flow_of_its_devices),
    Rule("COOL-008", cooling.a_cdu_overcomes_the_pressure_of_its_loop),
    Rule("COOL-009", cooling.a_cdu_survives_the_loss_of_a_pump),
    Rule("COOL-010", coolant.coolant_is_cold_enough_for_what_it_cools),
    Rule("COOL-011", coolant.water_is_warmer_than_the_dew_point),
    Rule("COOL-012", coolant.the_weather_allows_what_the_plant_delivers),
    Rule("COOL-013", coolant.pipes_keep_within_their_velocity),
    Rule("FLOOR-001", floor.devices_of_a_rack_do_not_overlap),
    Rule("FLOOR-002", floor.every_device_fits_into_its_rack),
    Rule("FLOOR-003", floor.a_position_holds_one_rack),
    Rule("FLOOR-004", floor.every_rack_stands_in_the_grid_of_its_hall),
    Rule("FLOOR-005", floor.a_rack_is_no_heavier_than_the_floor_carries),
    Rule("FLOOR-006", floor.a_site_keeps_within_what_it_declares),
    Rule("FLOOR-007", floor.the_floor_carries_its_rows),
    Rule("SLICE-001", slices.every_device_is_in_exactly_one_slice),
    Rule("SLICE-002", slices.a_slice_counts_what_it_holds),
    Rule("SLICE-003", slices.every_unit_has_complete_rails),
    Rule("SLICE-004", slices.an_nvlink_domain_is_one_rack_of_one_unit),
)
"""Every design rule with its code, by topic."""

LOAD_FLOW: tuple[Rule, ...] = (
    Rule("POWER-030", electric.voltage_stays_within_its_limits),
    Rule("POWER-031", electric.currents_stay_within_ratings),
    Rule("POWER-032", electric.breakers_break_the_short_circuit_behind_them),
    Rule("POWER-033", electric.short_circuits_trip_their_breakers),
)
"""Rules that need a load flow, which takes long: judged where it is asked for."""


def check(plan: Plan, spec: Spec | None = None) -> tuple[Finding, ...]:
    """A plan, and the site file where it is at hand -> what breaks the rules, in the order of RULES, then of subject.

    What was asked for (oversubscription, spare generators, optics of the site's own) is written in the site file
    only: rules that compare with it say "not evaluated" without it.
    """
    return check_view(View(plan, spec))


def check_view(view: View) -> tuple[Finding, ...]:
    """A view of a plan -> the same; what the rules worked out stays with the view."""
    return tuple(finding for rule in RULES for finding in findings(rule, view))


def check_load_flow(view: View) -> tuple[Finding, ...]:
    """A view of a plan, with its site file -> what breaks the rules of the load flow."""
    return tuple(finding for rule in LOAD_FLOW for finding in findings(rule, view))


def explain(code: str) -> str:
    """Code of a design rule -> what it asks for, why, and what to do. KeyError names the nearest codes."""
    rules = {rule.code: rule for rule in (*RULES, *LOAD_FLOW)}
    if code not in rules:
        near = difflib.get_close_matches(code.upper(), rules, 3, 0.5)
        raise KeyError(f"no design rule {code}; nearest: {', '.join(near) or 'none'}")
    rule = rules[code]
    return f"{rule.code}  {rule.name.replace('_', ' ')}\n\n{rule.documentation}"
