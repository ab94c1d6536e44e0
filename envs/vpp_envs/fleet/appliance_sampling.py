"""Sample machines with jobs: how long, how strong, and whether others may choose the hour."""

import torch
from torch import Tensor

from vpp_envs.devices.appliance import ApplianceParams, duration_s
from vpp_envs.errors import InputError
from vpp_envs.flexible.appliance_parts import (
    APPLIANCES,
    ApplianceAgreement,
    ApplianceFleet,
    ApplianceType,
)
from vpp_envs.random import Purpose, uniform

APPLIANCE_ARCHETYPES = 64


def sample_appliances(
    seed: int, home: Tensor, present: Tensor, name: str, managed_share: float = 1.0
) -> ApplianceFleet:
    """Sample the machines of one type, float64, (N,).

    Length and energy of a job are uniform over the type's ranges (an assumption), which stretches
    the type's profile in time and in power alike.

    Args:
        seed: Of the fleet.
        home: Ids, (N,) int64.
        present: Which homes have such a machine, (N,) bool.
        name: Of the type: one of `APPLIANCES`.
        managed_share: Of the owners who let others choose when a job starts.

    Raises:
        InputError: There is no such type.
    """
    if name not in APPLIANCES:
        raise InputError(f"appliance '{name}' is none of {', '.join(APPLIANCES)}; write one.")
    kind = APPLIANCES[name]

    def draw(purpose: int) -> Tensor:
        return uniform(seed, 0, home, kind.number, purpose)

    def between(edges: tuple[float, float], purpose: int) -> Tensor:
        return edges[0] + (edges[1] - edges[0]) * draw(purpose)

    shape = torch.tensor(kind.block_kw, dtype=torch.float64)
    blocks = len(kind.block_kw)
    length_h = between(kind.length_h, Purpose.FLEET_APPLIANCE_LENGTH)
    energy_kwh = _possible_kwh(
        between(kind.energy_kwh, Purpose.FLEET_APPLIANCE_ENERGY), length_h, kind
    )
    one = torch.ones_like(length_h)
    block_s = torch.where(present, torch.round(3600.0 * length_h / blocks), one)
    energy_kwh = torch.where(present, energy_kwh, 0.0 * one)
    block_kw = (shape / shape.sum()) * (energy_kwh / (block_s / 3600.0)).unsqueeze(-1)
    managed = present & (draw(Purpose.FLEET_APPLIANCE_MANAGED) < managed_share)
    column = draw(Purpose.FLEET_APPLIANCE_ARCHETYPE) * APPLIANCE_ARCHETYPES
    fleet = ApplianceFleet(
        cycle_params(block_kw, block_s, kind.pausable_from),
        block_kw.max(-1).values,
        kind.cohort.slack_h * one,
        ApplianceAgreement(managed.double()),
        column.to(torch.int64) * present,
        torch.where(managed, torch.zeros_like(home), torch.full_like(home, -1)),
    )
    check_appliances(fleet, f"{name} of a sampled home")
    return fleet


def cycle_params(block_kw: Tensor, block_s: Tensor, pausable_from: float) -> ApplianceParams:
    """Constants of machines from the power of their cycle's blocks.

    Args:
        block_kw: Mean power of each block, (N, K). [kW]
        block_s: Length of a block, whole seconds, (N,). [s]
        pausable_from: Share of the job from which it may pause; 1: never once started.
    """
    drawn_kwh = (block_kw * (block_s / 3600.0).unsqueeze(-1)).cumsum(-1)
    drawn_kwh = torch.nn.functional.pad(drawn_kwh, (1, 0))
    machine = ApplianceParams(drawn_kwh, block_s, torch.zeros_like(block_s))
    return machine._replace(pausable_from_s=torch.round(pausable_from * duration_s(machine)))


def check_appliances(fleet: ApplianceFleet, where: str) -> None:
    """Refuse cycles that no machine runs through.

    Args:
        fleet: (N,).
        where: Of the machine, for the error.

    Raises:
        InputError: A block has no length of whole seconds, energy falls within a job, or a job
            begins without power.
    """
    machine, exists = fleet.params, fleet.rated_kw > 0
    uneven = (machine.block_s < 1.0) | (machine.block_s != machine.block_s.round())
    for home in torch.nonzero(uneven)[:1].flatten().tolist():
        raise InputError(
            f"{where} {home}: block_s must be whole seconds, got {float(machine.block_s[home]):g};"
            " round it."
        )
    steps_kwh = machine.drawn_kwh.diff(dim=-1)
    for home in torch.nonzero((steps_kwh < 0).any(-1))[:1].flatten().tolist():
        raise InputError(
            f"{where} {home}: a block of its cycle has power below 0; give at least 0 in each."
        )
    # It could not be told from a machine that waits.
    for home in torch.nonzero(exists & (steps_kwh[:, 0] <= 0))[:1].flatten().tolist():
        raise InputError(
            f"{where} {home}: its cycle begins with a block without power; cut that block off."
        )


def _possible_kwh(energy_kwh: Tensor, length_h: Tensor, kind: ApplianceType) -> Tensor:
    """Keep the power of a job within a fifth of its type's, (N,). [kWh]"""
    shape_h = kind.block_h * len(kind.block_kw)
    usual_kwh = sum(kind.block_kw) * kind.block_h * length_h / shape_h
    return torch.minimum(torch.maximum(energy_kwh, 0.8 * usual_kwh), 1.2 * usual_kwh)
