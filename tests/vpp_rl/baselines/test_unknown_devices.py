"""What a table does not say is refused, not left out; and impossible weather is."""

from dataclasses import replace

import pytest

from vpp_envs.errors import InputError
from vpp_envs.fleet.sampling import sample_fleet
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.fleet.table import write_fleet
from vpp_rl.cli.fleet_view import fleet_view

FLEET = FleetSpec(homes=6, water_heater_share=1.0, hvac_share=1.0)


def test_gas_beside_a_heat_pump_is_refused_and_no_table_written(tmp_path):
    fleet = sample_fleet(replace(FLEET, heat_pump_share=1.0))
    houses = fleet.flexible.hvac
    params = houses.params._replace(burner=houses.params.burner + 1.0)
    both = fleet.flexible._replace(hvac=houses._replace(params=params))
    with pytest.raises(InputError, match="burn gas, or have a heat pump"):
        write_fleet(fleet._replace(flexible=both), tmp_path / "homes.csv")
    assert list(tmp_path.iterdir()) == []


def test_they_are_described():
    text = [part for part in fleet_view(sample_fleet(FLEET), "six") if isinstance(part, str)]
    for title in ("Hot water tank, L", "House to outdoors, W/K", "Cooling set-point, C"):
        assert any(title in part for part in text)


@pytest.mark.parametrize("wrong", [{"design_summer_c": 500.0}, {"design_winter_c": -60.0}])
def test_machines_for_impossible_weather_are_refused(wrong):
    with pytest.raises(InputError, match=f"fleet.{next(iter(wrong))} must lie between"):
        FleetSpec(**wrong)
