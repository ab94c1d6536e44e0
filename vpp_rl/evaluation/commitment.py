"""What a fleet may promise for an event, learnt from earlier events and tried on later ones.

The promise is made before the event, from the homes' last reports and from how earlier events went
(`people.capability.foretell`); it is then held against what was delivered. Events that teach and
events that test are days apart, and so are their owners' draws.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.communication.settings import LinkSpec
from vpp_envs.errors import InputError
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.outage.settings import OutageSpec
from vpp_envs.people.capability import Capability, Reliability, foretell
from vpp_envs.scenario import ScenarioSpec, build_scenario, split_homes
from vpp_envs.signals.randomised import Randomisation
from vpp_rl.evaluation.event_play import REASONS, PlayedEvents, Timing, event_starts, play_events
from vpp_rl.evaluation.statistics import Interval, wilson_interval

# What is usual where a scenario says nothing of owners, links or feeders.
_LINK_KINDS, _FEEDERS = 64, 16
_MOST_DAYS = 3600


@dataclass(frozen=True)
class Trial:
    """How a promise is tried."""

    events: int = 600  # that test it, on the last days
    history: int = 400  # that teach it, on the days before
    chance: float = 0.1  # of delivering less than promised [0 to 1]
    seed: int = 0  # of owners' draws and first fills
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        """Refuse trials that tell nothing."""
        if self.events < 1:
            raise InputError(f"events must be at least 1, got {self.events}.")
        if self.history < 30:
            raise InputError(
                f"history must be at least 30 events, else there is nothing to learn from, got "
                f"{self.history}."
            )
        if self.history + self.events > _MOST_DAYS:
            raise InputError(
                f"history and events take a day each and together at most {_MOST_DAYS:,}, got "
                f"{self.history + self.events:,}."
            )
        if not 0.0 < self.chance < 1.0:
            raise InputError(
                f"chance must lie between 0 and 1, such as 0.1 for a promise that nine events in "
                f"ten keep, got {self.chance:g}."
            )


class Experience(NamedTuple):
    """What earlier events taught, by whether a home answered at the promise: (2,), silent first."""

    opt_out: Tensor  # share of planned power whose owners stayed out [0 to 1]
    nothing: Tensor  # of the rest, that gave nothing [0 to 1]
    limited: Tensor  # of what is then left, that gave less than planned [0 to 1]
    limited_share: Tensor  # that it gave on average [0 to 1]
    common_deviation: Tensor  # of what strikes all homes alike, as a share of the mean, ()


class Commitment(NamedTuple):
    """A promise, and what came of it in E events."""

    capability: Capability  # foretold before each event, (E,) [kW]
    given_kw: Tensor  # mean power over the event, (E,) [kW]
    missing_kw: Tensor  # to what was planned, by reason, (E, R) [kW]
    met: Interval  # share of events in which the promise was kept, Wilson 95 %
    experience: Experience
    homes: int
    history: int


def usual_circumstances(spec: ScenarioSpec, days: int) -> ScenarioSpec:
    """A scenario with an event every day, and with usual owners, links and feeders.

    Args:
        spec: Whatever it says of them stays.
        days: Of the split, where prices are synthetic.
    """
    people = spec.people
    if people.enrolled_share is None:
        people = replace(people, enrolled_share=1.0)
    market = spec.market
    if market.prices is None:
        market = replace(market, train_days=days)
    return replace(
        spec,
        market=market,
        people=replace(people, event_days=days),
        links=spec.links if spec.links.kinds else LinkSpec(kinds=_LINK_KINDS),
        outages=spec.outages if spec.outages.feeders else OutageSpec(feeders=_FEEDERS),
        fleet_mix=FleetMix(),
        randomisation=Randomisation(),
    )


def try_commitment(spec: ScenarioSpec, trial: Trial) -> Commitment:
    """Learn from events of the first days, promise for those of the last ones, and count.

    Args:
        spec: The scenario; what it does not say of owners, links and feeders is usual.
        trial: How the promise is tried.

    Raises:
        InputError: No home has a battery, or recorded prices have too few days.
    """
    # Said before years of days are built.
    if not bool((split_homes(spec, "train").cohort >= 0).any()):
        raise InputError("no home has a battery, so that there is nothing to promise.")
    # A day more, because load and sun are expected to be those of the day before.
    wanted = trial.history + trial.events
    scenario = build_scenario(usual_circumstances(spec, wanted + 1), "train")
    starts = event_starts(scenario)
    starts = starts[starts >= int(scenario.start_ticks[0]) + scenario.ticks_per_day]
    if len(starts) < wanted:
        raise InputError(
            f"history + events is {wanted}, an event a day, and the training days hold "
            f"{len(starts)}: ask for fewer, or give more days."
        )
    past, coming = starts[: trial.history], starts[-trial.events :]
    experience = learn(play_events(scenario, past, trial.seed, trial.timing))
    played = play_events(scenario, coming, trial.seed + trial.history, trial.timing)
    foretold = promise(played.planned_kw, played.heard, experience, trial.chance)
    given_kw = played.given_kw.sum(-1)
    kept = int((given_kw >= foretold.p10_kw).sum())
    return Commitment(
        foretold,
        given_kw,
        played.missing_kw,
        wilson_interval(kept, trial.events),
        experience,
        len(scenario.fleet.home_id),
        trial.history,
    )


def learn(past: PlayedEvents) -> Experience:
    """Learn rates from events, weighted by planned power, and what strikes all homes alike.

    The common deviation is what the fleet's sums vary beyond homes that fail one by one: links of
    one kind, homes of one feeder, a day's weather.

    Args:
        past: Events, (E, N).
    """
    groups = []
    for answered in (False, True):
        weight_kw = past.planned_kw * (past.heard == answered)
        groups.append(_rates(weight_kw, past))
    opt_out, nothing, limited, left = (torch.stack(rates) for rates in zip(*groups, strict=True))
    alone = Experience(opt_out, nothing, limited, left, torch.zeros(()).double())
    foretold = promise(past.planned_kw, past.heard, alone, 0.5)
    error_kw = past.given_kw.sum(-1) - foretold.mean_kw
    beyond = (error_kw.square() - foretold.std_kw.square()).mean().clamp(min=0.0)
    return alone._replace(common_deviation=(beyond / foretold.mean_kw.square().mean()).sqrt())


def promise(planned_kw: Tensor, heard: Tensor, experience: Experience, chance: float) -> Capability:
    """Foretell what events will give, before they begin.

    Args:
        planned_kw: Of each home, (E, N). [kW]
        heard: Homes that answered at the promise, (E, N) bool.
        experience: From `learn`.
        chance: Of giving less than `p10_kw`. [0 to 1]
    """
    group = heard.to(torch.int64)
    x = experience
    rates = (x.opt_out, x.nothing, x.limited, x.limited_share)
    homes = Reliability(*(rate[group] for rate in rates))
    # Latency is in the experience already.
    in_time = torch.zeros(1, dtype=planned_kw.dtype)
    return foretell(planned_kw, homes, in_time, float(x.common_deviation), chance)


def shortfall_kw(commitment: Commitment) -> dict[str, tuple[float, float]]:
    """Mean power missing by reason, in all events and in those that broke the promise. [kW]

    Args:
        commitment: From `try_commitment`.
    """
    broken = commitment.given_kw < commitment.capability.p10_kw
    missing = commitment.missing_kw
    of_all = missing.mean(0).tolist()
    of_broken = missing[broken].mean(0).tolist() if bool(broken.any()) else [0.0] * len(REASONS)
    return dict(zip(REASONS, zip(of_all, of_broken, strict=True), strict=True))


def _rates(weight_kw: Tensor, past: PlayedEvents) -> tuple[Tensor, ...]:
    """Rates of one group of homes, weighted by planned power."""
    joins_kw = weight_kw * ~past.opted_out
    gives_kw = joins_kw * (past.given_kw > 0)
    partly_kw = gives_kw * (past.given_kw < past.planned_kw * (1.0 - 1e-9))
    left_kw = (past.given_kw * (partly_kw > 0)).sum()
    return (
        1.0 - _share(joins_kw.sum(), weight_kw.sum()),
        1.0 - _share(gives_kw.sum(), joins_kw.sum()),
        _share(partly_kw.sum(), gives_kw.sum()),
        _share(left_kw, partly_kw.sum()),
    )


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """A part of a whole, all of it where there is none. [0 to 1]"""
    return torch.where(whole > 0, part / whole.clamp(min=1e-12), torch.ones_like(whole))
