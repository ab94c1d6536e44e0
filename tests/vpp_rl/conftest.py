from dataclasses import replace

import pytest

from vpp_envs.fleet.mix import FleetMix
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.signals.market import MarketSpec


@pytest.fixture(scope="session")
def day_spec() -> ScenarioSpec:
    """Eight homes with a battery each, four synthetic days a split, episodes of one day."""
    return ScenarioSpec(
        market=MarketSpec(train_days=4, validation_days=4, test_days=4),
        fleet=FleetSpec(homes=8, seed=3),
        episode_days=1,
    )


@pytest.fixture(scope="session")
def mixed_days(day_spec: ScenarioSpec) -> ScenarioSpec:
    """The same days and homes, of which every episode draws five."""
    return replace(day_spec, fleet_mix=FleetMix(homes=5))


@pytest.fixture(scope="session", params=["whole", "mixed"])
def any_days(
    request: pytest.FixtureRequest, day_spec: ScenarioSpec, mixed_days: ScenarioSpec
) -> ScenarioSpec:
    """What must hold whether all episodes have all homes or each its own."""
    return mixed_days if request.param == "mixed" else day_spec


@pytest.fixture(scope="session")
def car_days(day_spec: ScenarioSpec) -> ScenarioSpec:
    """Four homes with a car each, of both classes, and nothing else."""
    fleet = FleetSpec(homes=4, seed=5, battery_share=0.0, solar_share=0.0, ev_share=1.0)
    return replace(day_spec, name="ev_homes", fleet=fleet)


@pytest.fixture(scope="session")
def tariff_days(day_spec: ScenarioSpec) -> ScenarioSpec:
    """Six homes with sun behind the tariff of the example, some with a battery, some a car."""
    fleet = FleetSpec(homes=6, seed=5, battery_share=0.7, solar_share=1.0, ev_share=0.6)
    return replace(day_spec, name="solar_homes", fleet=fleet, tariff="example")
