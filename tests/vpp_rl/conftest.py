import pytest

from vpp_envs.fleet.sampling import FleetSpec
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
