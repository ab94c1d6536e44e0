from dataclasses import replace

import pandas as pd
import pytest
import torch

from vpp_envs.fleet.mix import FleetMix
from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_rl.baselines.mpc import Mpc
from vpp_rl.baselines.rules import Quantile, TimeOfUse
from vpp_rl.evaluation.tuning import (
    Tuner,
    best_in,
    best_of,
    fewer_homes,
    hours_of,
    mpc_grid,
    quantile_grid,
    time_of_use_grid,
    tuned,
)
from vpp_rl.rollout import Windows, play

WINDOWS = Windows("train", window_days=1, most=2)


@pytest.mark.parametrize(
    ("kind", "grid"),
    [
        (TimeOfUse, time_of_use_grid()[::19]),
        (Quantile, quantile_grid()[::5]),
        (Mpc, mpc_grid()[::4]),
    ],
)
def test_playing_a_grid_side_by_side_is_playing_its_settings_one_by_one(day_spec, kind, grid):
    alone = [play(kind(**setting), day_spec, WINDOWS)[0].profit for setting in grid]
    columns = {n: torch.tensor([[s[n]] for s in grid]).double() for n in grid[0]}
    together = kind(**{n: c.repeat_interleave(2, 0) for n, c in columns.items()})
    profit = play(together, day_spec, replace(WINDOWS, copies=len(grid)))[0].profit
    for index, expected in enumerate(alone):
        part = profit[2 * index : 2 * index + 2].to_numpy()
        assert part == pytest.approx(expected.to_numpy(), rel=1e-9)
    sums = [float(profit.sum()) for profit in alone]
    assert len(set(sums)) > 1
    assert best_of(kind, grid, day_spec, WINDOWS) == kind(**grid[sums.index(max(sums))])


def test_the_best_setting_is_by_money_and_by_what_discomfort_counts(day_spec):
    """Two windows of each of three settings: money says the first, comfort another."""
    frame = pd.DataFrame(
        {"profit": [5.0, 5.0, 4.0, 4.0, 1.0, 1.0], "discomfort_k_h": [9.0, 9.0, 2.0, 2.0, 0.0, 0.0]}
    )
    grid = [{"rest_depth": depth} for depth in (1.0, 0.5, 0.0)]
    for price, expected in ((0.0, 1.0), (0.5, 0.5), (2.0, 0.0)):
        spec = replace(day_spec, comfort_per_k_h=price)
        assert best_in(frame, grid, spec) == {"rest_depth": expected}


def test_who_does_not_tune_plays_defaults_and_says_nothing(day_spec):
    said: list[str] = []
    tuner = Tuner(day_spec, WINDOWS, said.append, lambda what, share: None, retune=False)
    assert tuner.best(TimeOfUse, time_of_use_grid(), hours_of) == TimeOfUse()
    assert said == []
    tuner = replace(tuner, retune=True)
    found = tuner.best(TimeOfUse, time_of_use_grid()[::19], hours_of)
    assert said == [hours_of(found)]


def test_copies_of_a_window_start_alike(day_spec):
    frame, _ = play(TimeOfUse(), day_spec, replace(WINDOWS, copies=3))
    assert len(frame) == 6
    assert frame.profit[:2].tolist() == frame.profit[2:4].tolist() == frame.profit[4:].tolist()


def test_tuning_needs_a_battery_among_the_homes_that_it_plays(day_spec):
    rare = replace(day_spec, fleet=replace(day_spec.fleet, homes=60, battery_share=0.02))
    said: list[str] = []
    shares: list[float] = []
    tuned(rare, WINDOWS, said.append, lambda what, share: shares.append(share))
    assert [line.split(":")[0] for line in said] == ["time of use", "quantile rule", "mpc"]
    assert max(shares) == 1.0


def test_rules_are_tuned_on_the_same_homes_however_many_an_episode_draws(day_spec):
    """Twelve of sixteen homes an episode are more than the eight that rules are tuned on."""
    many = replace(day_spec, fleet=replace(day_spec.fleet, homes=16))
    mixed = replace(many, fleet_mix=FleetMix(homes=12))
    assert fewer_homes(mixed) == fewer_homes(many)
    grid = quantile_grid()[:2]
    best = [best_of(Quantile, grid, fewer_homes(spec), WINDOWS) for spec in (many, mixed)]
    assert best[0] == best[1]


def test_fleets_of_the_same_cohorts_share_their_tables(day_spec: ScenarioSpec):
    one = build_scenario(day_spec, "test")
    two = build_scenario(replace(day_spec, unseen_homes=3), "test")
    assert (len(one.fleet.home_id), len(two.fleet.home_id)) == (8, 3)
    assert one.curve is two.curve
    assert one.market is two.market
