"""The box between two extreme policies: nobody leaves it."""

from dataclasses import replace

import pytest
import torch

from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.simulator import SetPoints, step_site
from vpp_rl.baselines.extremes import extremes_of
from vpp_rl.rollout import Windows, window_env

WINDOWS = Windows("test", window_days=2)
TICKS = 2 * 288
TOLERANCE_K = 1e-6
PLACES = (("water_heater", "tank", ("temp_c",)), ("hvac", "house", ("air_c", "mass_c")))
FLEET = FleetSpec(
    homes=8,
    seed=7,
    import_limit_kw=9.0,
    water_heater_share=0.9,
    heat_pump_water_share=0.5,
    messages_water_share=0.4,
    hvac_share=0.9,
    heat_pump_share=0.5,
    thermostat_share=0.7,
)

CLIMATES = [
    pytest.param("NL", id="winter"),
    pytest.param("SA1", id="summer", marks=pytest.mark.slow),
]


def nothing(moment):
    return []


def asked(policy, like, tick):
    draw = torch.Generator().manual_seed(tick // policy.get("held", 1))
    luck = torch.rand(like.shape, generator=draw, dtype=torch.float64)
    return {
        "random": 12.0 * luck - 3.0,
        "bang-bang": torch.where(luck < 0.5, -99.0, 99.0).double(),
        "idle": torch.full_like(luck, torch.nan),
        "most": torch.full_like(luck, 99.0),
        "least": torch.full_like(luck, -99.0),
    }[policy["name"]]


@pytest.fixture(scope="module", params=CLIMATES)
def boxes(request, day_spec):
    market = replace(day_spec.market, climate=request.param)
    spec = replace(day_spec, fleet=FLEET, market=market)
    env, starts, _ = window_env(spec, WINDOWS)
    kinds = ("water_heater", "hvac")
    return spec, {kind: extremes_of(env, starts, TICKS, kind, nothing) for kind in kinds}


@pytest.mark.parametrize(
    "policy",
    [
        {"name": "random"},
        {"name": "bang-bang", "held": 9},
        {"name": "idle"},
        {"name": "most"},
        {"name": "least"},
    ],
    ids=str,
)
def test_no_policy_leaves_the_box_and_who_is_not_managed_draws_what_was_foreseen(boxes, policy):
    spec, seen = boxes
    env, _, _ = window_env(spec, WINDOWS)
    fleet, outside_k, apart_kw = env.fleet.flexible, 0.0, 0.0
    for tick in range(TICKS):
        moment = env.moment
        devices = [asked(policy, moment.load_kw, 2 * tick + place) for place in range(2)]
        points = SetPoints(0.0 * moment.load_kw, moment.solar_available_kw, flexible_kw=devices)
        outcome = step_site(points, moment, env.fleet, env.scenario.dt_h).flexible
        env.step_set_points(points)
        for kind, device, names in PLACES:
            managed = getattr(fleet, kind).cohort >= 0
            now = getattr(getattr(env.state.flexible, kind), device)
            for name in names:
                least, most = (getattr(getattr(s, device), name)[tick] for s in seen[kind].after)
                path = getattr(now, name)
                beyond_k = torch.maximum(least - path, path - most)[:, managed]
                outside_k = max(outside_k, float(beyond_k.max()))
            served_kw = getattr(outcome, kind).served.power_kw
            gap_kw = (served_kw - seen[kind].alone_kw[tick])[:, ~managed].abs()
            apart_kw = max(apart_kw, float(gap_kw.max()))
    assert outside_k <= TOLERANCE_K
    assert apart_kw <= 1e-9
