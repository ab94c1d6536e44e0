import pytest
import torch

from vpp_envs.communication.telemetry import (
    REPORT_INTERVAL_S,
    first_heard,
    hear,
    is_stale,
    report_delay_h,
)

DT_H = 1.0 / 12.0


def test_the_operator_sees_the_last_report_and_its_age():
    seen = first_heard(torch.tensor([1.0, 1.0]))
    arrives = torch.tensor([True, False])
    for value in (2.0, 3.0, 4.0):
        now = torch.full((2,), value)
        seen = hear(now, seen, arrives, torch.zeros(2), DT_H)
    assert seen.value.tolist() == [4.0, 1.0]
    assert seen.age_h.tolist() == pytest.approx([0.0, 0.25])
    assert is_stale(seen, 0.2).tolist() == [False, True]
    back = hear(torch.full((2,), 5.0), seen, ~arrives, torch.zeros(2), DT_H)
    assert back.value.tolist() == [4.0, 5.0]
    assert back.age_h.tolist() == pytest.approx([DT_H, 0.0])


def test_a_report_arrives_half_an_interval_old_and_later_by_its_latency():
    delay = report_delay_h(torch.tensor([6.0]), REPORT_INTERVAL_S["battery"])
    assert delay.item() == pytest.approx(36.0 / 3600.0)


def test_it_scripts():
    seen = first_heard(torch.zeros(3))
    scripted = torch.jit.script(hear)
    one, late = torch.ones(3), torch.full((3,), 0.01)
    assert scripted(one, seen, one > 0, late, DT_H).age_h.tolist() == pytest.approx([0.01] * 3)
