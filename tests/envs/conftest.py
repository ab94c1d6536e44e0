import pytest

from vpp_envs.fleet.sampling import FleetSpec
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.signals.market import MarketSpec


@pytest.fixture(scope="session")
def small_spec() -> ScenarioSpec:
    """Eight mixed homes on four synthetic days a split."""
    return ScenarioSpec(
        market=MarketSpec(train_days=4, validation_days=4, test_days=4),
        fleet=FleetSpec(homes=8, seed=3, battery_share=0.8),
    )
