"""The bound of homes with flexible devices: nobody earns more, and it is not far from its plan."""

from dataclasses import dataclass, replace

import pytest
import torch

from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.flexible.kinds import present
from vpp_envs.simulator import SetPoints
from vpp_rl.baselines.clock import ByTheClock
from vpp_rl.baselines.home_plan import plan_homes
from vpp_rl.baselines.rules import Idle, SelfConsumption
from vpp_rl.baselines.value_curve import StochasticValueCurve
from vpp_rl.rollout import Windows, play

WINDOWS = Windows("test", window_days=1, most=3)
ALONE = {"battery_share": 0.0, "solar_share": 0.0, "export_limit_kw": None}
HEAT = {
    **{"water_heater_share": 0.9, "heat_pump_water_share": 0.5, "hvac_share": 0.9},
    **{"heat_pump_share": 0.5, "thermostat_share": 0.8, "battery_share": 0.6, "ev_share": 0.5},
}
JOBS = {
    **{f"{name}_share": 0.7 for name in ("dishwasher", "washer", "dryer", "pool_pump")},
    **{"generator_share": 0.5, "generator_permit_share": 0.9},
}
# What the homes have, and the least of the way from idle to the bound that the plan goes in a
# replay. A plan heats water with pump and element in proportion, a device with its pump first.
WORLDS = {
    "resistance": (
        FleetSpec(6, 3, water_heater_share=1.0, heat_pump_water_share=0.0, **ALONE),
        0.9,
    ),
    "heat pump water": (
        FleetSpec(6, 3, water_heater_share=1.0, heat_pump_water_share=1.0, **ALONE),
        0.65,
    ),
    # The plan is of heaters that take any power: what their thermostats leave of it.
    "messages": (
        FleetSpec(6, 3, water_heater_share=1.0, messages_water_share=1.0, **ALONE),
        0.5,
    ),
    "layers": (
        FleetSpec(6, 3, water_heater_share=1.0, layered_water=True, **ALONE),
        0.3,
    ),
    "houses": (FleetSpec(6, 3, hvac_share=1.0, heat_pump_share=0.5, **ALONE), 0.93),
    "suburb": (FleetSpec(6, 5, **HEAT), 0.95),
    "narrow": (FleetSpec(6, 5, import_limit_kw=6.0, **HEAT), 0.95),
    "winter": (FleetSpec(6, 5, **HEAT), 0.95),
    "everything": (FleetSpec(6, 5, **HEAT, **JOBS), 0.9),
}
KINDS_ALONE = ("resistance", "heat pump water", "houses")
QUICK_OR_SLOW = [
    pytest.param(name, marks=() if name in KINDS_ALONE else pytest.mark.slow) for name in WORLDS
]


@dataclass(frozen=True)
class Random:
    """Whatever comes to mind, or one extreme after the other, held for some ticks."""

    extreme: bool = False
    held: int = 1
    kind: str = "rule"

    @property
    def name(self):
        return f"{'bang-bang' if self.extreme else 'random'} {self.held}"

    def act(self, scene):
        draw = torch.Generator().manual_seed(int(scene.tick[0]) // self.held)
        moment = scene.moment

        def asked():
            luck, gone = torch.rand((2, *moment.load_kw.shape), generator=draw, dtype=torch.float64)
            if self.extreme:
                return torch.where(luck < 0.5, -99.0, 99.0).double()
            return torch.where(gone < 0.1, torch.nan, 24.0 * luck - 8.0)

        devices = [asked() for _ in present(scene.fleet.flexible)]
        sun = moment.solar_available_kw * (asked() > -4.0)
        return SetPoints(asked(), sun, asked(), devices)


@dataclass(frozen=True)
class Prophet:
    """Draws all it may while the price is among the lowest of the next twelve hours."""

    share: float = 0.3
    name: str = "prophet"
    kind: str = "rule"

    def act(self, scene):
        price = scene.scenario.market.price_per_mwh
        ahead = torch.stack([price[(tick + torch.arange(144)) % len(price)] for tick in scene.tick])
        low = ahead[:, :1] <= ahead.quantile(self.share, dim=1, keepdim=True)
        asked = torch.where(low, 99.0, -99.0).double().expand_as(scene.moment.load_kw)
        devices = [asked for _ in present(scene.fleet.flexible)]
        return SetPoints(asked, scene.moment.solar_available_kw, asked, devices)


EVERYBODY = (
    *(Idle(), StochasticValueCurve(), SelfConsumption(), ByTheClock(), Prophet()),
    *(Random(), Random(True), Random(True, 18)),
)


@pytest.fixture(scope="module", params=QUICK_OR_SLOW)
def world(request, day_spec):
    """A scenario, its bound, and how much of it its plan must earn."""
    fleet, share = WORLDS[request.param]
    spec = replace(day_spec, fleet=fleet)
    if request.param == "winter":
        spec = replace(spec, market=replace(spec.market, climate="NL"))
    return request.param, spec, plan_homes(spec, WINDOWS), share


def test_nobody_earns_more_than_the_bound_and_its_plan_is_near(world):
    name, spec, bound, share = world
    most = bound.objective.numpy()
    earned = {}
    for policy in (*EVERYBODY, bound):
        frame, _ = play(policy, spec, WINDOWS)
        earned[policy.name] = frame.profit.to_numpy()
        assert bool((earned[policy.name] <= most + 1e-6).all()), policy.name
        assert frame.broken_agreements.sum() == 0
    idle, curve = earned["idle"].sum(), earned["value curve"].sum()
    replayed = earned["perfect foresight"].sum()
    gone = (replayed - idle) / (most.sum() - idle)
    print(
        f"{name}: bound {most.sum():.2f}, replay {replayed:.2f}, curve {curve:.2f}, idle {idle:.2f}"
    )
    if name in KINDS_ALONE:
        assert idle < curve <= replayed
    assert gone >= share


@pytest.mark.slow
def test_the_bound_holds_over_midnight_behind_a_tariff(day_spec):
    fleet = FleetSpec(5, 4, solar_share=1.0, **HEAT)
    spec, windows = replace(day_spec, fleet=fleet, tariff="example"), Windows("test", 2)
    bound = plan_homes(spec, windows)
    for policy in (Idle(), StochasticValueCurve(), Prophet(), Random(True, 18)):
        frame, _ = play(policy, spec, windows)
        assert bool((frame.profit.to_numpy() <= bound.objective.numpy() + 1e-6).all()), policy.name


@dataclass(frozen=True)
class Least:
    """As little as the envelopes allow; batteries rest."""

    name: str = "least"
    kind: str = "rule"

    def act(self, scene):
        asked = torch.full_like(scene.moment.load_kw, -99.0)
        devices = [asked] * len(scene.moment.flexes)
        return SetPoints(0.0 * asked, scene.moment.solar_available_kw, None, devices)


@pytest.mark.parametrize("name", KINDS_ALONE)
def test_where_the_price_never_changes_the_bound_is_near_those_who_draw_little(
    day_spec, repository, name
):
    """Of a tank that turns all electricity into warmth the best is known: as cold as it may be."""
    flat = str(repository / "configs" / "tariff" / "flat_au.yaml")
    spec = replace(day_spec, fleet=WORLDS[name][0], tariff=flat)
    bound = plan_homes(spec, WINDOWS).objective.sum().item()
    idle, least = (play(who, spec, WINDOWS)[0].profit.sum() for who in (Idle(), Least()))
    print(f"{name}: bound {bound:.2f}, least {least:.2f}, idle {idle:.2f}")
    assert max(idle, least) <= bound < 0.0
    if name == "resistance":
        assert bound - least < 0.05 * (bound - idle)
    assert bound - idle < 0.15 * -idle
