"""What a scenario says of the links between the operator and the homes."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vpp_envs.communication.link import (
    LinkArchetypes,
    LinkTable,
    link_archetypes,
    link_table,
    reached,
)
from vpp_envs.errors import InputError
from vpp_envs.signals.market import MarketSignals

_BOUNDS = {"online": (0.01, 1.0), "offline_h": (0.1, 48.0), "loss": (0.0, 1.0)}


@dataclass(frozen=True)
class LinkSpec:
    """How good the links are; see `communication.link` for the usual numbers."""

    kinds: int = 0  # of links; homes of one kind go offline together; 0: all links are perfect
    seed: int = 0
    online: float | None = None  # share of time of every kind; none: 0.94 to 0.97
    offline_h: float | None = None  # mean time that a link stays away; none: 0.5 to 8 [h]
    loss: float | None = None  # of messages while it is up; none: 0.01 to 0.05

    def __post_init__(self) -> None:
        """Refuse links that cannot be."""
        if not 0 <= self.kinds <= 1024:
            raise InputError(
                f"scenario.links.kinds must be from 0 (perfect links) to 1024, got {self.kinds}."
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if self.kinds == 0 and value != field.default:
                raise InputError(
                    f"scenario.links.{field.name}={value} is about links that fail, and "
                    "scenario.links.kinds is 0, so that none does; say how many kinds there are, "
                    f"or leave {field.name} out."
                )
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise InputError(
                    f"scenario.links.{name} must lie between {least:g} and {most:g}, got {value}."
                )


def links_of(spec: LinkSpec, market: MarketSignals) -> LinkTable:
    """Tabulate what each kind of link does on the clock of a split, (T, K).

    Args:
        spec: With at least one kind.
        market: Clock of the split.
    """
    usual = link_archetypes(spec.kinds)
    given = (spec.online, spec.offline_h, spec.loss)
    kinds = LinkArchetypes(
        *(
            column if value is None else torch.full_like(column, value)
            for column, value in zip(usual, given, strict=True)
        )
    )
    return link_table(market.start_utc, market.clock_ticks, spec.seed, kinds=kinds)


def reached_table(spec: LinkSpec, market: MarketSignals) -> Tensor:
    """Tabulate whether the command of a tick arrives, (T, K) float32: 1 or 0.

    Args:
        spec: With at least one kind.
        market: Clock of the split.
    """
    table = links_of(spec, market)
    return reached(table.online, table.lost).float().repeat(market.copies + 1, 1)
