"""Measured loads lie on a market's days by the hour of the week, whatever their own year."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.scenario import build_scenario


def homes_file(folder, weeks=2, missing=()):
    """Two homes from a Tuesday on, whose load names its half hour of the week."""
    times = pd.date_range("2013-01-01", periods=weeks * 336, freq="30min")
    slot = times.day_of_week * 48 + times.hour * 2 + times.minute // 30
    load = pd.DataFrame({"time": times.strftime("%Y-%m-%d %H:%M:%S"), "load_kwh": 1.0 + slot})
    first, second = load.assign(home="a"), load.assign(home="b").drop(index=list(missing))
    path = folder / "homes.csv"
    pd.concat([first, second])[["home", "time", "load_kwh"]].to_csv(path, index=False)
    return str(path)


def test_every_tick_has_the_load_of_its_own_half_hour_of_the_week(small_spec, tmp_path):
    scenario = build_scenario(replace(small_spec, loads=homes_file(tmp_path)), "train")
    ticks = torch.arange(len(scenario.load_pu))
    local = scenario.market.local_time(ticks)
    slot = 1.0 + local.day_of_week * 48 + local.hour * 2 + local.minute // 30
    mean = np.arange(1, 337).mean()
    np.testing.assert_allclose(scenario.load_pu[:, 0], slot / mean, rtol=1e-5)
    assert "loads of 2 measured homes: 2 weeks from 2013-01-01" in scenario.fleet_lines[0]


def test_homes_share_the_measured_ones_and_keep_their_own_means(small_spec, tmp_path):
    simulated = build_scenario(small_spec, "train")
    scenario = build_scenario(replace(small_spec, loads=homes_file(tmp_path)), "train")
    assert set(scenario.fleet.load_archetype.tolist()) <= {0, 1}
    assert torch.equal(scenario.fleet.load_mean_kw, simulated.fleet.load_mean_kw)
    assert torch.equal(scenario.market.price_per_mwh, simulated.market.price_per_mwh)


def test_a_silent_half_hour_has_the_usual_load_of_its_hour_of_the_week(small_spec, tmp_path):
    whole = build_scenario(replace(small_spec, loads=homes_file(tmp_path)), "train")
    (tmp_path / "gap").mkdir()
    path = homes_file(tmp_path / "gap", missing=range(100, 120))
    gap = build_scenario(replace(small_spec, loads=path), "train")
    torch.testing.assert_close(gap.load_pu, whole.load_pu)


def test_homes_that_were_hardly_measured_are_left_out_and_none_at_all_is_refused(
    small_spec, tmp_path
):
    path = homes_file(tmp_path, missing=range(100, 400))
    scenario = build_scenario(replace(small_spec, loads=path), "train")
    assert scenario.load_pu.shape[1] == 1
    assert "1 left out" in scenario.fleet_lines[0]
    (tmp_path / "short").mkdir()
    short = pd.read_csv(path).iloc[:100]
    short.to_csv(tmp_path / "short" / "homes.csv", index=False)
    with pytest.raises(InputError, match="at least one whole week"):
        build_scenario(replace(small_spec, loads=str(tmp_path / "short" / "homes.csv")), "train")
