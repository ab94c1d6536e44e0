"""What a scenario says of interruptions of the grid."""

from dataclasses import dataclass, fields

from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.outage.table import OutageRates, checked_rates, outage_table
from vpp_envs.signals.market import MarketSignals


@dataclass(frozen=True)
class OutageSpec:
    """How often and how long the grid is away; see `outage.table` for the usual numbers."""

    feeders: int = 0  # whose homes go dark together; 0: the grid is never away
    seed: int = 0
    interruptions_a_year: float = 1.2  # of each feeder
    mean_h: float = 2.0  # length of an interruption [h]
    deviation: float = 1.0  # of the logarithm of the length

    def __post_init__(self) -> None:
        """Refuse interruptions that cannot be."""
        if not 0 <= self.feeders <= 1024:
            raise InputError(
                "scenario.outages.feeders must be from 0 (the grid never fails) to 1024, got "
                f"{self.feeders}."
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if self.feeders == 0 and value != field.default:
                raise InputError(
                    f"scenario.outages.{field.name}={value} is about interruptions, and "
                    "scenario.outages.feeders is 0, so that there are none; say how many feeders "
                    f"there are, or leave {field.name} out."
                )
        checked_rates(self.rates)

    @property
    def rates(self) -> OutageRates:
        """How often and how long."""
        return OutageRates(self.interruptions_a_year, self.mean_h, self.deviation)


def dark_table(spec: OutageSpec, market: MarketSignals) -> Tensor:
    """Tabulate where the grid is away, (T, K) float32: 1 or 0.

    Args:
        spec: With at least one feeder.
        market: Clock of the split.
    """
    table = outage_table(market.start_utc, market.clock_ticks, spec.seed, spec.feeders, spec.rates)
    return table.repeat(market.copies + 1, 1)
