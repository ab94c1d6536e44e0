"""The kinds of device that have a page, in the order in which they are listed."""

from collections.abc import Callable
from functools import partial

from vpp_envs.flexible.appliance_parts import APPLIANCES
from vpp_rl.cli.pages.flexible import generator_page, hvac_page, machine_page, water_heater_page
from vpp_rl.cli.pages.page import Page
from vpp_rl.cli.pages.site import battery_page, depot_page, ev_page, solar_page

PAGES: dict[str, Callable[[], Page]] = {
    "battery": battery_page,
    "solar": solar_page,
    "ev": ev_page,
    "depot": depot_page,
    "water_heater": water_heater_page,
    "hvac": hvac_page,
    **{kind: partial(machine_page, kind) for kind in APPLIANCES},
    "generator": generator_page,
}
