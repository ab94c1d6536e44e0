"""What single stays of cars cost, beside what they would have cost in their cheapest intervals."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from vpp_envs.fleet.fleet import EvFleet


class StayCosts(NamedTuple):
    """Sums over the whole stays of a window, (B,) each."""

    cost: np.ndarray  # of the energy that was charged [currency]
    optimum: np.ndarray  # of the energy that was needed, in the cheapest intervals [currency]
    stays: np.ndarray  # counted: whole, of cars that only charge, to their declared departure


def stay_costs(
    energy_kwh: Tensor, ticks_left: Tensor, price_per_kwh: Tensor, ev: EvFleet, dt_h: float
) -> StayCosts:
    """Compare each stay with its own offline optimum.

    The optimum knows the prices of the stay and charges what is missing to the target at full
    power in the cheapest intervals; it neither slows down near full nor minds the least current.
    Hardly a policy is below it (one that fills a car beyond its target at a price below 0 may be).
    Only cars without vehicle-to-grid count, for which a stay stands by itself, and stays that lie
    wholly in the window and last as declared.

    Args:
        energy_kwh: Stored at the start of each interval and at the end of the last, (T + 1, B, N).
        ticks_left: Intervals to the declared departure, 0 = away, (T, B, N).
        price_per_kwh: Of each interval, (T, B). [currency/kWh]
        ev: Constants of the cars, (N,).
        dt_h: Length of an interval. [h]
    """
    energy, left = energy_kwh.double().numpy(), ticks_left.long().numpy()
    price = price_per_kwh.double().numpy()
    counted = ((ev.params.discharge_kw <= 0) & (ev.cohort >= 0)).numpy()
    power_kw, eff = ev.params.charge_kw.numpy(), ev.params.charge_eff.numpy()
    target = ev.agreement.target_kwh.numpy()
    rows = energy.shape[1]
    sums = StayCosts(np.zeros(rows), np.zeros(rows), np.zeros(rows, dtype=np.int64))
    for row in range(rows):
        for home in np.flatnonzero(counted):
            for first, end in _whole_stays(left[:, row, home]):
                stored = np.diff(energy[first : end + 1, row, home])
                during = price[first:end, row]
                needed = max(target[home] - energy[first, row, home], 0.0) / eff[home]
                sums.cost[row] += float((stored / eff[home] * during).sum())
                sums.optimum[row] += _cheapest(during, needed, power_kw[home] * dt_h)
                sums.stays[row] += 1
    return sums


def _whole_stays(left: np.ndarray) -> list[tuple[int, int]]:
    """First tick and tick after the last of stays that begin and end, as declared, in a window."""
    stays = []
    # A stay begins where what is left is not what it was, less one.
    starts = np.flatnonzero((left[1:] > 0) & (left[1:] != left[:-1] - 1)) + 1
    for start in starts.tolist():
        end = start + int(left[start])
        # Whoever left early, or is still there, has no price of its own.
        if np.array_equal(left[start:end], np.arange(left[start], 0, -1)):
            stays.append((start, end))
    return stays


def _cheapest(price: np.ndarray, energy_kwh: float, most_kwh: float) -> float:
    """Cost of an energy in the cheapest intervals; what they cannot hold is left out."""
    ordered = np.sort(price)
    wanted = np.clip(energy_kwh - most_kwh * np.arange(len(ordered)), 0.0, most_kwh)
    return float((ordered * wanted).sum())
