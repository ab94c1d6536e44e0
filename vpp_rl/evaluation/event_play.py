"""Many events of one fleet through the environment's own step, a row an event.

Each event is a day of its own. Some hours before it the batteries are charged; then the operator
looks at the last reports of the homes and plans for each a power that lasts for the event's length,
lower where load and sun leave its connection less. During the event every home is asked for its
plan, every five minutes, and what is missing is booked by its reason. Links, owners and feeders do
what the scenario's tables and draws say. Cars and flexible devices stand by.

The step has one power, so that it knows no latency: what an event's first command comes late by is
taken off afterwards.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.communication.link import LinkTable, late_share
from vpp_envs.communication.settings import links_of
from vpp_envs.communication.telemetry import (
    REPORT_INTERVAL_S,
    first_heard,
    hear,
    report_delay_h,
)
from vpp_envs.dispatch.envelope import battery_range
from vpp_envs.dispatch.moment import Moment
from vpp_envs.errors import InputError
from vpp_envs.fleet.pick import column_of_each
from vpp_envs.kernels import look, rows_at
from vpp_envs.people.capability import event_kw
from vpp_envs.people.programme import takes_part
from vpp_envs.scenario import Scenario
from vpp_envs.signals.market import TICKS_PER_DAY
from vpp_envs.simulator import Outcome, SetPoints
from vpp_envs.transition import advance
from vpp_envs.vector_env import FleetVectorEnv

# Why power was missing, the first that applies to a home in a step.
REASONS = (
    "interruption",  # the grid was away
    "offline",  # the link was down
    "lost",  # the link was up and lost the message
    "opt-out",  # the owner stayed out of the event
    "override",  # and left it
    "not called",  # limits, quiet hours, or left the programme
    "late",  # the first command took its time
    "energy",  # the battery had less than was planned
    "connection",  # the home's connection took less than was planned
)
_HALF_HOUR = 6  # ticks
_BLOCK = 64  # events at once
_BLOCK_HOMES = 16_384  # of all of them: what a core's own cache holds


@dataclass(frozen=True)
class Timing:
    """When an operator prepares and promises."""

    prepare_h: float = 4.0  # how long batteries are charged, before the promise [h]
    lead_h: float = 1.0  # from the promise to the event, in which they rest [h]

    def __post_init__(self) -> None:
        """Refuse what does not fit into the day before an event."""
        for name in ("prepare_h", "lead_h"):
            hours = getattr(self, name)
            if not 1.0 / 12.0 <= hours <= 10.0:
                raise InputError(
                    f"{name.removesuffix('_h')} must be from a twelfth of an hour to 10 hours, "
                    f"got {hours:g}."
                )


class PlayedEvents(NamedTuple):
    """What E events asked and got, mean powers over the event."""

    planned_kw: Tensor  # of each home's battery, known at the promise, positive, (E, N) [kW]
    heard: Tensor  # homes that answered at the promise, (E, N) bool
    given_kw: Tensor  # by each home's battery, (E, N) [kW]
    opted_out: Tensor  # homes whose owners stayed out, (E, N) bool
    missing_kw: Tensor  # of the fleet, by reason, (E, R) [kW]


def event_starts(scenario: Scenario) -> Tensor:
    """First ticks of the events of a scenario, (E,) int64.

    Args:
        scenario: With people and events.

    Raises:
        InputError: It has none.
    """
    people = scenario.around.people
    on = torch.zeros(1) if people is None else people.event.flatten()
    on = torch.cat([torch.zeros(1), (on > 0).float()])
    starts = ((on[1:] > 0) & (on[:-1] <= 0)).nonzero().flatten()
    if len(starts) == 0:
        raise InputError(
            "the scenario has no events: set scenario.people.enrolled_share and "
            "scenario.people.event_days."
        )
    return starts


def play_events(scenario: Scenario, starts: Tensor, seed: int, timing: Timing) -> PlayedEvents:
    """Play events, each in a row of its own.

    Args:
        scenario: Training split, with people and events; every home the same in all rows.
        starts: First tick of each event, a day or more from the start of the split, (E,) int64.
        seed: Event i has the draws of seed + i.
        timing: When an operator prepares and promises.
    """
    spec = scenario.spec
    links = links_of(spec.links, scenario.market) if spec.links.kinds else None
    block = max(1, min(_BLOCK, _BLOCK_HOMES // len(scenario.fleet.home_id)))
    blocks = []
    with torch.no_grad():
        for first in range(0, len(starts), block):
            some = starts[first : first + block]
            blocks.append(_EventDays(scenario, some, seed + first, timing, links).play())
    return PlayedEvents(*(torch.cat(column) for column in zip(*blocks, strict=True)))


class _EventDays:
    """The days of a block of events on their way, (B, N)."""

    def __init__(
        self,
        scenario: Scenario,
        starts: Tensor,
        seed: int,
        timing: Timing,
        links: LinkTable | None,
    ) -> None:
        self.dt_h, self.hours = scenario.dt_h, scenario.spec.people.event_hours
        self.prepare, self.lead = (
            round(hours / self.dt_h) for hours in (timing.prepare_h, timing.lead_h)
        )
        self.ticks = round(self.hours / self.dt_h)
        self.starts, self.links = starts, links
        env = FleetVectorEnv(
            scenario.spec,
            len(starts),
            split=scenario.split,
            dtype="float64",
            autoreset_mode="Disabled",
        )
        env.reset(seed=seed, options={"start_ticks": starts - self.prepare - self.lead})
        self.fleet, self.tables = env.fleet, env.tables
        self.moment, self.tick = env.moment, env.tick
        # Nobody has reported yet: half full is what is thought of a home.
        half_kwh = 0.5 * (self.fleet.agreement.reserve_kwh + self.fleet.battery.capacity_kwh)
        self.reports = first_heard(half_kwh.expand_as(env.energy_kwh))

    def play(self) -> PlayedEvents:
        """Charge, promise, rest, and give."""
        rest_kw = torch.zeros_like(self.moment.energy_kwh)
        for _ in range(self.prepare):
            self._step(rest_kw + self.fleet.battery.charge_kw)
        plan_kw, heard = self._plan_kw(), self._online() > 0
        for _ in range(self.lead):
            self._step(rest_kw)
        given_kw, missing_kw = rest_kw, torch.zeros(len(rest_kw), len(REASONS)).double()
        opted_out, answered = torch.zeros_like(heard), torch.zeros_like(heard)
        for planned_kw in plan_kw:
            moment, online, late = self.moment, self._online(), self._late()
            step_kw = _given_kw(self._step(-planned_kw), planned_kw)
            late_kw = torch.where(answered, torch.zeros_like(step_kw), late * step_kw)
            reason = _reasons(moment, online, self._is_empty(moment, planned_kw))
            missing_kw = missing_kw + _by_reason(planned_kw - step_kw, reason, late_kw)
            given_kw = given_kw + (step_kw - late_kw)
            opted_out = opted_out | _stays_out(moment)
            answered = _answers(moment)
        mean_kw = (plan_kw.mean(0), given_kw / self.ticks, missing_kw / self.ticks)
        return PlayedEvents(mean_kw[0], heard, mean_kw[1], opted_out, mean_kw[2])

    def _step(self, battery_kw: Tensor) -> Outcome:
        """Pass one interval of the environment, all sun kept, and take in the reports."""
        moment = self.moment
        asked = SetPoints(battery_kw, torch.full_like(battery_kw, torch.nan))
        outcome, _ = advance(asked, moment, self.fleet, self.dt_h)
        arrives = torch.ones_like(battery_kw) > 0 if moment.reached is None else moment.reached
        delay_h = report_delay_h(self._latency_s(), REPORT_INTERVAL_S["fleet"])
        self.reports = hear(outcome.energy_kwh, self.reports, arrives, delay_h, self.dt_h)
        self.tick = self.tick + 1
        self.moment, _ = look(outcome.state(), self.tick, self.tables, self.fleet, self.dt_h)
        return outcome

    def _plan_kw(self) -> Tensor:
        """Power that each home can be planned with, from reports alone, (T, B, N). [kW]

        Stores as last reported, less their standing losses since; load and sun as the meters read
        them in the same half hours of the day before.
        """
        fleet, since_h = self.fleet, self.reports.age_h + self.lead * self.dt_h
        energy_kwh = self.reports.value - fleet.battery.standing_loss_kw * since_h
        yesterday = range(-TICKS_PER_DAY, self.ticks - TICKS_PER_DAY)
        site_kw = torch.stack([self._site_kw(tick) for tick in yesterday])
        halves = [half.mean(0, keepdim=True).expand_as(half) for half in site_kw.split(_HALF_HOUR)]
        site_kw = torch.cat(halves)
        kw = event_kw(energy_kwh, site_kw, fleet.battery, fleet.agreement, self.hours)
        kw = torch.where(fleet.cohort >= 0, kw, torch.zeros_like(kw))
        owners = self.moment.residents
        return kw if owners is None else kw * owners.state.enrolled.to(kw)

    def _site_kw(self, later: int) -> Tensor:
        """Load less sun, some ticks later than the event begins, (B, N). [kW]"""
        fleet = self.fleet
        rows = rows_at(self.tables, self.starts + later, self.moment.load_kw.dtype)
        load_kw = fleet.load_mean_kw * column_of_each(rows.load_pu, fleet.load_archetype)
        return load_kw - fleet.solar_kw * column_of_each(rows.solar_pu, fleet.solar_archetype)

    def _of_links(self, table: Tensor) -> Tensor:
        """A column of the links' table at this tick, by home, (B, N)."""
        assert self.fleet.link is not None
        return column_of_each(table.index_select(0, self.tick).double(), self.fleet.link)

    def _online(self) -> Tensor:
        """1 where the link is up, (B, N)."""
        if self.links is None:
            return torch.ones_like(self.moment.energy_kwh)
        return self._of_links(self.links.online)

    def _latency_s(self) -> Tensor:
        """Until the command of this step arrives, (B, N). [s]"""
        if self.links is None:
            return torch.zeros_like(self.moment.energy_kwh)
        return self._of_links(self.links.latency_s)

    def _late(self) -> Tensor:
        """Share of the step that is over when its command arrives, (B, N). [0 to 1]"""
        return late_share(self._latency_s(), self.dt_h)

    def _is_empty(self, moment: Moment, planned_kw: Tensor) -> Tensor:
        """Batteries with less than was planned, were their connection wide enough, (B, N) bool."""
        battery, agreement = self.fleet.battery, self.fleet.agreement
        low_kw, _ = battery_range(moment.energy_kwh, battery, agreement, self.dt_h)
        return -low_kw < planned_kw


def _given_kw(outcome: Outcome, planned_kw: Tensor) -> Tensor:
    """What batteries gave to the event, up to their plan, (B, N). [kW]

    As an island a home gives nothing to anybody else. A plan is never exceeded, but by what
    rounding adds.
    """
    given_kw = torch.minimum((-outcome.battery_kw).clamp(min=0.0), planned_kw)
    return given_kw if outcome.out is None else given_kw * (outcome.out <= 0).to(given_kw)


def _answers(moment: Moment) -> Tensor:
    """Homes that can be commanded in this step, (B, N) bool."""
    return torch.ones_like(moment.load_kw) > 0 if moment.may is None else moment.may


def _stays_out(moment: Moment) -> Tensor:
    """Homes whose owners stay out of the event that runs, (B, N) bool."""
    owners = moment.residents
    return torch.zeros_like(moment.load_kw) > 0 if owners is None else owners.state.opted_out


def _reasons(moment: Moment, online: Tensor, empty: Tensor) -> Tensor:
    """First of `REASONS` that applies to each home if it gives less than planned, (B, N) int64."""
    no = torch.zeros_like(online) > 0
    owners = None if moment.residents is None else moment.residents.state
    conditions = {
        "interruption": no if moment.out is None else moment.out > 0,
        "offline": online <= 0,
        "lost": no if moment.reached is None else ~moment.reached,
        "opt-out": no if owners is None else owners.called & owners.opted_out,
        "override": no if owners is None else owners.called & owners.overridden,
        "not called": no if owners is None else ~takes_part(owners),
        "energy": empty,
    }
    reason = torch.full_like(online, REASONS.index("connection"), dtype=torch.int64)
    for name, applies in reversed(conditions.items()):
        reason = torch.where(applies, torch.full_like(reason, REASONS.index(name)), reason)
    return reason


def _by_reason(missing_kw: Tensor, reason: Tensor, late_kw: Tensor) -> Tensor:
    """Sum what is missing over the homes by its reason, (B, R). [kW]"""
    sums_kw = torch.zeros(len(reason), len(REASONS), dtype=missing_kw.dtype)
    sums_kw = sums_kw.scatter_add(-1, reason, missing_kw)
    sums_kw[:, REASONS.index("late")] += late_kw.sum(-1)
    return sums_kw
