"""What the bounds do not know is refused, not left out."""

from dataclasses import replace

import pytest

from vpp_envs.errors import InputError
from vpp_envs.fleet.sampling import FleetSpec, sample_fleet
from vpp_envs.fleet.table import write_fleet
from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_envs.signals.market import MarketSpec
from vpp_rl.baselines.home_plan import is_exact
from vpp_rl.cli.fleet_view import fleet_view
from vpp_rl.configuration import compose, resolved
from vpp_rl.training.job import job_from

FLEET = FleetSpec(homes=6, water_heater_share=1.0, hvac_share=1.0)


def test_a_bound_that_knows_nothing_of_water_heaters_is_refused():
    market = MarketSpec(train_days=2, validation_days=2, test_days=2)
    spec = ScenarioSpec(market=market, fleet=FLEET, episode_days=1)
    with pytest.raises(InputError, match="no bound is known"):
        is_exact(build_scenario(spec, "test"))
    plain = replace(spec, fleet=FleetSpec(homes=6))
    assert is_exact(build_scenario(plain, "test"))


def test_a_table_that_knows_nothing_of_them_is_refused_and_not_written(tmp_path):
    with pytest.raises(InputError, match="tables hold no water heaters"):
        write_fleet(sample_fleet(FLEET), tmp_path / "homes.csv")
    assert list(tmp_path.iterdir()) == []


def test_they_are_described():
    text = [part for part in fleet_view(sample_fleet(FLEET), "six") if isinstance(part, str)]
    for title in ("Hot water tank, L", "House to outdoors, W/K", "Cooling set-point, C"):
        assert any(title in part for part in text)


@pytest.mark.parametrize("name", ["water_heater_share", "hvac_share"])
def test_a_training_with_them_is_refused_before_anything_is_written(name):
    with pytest.raises(InputError, match=f"fleet.{name}=0.5 asks for devices"):
        job_from(resolved(compose("train", [f"fleet.{name}=0.5"])))


@pytest.mark.parametrize("wrong", [{"design_summer_c": 500.0}, {"design_winter_c": -60.0}])
def test_machines_for_impossible_weather_are_refused(wrong):
    with pytest.raises(InputError, match=f"fleet.{next(iter(wrong))} must lie between"):
        FleetSpec(**wrong)
