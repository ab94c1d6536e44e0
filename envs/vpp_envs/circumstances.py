"""What may stand between an operator and the homes: owners, links, and a grid that is away.

Each is a part of a scenario that may be absent, and then nothing is computed for it.
"""

from dataclasses import dataclass

from torch import Tensor

from vpp_envs.communication.link import sample_links
from vpp_envs.communication.settings import LinkSpec, reached_table
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.outage.settings import OutageSpec, dark_table
from vpp_envs.outage.table import sample_feeders
from vpp_envs.people.settings import PeopleSpec, owners_of, people_table
from vpp_envs.people.step import PeopleRows
from vpp_envs.signals.market import MarketSignals


@dataclass(frozen=True)
class Circumstances:
    """What a scenario knows of them by tick."""

    out: Tensor | None = None  # 1 where a feeder is dark, (T, K); none: they never are
    reached: Tensor | None = None  # 1 where a command arrives, (T, K); none: everywhere
    people: PeopleRows | None = None  # (T, 1); none: nobody is asked

    @property
    def absent(self) -> bool:
        """Whether every home can be commanded at any time."""
        return self.out is None and self.reached is None and self.people is None


def circumstances_of(
    people: PeopleSpec, links: LinkSpec, outages: OutageSpec, fleet: Fleet, market: MarketSignals
) -> tuple[Fleet, Circumstances]:
    """Give homes their owners, links and feeders, and tabulate what happens to them.

    Args:
        people: Of the scenario.
        links: Of the scenario.
        outages: Of the scenario.
        fleet: The homes, (N,).
        market: Prices, clock and days of the split.

    Returns:
        The same homes with what they have of it, and the tables.
    """
    home, out, reached, rows = fleet.home_id, None, None, None
    if people.enrolled_share is not None:
        fleet = fleet._replace(people=owners_of(people, home))
        rows = people_table(people, market)
    if links.kinds:
        fleet = fleet._replace(link=sample_links(links.seed, home, links.kinds))
        reached = reached_table(links, market)
    if outages.feeders:
        fleet = fleet._replace(feeder=sample_feeders(outages.seed, home, outages.feeders))
        out = dark_table(outages, market)
    return fleet, Circumstances(out, reached, rows)
