"""Random fleets and signals, and what a controller answers: the golden pairs of an artifact."""

import copy
import math

import numpy as np
import torch
from torch import Tensor

from vpp_rl.export.cars import NO_CAR
from vpp_rl.export.controller import Controller
from vpp_rl.export.script import curves_of
from vpp_rl.export.telemetry import CAR_COLUMNS, COLUMNS

GOLDEN_FLEETS = 64
_MOST_HOMES = 200  # of a golden fleet
_FLEETS_PER_FORECAST = 8
# A golden answer may not hang on the last digit, which another processor rounds differently.
_SETTLED = 1e-4


def random_fleet(homes: int, generator: torch.Generator, cars: bool = False) -> Tensor:
    """Random telemetry of a fleet, float32: homes with and without battery, solar and car.

    Args:
        homes: Number of homes.
        generator: Source of the draws.
        cars: Whether the columns of the cars follow, (N, 26); else (N, 13).
    """

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(homes, generator=generator)

    has_battery = torch.rand(homes, generator=generator) < 0.9
    one, zero = torch.ones(homes), torch.zeros(homes)
    capacity = torch.where(has_battery, draw(4.0, 40.0), one)
    power = torch.where(has_battery, capacity / draw(0.8, 5.0), zero)
    reserve = torch.where(has_battery, capacity * draw(0.0, 0.8), zero)
    energy = torch.where(has_battery, reserve + (capacity - reserve) * draw(-0.1, 1.0), zero)
    solar = torch.where(draw(0.0, 1.0) < 0.7, draw(2.0, 12.0), zero)
    columns = [
        energy.clamp(min=0.0),
        draw(0.1, 6.0),
        solar * draw(0.0, 1.0),
        solar,
        capacity,
        power * draw(0.5, 1.0),
        power,
        torch.where(has_battery, draw(0.9, 0.98), one),
        torch.where(has_battery, draw(0.01, 0.03), zero),
        torch.where(has_battery, draw(0.03, 0.08), zero),
        reserve,
        draw(4.0, 20.0),
        draw(0.0, 10.0),
    ]
    if cars:
        columns += _random_cars(homes, generator)
    return torch.stack(columns, -1)


def _random_cars(homes: int, generator: torch.Generator) -> list[Tensor]:
    """Columns of random cars: away, early and late, able to give back or not, managed or not."""

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(homes, generator=generator)

    zero = torch.zeros(homes)
    capacity, charge, step = draw(20.0, 130.0), draw(1.5, 19.0), draw(1.3, 1.5)
    gives = draw(0.0, 1.0) < 0.5
    eff, taper, wear = draw(0.85, 0.95), draw(0.7, 1.0), draw(0.0, 0.1)
    target = draw(0.5, 0.95)
    minimum = target * torch.where(gives, draw(0.0, 0.9), zero)
    # Whole intervals; three of ten leave within two hours.
    ticks = (12.0 * torch.where(draw(0.0, 1.0) < 0.3, draw(0.0, 2.0), draw(0.0, 30.0))).round()
    own = [
        capacity * draw(0.05, 1.0),
        torch.where(draw(0.0, 1.0) < 0.7, ticks / 12.0, zero),
        capacity,
        charge,
        torch.where(gives, draw(1.0, 10.0), zero),
        step,
        eff,
        eff * draw(0.95, 1.0),
        taper,
        wear,
        target * capacity,
        minimum * capacity,
        (draw(0.0, 1.0) < 0.9).float(),
    ]
    has_car = draw(0.0, 1.0) < 0.8
    return [torch.where(has_car, o, none) for o, none in zip(own, NO_CAR, strict=True)]


def random_signals(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random signal vector, (7,), and forecast nodes, (48, 11), float32."""

    def price(*shape: int) -> Tensor:
        body = 80.0 + 60.0 * torch.randn(*shape, generator=generator)
        spike = torch.rand(*shape, generator=generator) < 0.05
        return torch.where(spike, body.abs() * 40.0, body)

    nodes = torch.sort(price(48, 11), -1).values
    now = price(4)
    clock = torch.rand(3, generator=generator) * torch.tensor([24.0, 365.0, 1.0])
    clock = torch.stack([clock[0], clock[1].floor() + 1.0, clock[2].round()])
    return torch.cat([now[:3], now[3:].abs(), clock]), nodes


def with_gaps(telemetry: Tensor, generator: torch.Generator) -> Tensor:
    """Telemetry with a number missing, infinite or impossible in about one home of fifty.

    Args:
        telemetry: Of a fleet, (N, columns).
        generator: Source of the draws.
    """
    homes, columns = telemetry.shape
    gap = torch.rand(homes, generator=generator) < 0.02
    column = torch.randint(columns, (homes,), generator=generator)
    faults = torch.tensor([math.nan, math.inf, -math.inf, -1e9])
    fault = faults[torch.randint(len(faults), (homes,), generator=generator)]
    here = gap.unsqueeze(-1) & (torch.arange(columns) == column.unsqueeze(-1))
    return torch.where(here, fault.unsqueeze(-1), telemetry)


def with_swaps(telemetry: Tensor, generator: torch.Generator) -> Tensor:
    """Telemetry with two columns for each other in about one home of fifty.

    It is capacity and reserve; in as many other homes, the target of the car and the capacity or
    the minimum.

    Args:
        telemetry: Of a fleet, (N, columns).
        generator: Source of the draws.
    """
    pairs = [("capacity_kwh", "reserve_kwh")]
    if telemetry.shape[1] > len(COLUMNS):
        pairs += [("ev_target_kwh", "ev_capacity_kwh"), ("ev_target_kwh", "ev_minimum_kwh")]
    for one, other in pairs:
        swap = torch.rand(len(telemetry), generator=generator) < 0.02
        order = list(range(telemetry.shape[1]))
        left, right = CAR_COLUMNS.index(one), CAR_COLUMNS.index(other)
        order[left], order[right] = right, left
        telemetry = torch.where(swap.unsqueeze(-1), telemetry[:, order], telemetry)
    return telemetry


def difference(answer: Tensor, expected: Tensor, telemetry: Tensor) -> float:
    """Largest difference of two answers, as a share of each home's rating; inf if only one is NaN.

    Args:
        answer: Set-points, (N, 5) or (N, 8).
        expected: Set-points, of the same shape.
        telemetry: That both answer, (N, 13) or (N, 26).
    """
    known = telemetry.nan_to_num(0.0, 0.0, 0.0).to(expected.dtype)
    battery_kw, solar_kw = known[:, 5:7].amax(-1), known[:, 3]
    one = torch.ones_like(solar_kw)
    ratings = [battery_kw, solar_kw, battery_kw, battery_kw, one]
    if telemetry.shape[1] > len(COLUMNS):
        first = CAR_COLUMNS.index("ev_charge_kw")  # and the limit of discharge after it
        ratings += [known[:, first : first + 2].amax(-1)] * 3
    # A rating below 1 kW, or none, counts as 1 kW.
    rating = torch.stack(ratings, -1).clamp(min=1.0)
    same = (answer == expected) | (answer.isnan() & expected.isnan())
    gap = torch.where(same, 0.0, (answer - expected).abs() / rating)
    return float(gap.nan_to_num(math.inf).max())


def golden_pairs(controller: Controller) -> dict[str, np.ndarray]:
    """Inputs and in-process answers of `GOLDEN_FLEETS` random fleets, homes stacked.

    Args:
        controller: Not scripted.

    Returns:
        ``homes`` (G,), ``telemetry`` (sum of homes, 13 or 26), ``signals`` (G, 7),
        ``nodes_per_mwh`` (G, H, Q) and ``set_points`` (sum of homes, 5 or 8).
    """
    generator = torch.Generator().manual_seed(0)
    exact = copy.deepcopy(controller).double()
    sizes: list[int] = []
    telemetry, signals, nodes, answers = [], [], [], []
    while len(sizes) < GOLDEN_FLEETS:
        if len(sizes) % _FLEETS_PER_FORECAST == 0:
            forecast = random_signals(generator)[1]
        homes = round(_MOST_HOMES ** (len(sizes) / (GOLDEN_FLEETS - 1)))
        fleet = random_fleet(homes, generator, controller.cars is not None)
        fleet = with_swaps(with_gaps(fleet, generator), generator)
        vector = random_signals(generator)[0]
        answer = controller(fleet, vector, forecast, *curves_of(controller, forecast))
        finer = forecast.double()
        settled = exact(fleet.double(), vector.double(), finer, *curves_of(exact, finer))
        if difference(answer.double(), settled, fleet) > _SETTLED:
            continue
        answers.append(answer)
        sizes.append(homes)
        telemetry.append(fleet)
        signals.append(vector)
        nodes.append(forecast)
    return {
        "homes": np.array(sizes),
        "telemetry": torch.cat(telemetry).numpy(),
        "signals": torch.stack(signals).numpy(),
        "nodes_per_mwh": torch.stack(nodes).numpy(),
        "set_points": torch.cat(answers).numpy(),
    }
