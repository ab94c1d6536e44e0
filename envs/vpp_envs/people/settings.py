"""What a scenario says of the owners: who takes part, when they are called, what they bear."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.people.calendar import Calendar, calendar_table
from vpp_envs.people.events import dearest_days, event_features, event_table
from vpp_envs.people.sampling import sample_people
from vpp_envs.people.step import PeopleFleet, PeopleRows
from vpp_envs.random import Purpose, uniform
from vpp_envs.signals.market import TICKS_PER_DAY, MarketSignals

_BOUNDS = {
    "enrolled_share": (0.0, 1.0),
    "quiet_share": (0.0, 1.0),
    "event_days": (0.0, 3660.0),
    "event_from_hour": (0.0, 24.0),
    "event_hours": (1.0 / 12.0, 24.0),
    "notice_h": (0.0, 168.0),
    "events_a_day": (0.0, 24.0),
    "events_a_week": (0.0, 168.0),
    "events_a_season": (0.0, 4400.0),
    "longest_event_h": (0.0, 24.0),
    "opt_out": (0.0, 1.0),
    "override_per_h": (0.0, 10.0),
    "leave_a_month": (0.0, 1.0),
    "leave_if_short": (0.0, 1.0),
    "most_complaints": (1.0, 1e9),
    "pay_per_event": (0.0, 1e4),
}


@dataclass(frozen=True)
class PeopleSpec:
    """Owners and their programme; see `people.sampling` and `people.hazard` for the numbers.

    Between events all homes of the programme may be commanded, but for their quiet hours. While an
    event runs, those that were called and stay in it.
    """

    enrolled_share: float | None = None  # of homes, in the programme at the start; none: no people
    seed: int = 0  # of tempers, quiet hours and enrolment
    quiet_share: float = 0.5  # of owners with quiet hours at night
    event_days: int = 0  # days of a split with an event, the dearest ones
    event_from_hour: float = 17.0  # local hour at which it begins
    event_hours: float = 3.0  # its length [h]
    notice_h: float = 0.0  # how long before it is announced [h]
    events_a_day: float = 1.0  # most calls of a home
    events_a_week: float = 3.0
    events_a_season: float = 60.0
    longest_event_h: float = 3.0  # after which a home is left alone [h]
    opt_out: float = 0.02  # probability of staying out of an event
    override_per_h: float = 0.015  # of leaving it, for one who is comfortable [1/h]
    leave_a_month: float = 0.02  # probability of leaving the programme in a quiet month
    leave_if_short: float = 0.3  # and when a car left with a tenth of its capacity missing
    most_complaints: float = 80.0  # of cold water, before an owner leaves the programme
    pay_per_event: float = 0.0  # what they expect for one, which calms them [currency]

    def __post_init__(self) -> None:
        """Refuse what no owner can agree to."""
        if self.enrolled_share is None:
            _refuse_what_nobody_reads(self)
            return
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise InputError(
                    f"scenario.people.{name} must lie between {least:g} and {most:g}, got {value}."
                )
        if self.event_from_hour + self.event_hours > 24.0:
            raise InputError(
                f"scenario.people.event_hours={self.event_hours:g} from event_from_hour="
                f"{self.event_from_hour:g} ends after midnight: an event lies within a local day; "
                "begin earlier or make it shorter."
            )


def _refuse_what_nobody_reads(spec: PeopleSpec) -> None:
    """Refuse settings of people where there are none."""
    for field in fields(spec):
        value = getattr(spec, field.name)
        if value != field.default:
            raise InputError(
                f"scenario.people.{field.name}={value} is about owners, and "
                "scenario.people.enrolled_share names none; say which share of homes takes part, "
                f"or leave {field.name} out."
            )


def owners_of(spec: PeopleSpec, home: Tensor) -> PeopleFleet:
    """Sample the owners of homes, (N,) float64.

    Args:
        spec: With an enrolled share.
        home: Ids of the homes, (N,) int64.
    """
    assert spec.enrolled_share is not None
    enrolled = uniform(spec.seed, 0, home, 0, Purpose.FLEET_ENROLMENT) < spec.enrolled_share
    people = sample_people(spec.seed, home, enrolled, spec.pay_per_event, spec.quiet_share)
    like = people.pay_per_event
    programme = people.programme._replace(
        events_a_day=torch.full_like(like, spec.events_a_day),
        events_a_week=torch.full_like(like, spec.events_a_week),
        events_a_season=torch.full_like(like, spec.events_a_season),
        event_h=torch.full_like(like, spec.longest_event_h),
        opt_out=torch.full_like(like, spec.opt_out),
    )
    temper = people.temper._replace(
        override_per_h=torch.full_like(like, spec.override_per_h),
        leave_a_month=torch.full_like(like, spec.leave_a_month),
        leave_if_short=torch.full_like(like, spec.leave_if_short),
    )
    complaints = torch.full_like(like, spec.most_complaints)
    return people._replace(programme=programme, temper=temper, most_complaints=complaints)


def people_table(spec: PeopleSpec, market: MarketSignals) -> PeopleRows:
    """Tabulate the calendar and the events of a split, (T, 1).

    Every copy of the days has events on its own dearest ones.

    Args:
        spec: When events are called.
        market: Prices, clock and days of the split.
    """
    ticks, copies = market.clock_ticks, market.copies + 1
    calendar = calendar_table(market.zone, market.start_utc, ticks)
    events = torch.cat(
        [
            _events(spec, price, calendar, market.day_starts)
            for price in market.price_per_mwh.chunk(copies)
        ]
    )
    calendar = Calendar(*(column.repeat(copies, 1) for column in calendar))
    return PeopleRows(calendar, events, torch.full_like(events, spec.notice_h))


def _events(
    spec: PeopleSpec, price_per_mwh: Tensor, calendar: Calendar, day_starts: Tensor
) -> Tensor:
    """Mark the ticks of events on the dearest days of a split, (T, 1)."""
    if spec.event_days == 0:
        return torch.zeros(len(price_per_mwh), 1)
    # Days before the split are there for forecasts alone; noon is of the day, whatever the clock.
    of_split = calendar.day.flatten()[(day_starts + 144).clamp(max=len(price_per_mwh) - 1)]
    inside = torch.isin(calendar.day.flatten(), of_split)
    priced = torch.where(inside, price_per_mwh, -torch.inf)
    days = dearest_days(priced, calendar, min(spec.event_days, len(of_split)))
    return event_table(calendar, days, spec.event_from_hour, spec.event_hours)


def with_events(
    features: Tensor, spec: PeopleSpec, rows: PeopleRows | None, market: MarketSignals
) -> Tensor:
    """Let a policy see the events of a programme, if it calls any, (T, F).

    Nobody sees from the end of one copy of the days into the next.

    Args:
        features: Of the signals, (T, F).
        spec: When events are called.
        rows: From `people_table`; none: there are no people.
        market: Of which the days may be there in several copies.
    """
    if rows is None or spec.event_days == 0:
        return features
    copies = market.copies + 1
    each = zip(rows.event.chunk(copies), rows.notice_h.chunk(copies), strict=True)
    events = [event_features(event, notice_h, 24.0 / TICKS_PER_DAY) for event, notice_h in each]
    return torch.cat([features, torch.cat(events)], -1)
