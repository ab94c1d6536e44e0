from dataclasses import replace

import pytest
import torch

from vpp_envs.dispatch.envelope import battery_envelope
from vpp_envs.dispatch.moment import car_envelope, car_moment
from vpp_envs.fleet.pick import map_columns
from vpp_envs.observation import (
    CURVE_FILLS,
    MEDIAN_LEADS,
    SPREAD_LEADS,
    Signals,
    compress,
    feature_names,
    features_of,
    fleet_features,
    fleet_sums,
    observe,
    signal_features,
)
from vpp_envs.scenario import build_scenario
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1.0 / 12.0
SCALE = 70.0


@pytest.fixture(scope="module")
def env(small_spec):
    env = FleetVectorEnv(small_spec, 4, dtype="float64")
    env.reset(seed=6, options={"start_ticks": torch.arange(4) * 288 + 150})
    return env


@pytest.fixture(scope="module")
def named(env):
    """Features of the fleet by name, for four rows."""
    features = fleet_features(env.moment, env.fleet, DT_H)
    names = env.observation_names[-features.shape[-1] :]
    return dict(zip(names, features.unbind(-1), strict=True))


def signals(**changes):
    nodes = torch.arange(48.0).reshape(48, 1) * 10 + torch.arange(11.0)
    defaults = {
        "price_per_mwh": 140.0,
        "previous_per_mwh": -70.0,
        "day_mean_per_mwh": 60.0,
        "day_std_per_mwh": 20.0,
        "nodes_per_mwh": nodes,
        "hour": 18.25,
        "day_of_year": 100.0,
        "weekend": 1.0,
    }
    values = {**defaults, **changes}
    return Signals(*(torch.as_tensor(values[name]) for name in Signals._fields))


def signal(**changes):
    curve = torch.linspace(0.3, 0.1, 17).reshape(1, 17)
    features = signal_features(signals(**changes), curve, SCALE)
    return dict(zip(feature_names(("battery_2h",)), features.tolist(), strict=False))


def squeezed(price):
    return compress(torch.tensor(price), SCALE).item()


def test_names_and_features_are_of_one_length(env):
    assert env.observation.shape[-1] == len(env.observation_names)
    assert len(set(env.observation_names)) == len(env.observation_names)


def test_prices_are_squeezed_and_signed():
    seen = signal()
    assert squeezed(140.0) == pytest.approx(0.3609, abs=1e-4)  # asinh(2) / 4
    assert seen["price/now"] == pytest.approx(squeezed(140.0))
    assert seen["price/previous"] == pytest.approx(-squeezed(70.0))
    assert squeezed(17_500.0) < 10.0


def test_forecasts_are_named_by_their_lead():
    seen = signal()
    for lead in MEDIAN_LEADS:
        name = f"price/median_{(lead + 1) / 2:g}h"
        assert seen[name] == pytest.approx(squeezed(10.0 * lead + 4), abs=1e-6), name
    for lead in SPREAD_LEADS:
        name = f"price/spread_{(lead + 1) / 2:g}h"
        expected = squeezed(10.0 * lead + 7) - squeezed(10.0 * lead + 4)
        assert seen[name] == pytest.approx(expected, abs=1e-6), name
    assert "price/median_24h" in seen


def test_the_curve_is_shown_at_three_fills_and_beside_the_price():
    seen = signal()
    for fill in CURVE_FILLS:
        at = round(fill * 16 - 1e-9) if fill != 0.1 else 1
        worth = squeezed(1000 * (0.3 - 0.2 * at / 16))
        assert seen[f"battery_2h/value_at_{fill:g}"] == pytest.approx(worth, abs=1e-6)
        over = seen[f"battery_2h/price_over_value_at_{fill:g}"]
        assert over == pytest.approx(squeezed(140.0) - worth, abs=1e-6)


def test_the_clock_turns_once_a_day_and_once_a_year():
    noon, midnight = signal(hour=12.0), signal(hour=0.0)
    assert noon["calendar/day_cos"] == pytest.approx(-1.0, abs=1e-6)
    assert midnight["calendar/day_cos"] == pytest.approx(1.0)
    late = signal(hour=23.999)
    assert late["calendar/day_cos"] == pytest.approx(midnight["calendar/day_cos"], abs=1e-3)
    assert signal(hour=18.25)["calendar/half_hour_share"] == pytest.approx(0.5)
    assert signal(weekend=0.0)["calendar/weekend"] == 0.0


def test_cohorts_are_described_per_unit_of_their_rating(env, named):
    fleet, moment = env.fleet, env.moment
    rating = torch.maximum(fleet.battery.charge_kw, fleet.battery.discharge_kw)
    site = moment.load_kw - moment.solar_available_kw
    envelope = battery_envelope(moment.energy_kwh, site, fleet.battery, fleet.agreement, DT_H)
    usable = fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh
    fill = (moment.energy_kwh - fleet.agreement.reserve_kwh) / usable
    for index, name in enumerate(env.scenario.cohort_names):
        mine = fleet.cohort == index
        kw = rating[mine].sum()
        torch.testing.assert_close(named[f"{name}/rated_share"], (kw / rating.sum()).expand(4))
        torch.testing.assert_close(named[f"{name}/low"], envelope.low_kw[:, mine].sum(-1) / kw)
        torch.testing.assert_close(named[f"{name}/high"], envelope.high_kw[:, mine].sum(-1) / kw)
        torch.testing.assert_close(named[f"{name}/fill_mean"], fill[:, mine].mean(-1))
        spread = fill[:, mine].std(-1, correction=0)
        torch.testing.assert_close(named[f"{name}/fill_std"], spread, atol=1e-5, rtol=1e-5)
        empty = (fill[:, mine] < 0.05).double().mean(-1)
        torch.testing.assert_close(named[f"{name}/empty_share"], empty)


def test_the_site_is_described_per_unit_of_the_plant(env, named):
    rating = torch.maximum(env.fleet.battery.charge_kw, env.fleet.battery.discharge_kw).sum()
    torch.testing.assert_close(named["fleet/load"], env.moment.load_kw.sum(-1) / rating)
    sun = env.moment.solar_available_kw.sum(-1) / rating
    torch.testing.assert_close(named["fleet/solar"], sun)


@pytest.fixture(scope="module")
def cars(car_spec):
    """Homes with batteries and cars, in the evening."""
    env = FleetVectorEnv(car_spec, 4, dtype="float64")
    env.reset(seed=6, options={"start_ticks": torch.arange(4) * 288 + 20 * 12})
    return env


@pytest.mark.parametrize("name", ["env", "cars"])
def test_the_order_of_the_homes_does_not_matter(name, request):
    env = request.getfixturevalue(name)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    mixed = map_columns(env.fleet, lambda column: column[order])
    moment = env.moment._replace(
        energy_kwh=env.moment.energy_kwh[:, order],
        load_kw=env.moment.load_kw[:, order],
        solar_available_kw=env.moment.solar_available_kw[:, order],
    )
    if moment.ev is not None:
        parts = (
            map_columns(part, lambda column: column[:, order])
            for part in (moment.ev.state, moment.ev.session)
        )
        rest_h, curve = moment.ev.rest_h, moment.ev.curve
        moment = moment._replace(ev=car_moment(*parts, rest_h, curve, mixed.ev, DT_H))
    torch.testing.assert_close(
        fleet_features(moment, mixed, DT_H),
        fleet_features(env.moment, env.fleet, DT_H),
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.fixture(scope="module")
def suburb(suburb_spec):
    """Homes with every kind of device, in the evening."""
    env = FleetVectorEnv(suburb_spec, 4, dtype="float64")
    env.reset(seed=6, options={"start_ticks": torch.arange(4) * 288 + 20 * 12})
    return env


def test_the_sums_of_two_halves_of_a_fleet_are_those_of_the_whole(suburb):
    """Homes 0 to 3 and 4 to 7, at the same moment of the same days."""
    halves = []
    for first in (0, 4):
        here = slice(first, first + 4)
        moment, fleet = (
            map_columns(tree, lambda one, here=here: one[..., here] if one.shape[-1] == 8 else one)
            for tree in (suburb.moment, suburb.fleet)
        )
        halves.append(fleet_sums(moment, fleet, DT_H))
    whole = fleet_sums(suburb.moment, suburb.fleet, DT_H)
    torch.testing.assert_close(halves[0] + halves[1], whole, rtol=1e-12, atol=1e-12)
    seen = features_of(whole, suburb.moment)
    torch.testing.assert_close(seen, suburb.observation[:, -seen.shape[-1] :].clone())


def test_cars_are_described_per_unit_of_their_class(cars):
    features = fleet_features(cars.moment, cars.fleet, DT_H)
    names = cars.observation_names[-features.shape[-1] :]
    seen = dict(zip(names, features.unbind(-1), strict=True))
    moment, ev, fleet = cars.moment.ev, cars.fleet.ev, cars.fleet
    plugged = (moment.session.hours_left > 0).double()
    battery_kw = torch.maximum(fleet.battery.charge_kw, fleet.battery.discharge_kw)
    plant_kw = (battery_kw + ev.params.charge_kw).sum()
    stored_kw = (ev.params.charge_kw * ev.params.charge_eff).clamp(min=1e-6)
    due_h = (ev.agreement.target_kwh - moment.state.energy_kwh).clamp(min=0.0) / stored_kw
    envelope = car_envelope(moment, cars.moment, cars.moment.solar_available_kw, fleet, DT_H)
    assert 0 < plugged.mean() < 1
    for index, name in enumerate(cars.scenario.car_names):
        mine = ev.cohort == index
        kw = ev.params.charge_kw[mine].sum()
        torch.testing.assert_close(seen[f"{name}/rated_share"], (kw / plant_kw).expand(4))
        torch.testing.assert_close(
            seen[f"{name}/plugged_share"], plugged[:, mine].mean(-1), rtol=1e-6, atol=1e-6
        )
        torch.testing.assert_close(seen[f"{name}/low"], envelope.low_kw[:, mine].sum(-1) / kw)
        torch.testing.assert_close(seen[f"{name}/high"], envelope.high_kw[:, mine].sum(-1) / kw)
        due = (due_h * plugged * ev.params.charge_kw)[:, mine].sum(-1) / kw
        parts = ("due_within_2h", "due_2h_to_8h", "due_after_8h")
        torch.testing.assert_close(sum(seen[f"{name}/{part}"] for part in parts), due)
        rest = (moment.session.hours_left - due_h).clamp(0.0, 24.0) / 24.0 * plugged
        above = moment.state.energy_kwh > ev.agreement.target_kwh
        if not (above & mine).any():
            torch.testing.assert_close(
                seen[f"{name}/laxity"], rest[:, mine].mean(-1), rtol=1e-6, atol=1e-6
            )
    assert seen["ev_v1g/due_after_8h"].max() > 0


def test_hostile_cars_stay_inside_the_bounds(hostile_env):
    env = hostile_env(4, dtype="float32")
    env.reset(seed=0, options={"start_ticks": [0, 300, 900, 1500]})
    for tick in range(60):
        seen, _, _, _, _ = env.step(torch.full((4, len(env.action_names)), (-1.0) ** tick))
        assert env.observation_space.contains(seen)


def test_nothing_seen_is_beyond_the_bounds_or_not_a_number():
    wild = torch.tensor([[1e9, -1e9, 3.0]])
    assert observe(wild, wild).tolist() == [[10.0, -10.0, 3.0] * 2]


def test_the_dearest_and_the_cheapest_price_stay_inside_the_bounds(small_spec):
    scenario = build_scenario(small_spec, "train")
    for price in (-1000.0, 0.0, 17_500.0):
        squeezed_price = compress(torch.tensor(price), scenario.market.price_scale)
        assert abs(squeezed_price.item()) < 5.0


def test_slices_exist_for_the_cohorts_present_and_no_others(small_spec):
    uniform = replace(small_spec, fleet=replace(small_spec.fleet, duration_h=2.0))
    names = build_scenario(uniform, "train").feature_names
    assert {name.split("/")[0] for name in names} == {"price", "calendar", "fleet", "battery_2h"}
