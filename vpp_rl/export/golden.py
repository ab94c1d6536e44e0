"""Random fleets and signals, and what a controller answers: the golden pairs of an artifact."""

import numpy as np
import torch
from torch import Tensor

from vpp_rl.export.controller import Controller

GOLDEN_FLEETS = 64


def random_fleet(homes: int, generator: torch.Generator) -> Tensor:
    """Random telemetry of a fleet, (N, 13) float32: homes with and without battery and solar.

    Args:
        homes: Number of homes.
        generator: Source of the draws.
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
    return torch.stack(columns, -1)


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


def golden_pairs(controller: Controller) -> dict[str, np.ndarray]:
    """Inputs and in-process answers of `GOLDEN_FLEETS` random fleets, homes stacked.

    Args:
        controller: Not scripted.
    """
    generator = torch.Generator().manual_seed(0)
    sizes, telemetry, signals, nodes, answers = [], [], [], [], []
    for index in range(GOLDEN_FLEETS):
        homes = 1 + (index * 37) % 200
        fleet = random_fleet(homes, generator)
        vector, forecast = random_signals(generator)
        answers.append(controller(fleet, vector, forecast, controller.curves(forecast)))
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
