"""What the operator still sees of a home that does not answer: its last report, and its age."""

from typing import NamedTuple

import torch
from torch import Tensor

# Usual time between reports of a kind of device. [s] Batteries report to their cloud every 1 to
# 60 s, thermostats every 5 minutes, chargers every minute, smart meters once a day for the day
# before; market operators ask a fleet for a value every 5 minutes (from memory, but for the last).
REPORT_INTERVAL_S = {
    "battery": 60.0,
    "ev": 60.0,
    "hvac": 300.0,
    "water_heater": 300.0,
    "meter": 86_400.0,
    "fleet": 300.0,
}


class Heard(NamedTuple):
    """The last report of each home about one quantity, (..., N)."""

    value: Tensor
    age_h: Tensor  # since it was true [h]


def first_heard(now: Tensor) -> Heard:
    """All homes have just reported.

    Args:
        now: What is true, (..., N).
    """
    return Heard(now, torch.zeros_like(now))


def hear(now: Tensor, before: Heard, arrives: Tensor, delay_h: Tensor, dt_h: float) -> Heard:
    """Take in the reports of a step.

    Args:
        now: What is true at the end of the step, (..., N).
        before: Last reports at its start, (..., N).
        arrives: A report came through, (..., N) bool.
        delay_h: Age of a report when it arrives: latency, and half of the reporting interval on
            average, (..., N). [h]
        dt_h: Length of the step. [h]
    """
    return Heard(
        torch.where(arrives, now, before.value),
        torch.where(arrives, delay_h + torch.zeros_like(now), before.age_h + dt_h),
    )


def is_stale(heard: Heard, most_h: float) -> Tensor:
    """Whether a report is too old to be trusted, (..., N) bool.

    Args:
        heard: Last reports, (..., N).
        most_h: Greatest age that is trusted. [h]
    """
    return heard.age_h > most_h


def report_delay_h(latency_s: Tensor, interval_s: float) -> Tensor:
    """Mean age of a report when it arrives, (..., N). [h]

    Args:
        latency_s: Of the link, (..., N). [s]
        interval_s: Between reports. [s]
    """
    return (latency_s + 0.5 * interval_s) / 3600.0
