import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.hvac import HvacParams, heat_kw, machine_range, most_kw, power_for_kw


def column(value):
    return torch.tensor([float(value)], dtype=torch.float64)


def machine(cooling=12.0, heating=12.0, auxiliary=8.0):
    sizes = (cooling, heating, auxiliary, 3.5, 3.0, 0.3, 0.0)
    return HvacParams(*(column(size) for size in sizes))


YES, NO = torch.tensor([True]), torch.tensor([False])


@pytest.mark.reference
def test_the_curves_are_those_of_gridlab_d():
    """Values by hand from facts.md A5 at 95 F and 47 F."""
    hot = machine_range(column(35.0), machine())
    assert (hot.cool_kw * hot.cool_per_kw * 1.3).item() == pytest.approx(
        12.0 * (1.48924533 - 0.00514995 * 95), rel=1e-12
    )
    assert (hot.cool_per_kw * 1.3).item() == pytest.approx(
        3.5 / (-0.01363961 + 0.01066989 * 95), rel=1e-12
    )
    mild = machine_range(column((47 - 32) / 1.8), machine())
    heat = 12.0 * (0.34148808 + 0.00894102 * 47 + 0.00010787 * 47**2)
    cop = 3.0 / (2.03914613 - 0.03906753 * 47 + 0.00045617 * 47**2 - 2.03e-6 * 47**3)
    assert mild.heat_per_kw.item() == pytest.approx(cop, rel=1e-12)
    assert (mild.pump_kw * mild.heat_per_kw).item() == pytest.approx(heat, rel=1e-12)


@pytest.mark.reference
def test_efficiency_is_flat_below_40_and_above_80_degrees_fahrenheit():
    """The limits of the curves in facts.md A5."""
    cold, colder = (machine_range(column((f - 32) / 1.8), machine()) for f in (40, 30))
    assert cold.cool_per_kw.item() == colder.cool_per_kw.item()
    warm, warmer = (machine_range(column((f - 32) / 1.8), machine()) for f in (80, 90))
    assert warm.heat_per_kw.item() == pytest.approx(warmer.heat_per_kw.item(), rel=1e-12)
    # Both curves are 1 near the rating points, 95 F and 47 F, but not exactly.
    hot, mild = (machine_range(column((f - 32) / 1.8), machine()) for f in (95, 47))
    assert (hot.cool_kw * 3.5 / 12.0).item() == pytest.approx(1.0, abs=0.005)
    assert (hot.cool_per_kw * 1.3 / 3.5).item() == pytest.approx(1.0, abs=0.005)
    assert (mild.heat_per_kw / 3.0).item() == pytest.approx(1.0, abs=0.005)
    assert (mild.pump_kw * mild.heat_per_kw / 12.0).item() == pytest.approx(1.0, abs=0.005)


@settings(deadline=None)
@given(st.floats(-20.0, 45.0), st.floats(0.0, 1.0), st.booleans())
def test_power_and_heat_are_inverse_to_one_another(outdoor, share, cools):
    able, mode = machine_range(column(outdoor), machine()), YES if cools else NO
    power = share * most_kw(mode, able)
    heat = heat_kw(power, mode, able)
    assert (heat <= 0).item() if cools else (heat >= 0).item()
    torch.testing.assert_close(power_for_kw(heat, mode, able), power, rtol=1e-9, atol=1e-9)


def test_heat_of_the_wrong_sign_and_more_than_there_is():
    able = machine_range(column(0.0), machine())
    assert power_for_kw(column(-3.0), NO, able).item() == 0.0
    assert power_for_kw(column(3.0), YES, able).item() == 0.0
    assert power_for_kw(column(1e3), NO, able).item() == most_kw(NO, able).item()


@pytest.mark.parametrize("outdoor", [-40.0, -25.0, -10.0, 0.0, 10.0, 20.0])
def test_colder_air_gives_a_heat_pump_no_more_heat_and_no_better_efficiency(outdoor):
    one, warmer = (machine_range(column(t), machine()) for t in (outdoor, outdoor + 5.0))
    assert one.heat_per_kw <= warmer.heat_per_kw + 1e-12
    assert one.pump_kw * one.heat_per_kw <= warmer.pump_kw * warmer.heat_per_kw + 1e-12
    assert one.heat_per_kw > 0.9


def test_a_home_without_a_machine_moves_nothing():
    able = machine_range(column(30.0), machine(0, 0, 0))
    for mode in (YES, NO):
        assert most_kw(mode, able).item() == 0.0
        assert heat_kw(column(0.0), mode, able).item() == 0.0
