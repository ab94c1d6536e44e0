"""The pure functions of the environment's step, and their fusion by `torch.compile`."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vpp_envs.communication.visible import commandable_fleet, visible_flexes
from vpp_envs.devices.ev import Session
from vpp_envs.dispatch.modes import dispatch_mode
from vpp_envs.dispatch.moment import Moment, car_moment
from vpp_envs.fleet.fleet import LAST_MOMENT, MIDNIGHT, Fleet
from vpp_envs.fleet.pick import column_of_each, map_columns
from vpp_envs.fleet.state import FleetState
from vpp_envs.flexible.kinds import FlexibleTables, flexes, flexible_moment
from vpp_envs.observation import fleet_features, observe
from vpp_envs.people.residents import Residents, commandable, opened
from vpp_envs.people.step import PeopleRows
from vpp_envs.signals.market import TICKS_PER_ISSUE
from vpp_envs.simulator import SetPoints
from vpp_envs.transition import Totals, advance, total


class EvRows(NamedTuple):
    """Rows of the tables of the cars at one tick of each environment."""

    stay: Tensor  # ticks left, ends, ticks of the next stay, km driven, (B, 4, K)
    rest_h: Tensor  # to the end of the half hour, (B, 1) [h]
    curve: Tensor  # (B, C, L, S)
    afternoon: Tensor | None = None  # 1 from noon to midnight, (B, 1); none: no driver waits


class Rows(NamedTuple):
    """Rows of the scenario's tables at one tick of each environment."""

    price_per_kwh: Tensor  # (B, 1)
    curve: Tensor  # (B, C, F)
    features: Tensor  # (B, F)
    load_pu: Tensor  # (B, K)
    solar_pu: Tensor  # (B, K)
    ev: EvRows | None = None  # none: no home has a car
    export_per_kwh: Tensor | None = None  # (B, 1); none: the price, as on a wholesale market
    flexible: FlexibleTables | None = None  # none: no home has a flexible device
    out: Tensor | None = None  # 1 where a feeder is dark, (B, K); none: they never are
    reached: Tensor | None = None  # 1 where a command arrives, (B, K); none: everywhere
    people: PeopleRows | None = None  # (B, 1); none: nobody is asked


class Played(NamedTuple):
    """One interval served, and what is seen at its end."""

    state: FleetState  # at the end, (B, N)
    totals: Totals  # of the interval
    moment: Moment  # of the next interval
    observation: Tensor  # of the next interval, (B, F)


class Kernels(NamedTuple):
    """The step of the environment: from an action, from set-points, and its look alone."""

    command: Callable[..., tuple[SetPoints, Played]]
    play: Callable[..., Played]
    look: Callable[..., tuple[Moment, Tensor]]


def bounded(action: Tensor) -> Tensor:
    """Make an action of any numbers, or of none, one that a mode understands: each in [-1, 1].

    Not within the graph of a compiled step: every home would do it again to the action of its
    class.
    """
    return torch.nan_to_num(action, nan=0.0, posinf=1.0, neginf=-1.0).clamp(-1.0, 1.0)


def kernels(dispatch: str, compile: bool) -> Kernels:
    """Return the functions of a step; compiled, each is one graph without a Python step inside.

    One graph, because at 256 rows of 64 homes every call of a compiled function costs a fifth of
    its arithmetic: the check that all tensors are as they were when it was compiled.

    Args:
        dispatch: Name of the dispatch mode.
        compile: Fuse with `torch.compile`, for the shapes of the first call alone.
    """
    mode = dispatch_mode(dispatch)

    def command(
        action: Tensor, moment: Moment, tick: Tensor, tables: Rows, fleet: Fleet, dt_h: float
    ) -> tuple[SetPoints, Played]:
        set_points = mode(action, moment, commandable_fleet(fleet, moment.may), dt_h)
        return set_points, play(set_points, moment, tick, tables, fleet, dt_h)

    if not compile:
        return Kernels(command, play, look)
    return Kernels(_fused(command), _fused(play), _fused(look))


def _fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function for the shapes of its first call.

    torch counts the shapes by code object and gives up at the ninth, so that each environment
    compiles a copy of its own. Of the checks before every call, those of the arguments stay; that
    no function of these modules was replaced meanwhile would cost a tenth of a small step.
    """
    assert isinstance(function, FunctionType)
    own = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    # Older releases of torch lack the filter; they only step a little slower.
    skip = getattr(torch.compiler, "skip_guard_on_globals_unsafe", None)
    options = {"guard_filter_fn": skip} if skip is not None else {}
    fused: Callable[..., Any] = torch.compile(own, fullgraph=True, dynamic=False, options=options)
    return fused


def play(
    set_points: SetPoints, moment: Moment, tick: Tensor, tables: Rows, fleet: Fleet, dt_h: float
) -> Played:
    """Serve set-points for one interval, and look at the next.

    Args:
        set_points: What is asked of each home, (B, N).
        moment: State and signals of the interval.
        tick: Tick of the next interval, (B,).
        tables: Tables of the scenario, (T, ...).
        fleet: Constants, (N,).
        dt_h: Length of the interval. [h]
    """
    state, totals = serve(set_points, moment, fleet, dt_h)
    return Played(state, totals, *look(state, tick, tables, fleet, dt_h))


def serve(
    set_points: SetPoints, moment: Moment, fleet: Fleet, dt_h: float
) -> tuple[FleetState, Totals]:
    """Serve set-points, settle, and sum over the homes."""
    outcome, ledger = advance(set_points, moment, fleet, dt_h)
    return outcome.state(), total(outcome, ledger, moment, dt_h)


def look(
    state: FleetState, tick: Tensor, tables: Rows, fleet: Fleet, dt_h: float
) -> tuple[Moment, Tensor]:
    """Look up the tables, scale them to the homes, and observe."""
    rows = rows_at(tables, tick, state.energy_kwh.dtype)
    moment = moment_of(state, rows, fleet, dt_h)
    seen = commandable_fleet(fleet, moment.may)
    return moment, observe(rows.features, fleet_features(moment, seen, dt_h))


def rows_at(tables: Rows, tick: Tensor, dtype: torch.dtype) -> Rows:
    """Rows of the tables at the ticks of B scenarios, in a precision; past the end, the last."""
    tick = tick.clamp(max=tables.features.shape[0] - 1)
    issue = torch.div(tick, TICKS_PER_ISSUE, rounding_mode="floor")
    ev = None
    if tables.ev is not None:
        noon = tables.ev.afternoon
        ev = EvRows(
            tables.ev.stay.index_select(0, tick).to(dtype),
            tables.ev.rest_h.index_select(0, tick - issue * TICKS_PER_ISSUE).to(dtype),
            tables.ev.curve.index_select(0, issue).to(dtype),
            None if noon is None else noon.index_select(0, tick).to(dtype),
        )
    return Rows(
        tables.price_per_kwh.index_select(0, tick).to(dtype),
        tables.curve.index_select(0, issue).to(dtype),
        tables.features.index_select(0, tick).to(dtype),
        tables.load_pu.index_select(0, tick).to(dtype),
        tables.solar_pu.index_select(0, tick).to(dtype),
        ev,
        None
        if tables.export_per_kwh is None
        else tables.export_per_kwh.index_select(0, tick).to(dtype),
        flexible_rows(tables.flexible, tick, issue, dtype),
        *(
            map_columns(table, lambda column: column.index_select(0, tick).to(dtype))
            for table in (tables.out, tables.reached, tables.people)
        ),
    )


def flexible_rows(
    tables: FlexibleTables | None, tick: Tensor, issue: Tensor, dtype: torch.dtype
) -> FlexibleTables | None:
    """Rows of the flexible devices: value curves by issue, all else by tick."""
    if tables is None:
        return None

    def rows(table: Any) -> Any:  # noqa: ANN401 - the tables of any kind
        at = (issue if name == "curve" else tick for name in table._fields)
        columns = zip(table, at, strict=True)
        return type(table)(*(column.index_select(0, row).to(dtype) for column, row in columns))

    return FlexibleTables(*(None if table is None else rows(table) for table in tables))


def moment_of(state: FleetState, rows: Rows, fleet: Fleet, dt_h: float) -> Moment:
    """Scale the rows of the tables to the homes of the fleet."""
    cars, ev = None, state.ev
    if ev is not None and rows.ev is not None and fleet.ev is not None:
        stay = column_of_each(rows.ev.stay, fleet.ev.archetype.unsqueeze(-2))
        session = Session(stay[:, 0] * dt_h, stay[:, 1], stay[:, 2] * dt_h, stay[:, 3])
        if fleet.ev.habit is not None and rows.ev.afternoon is not None:
            session = session._replace(rests=rests_now(fleet.ev.habit, rows.ev.afternoon))
        if ev.sure_kw is not None:
            session = _at_chargers(session, ev.sure_kw)
        rest_h, curve = rows.ev.rest_h, rows.ev.curve
        cars = car_moment(ev, session, rest_h, curve, fleet.ev, dt_h)
    devices, flexes_now = None, None
    if state.flexible is not None and rows.flexible is not None and fleet.flexible is not None:
        devices = flexible_moment(state.flexible, rows.flexible, fleet.flexible, dt_h)
        flexes_now = flexes(devices, fleet.flexible, dt_h)
    around = _around(state, rows, fleet)
    if flexes_now is not None and around.may is not None:
        flexes_now = visible_flexes(flexes_now, around.may)
    return Moment(
        state.energy_kwh,
        fleet.load_mean_kw * column_of_each(rows.load_pu, fleet.load_archetype),
        fleet.solar_kw * column_of_each(rows.solar_pu, fleet.solar_archetype),
        rows.price_per_kwh,
        rows.curve,
        cars,
        rows.export_per_kwh,
        flexes_now,
        devices,
        *around,
    )


def rests_now(habit: Tensor, afternoon: Tensor) -> Tensor:
    """Whether each driver's habit lets the car rest in an interval, (..., N) bool.

    A timer that is set to midnight holds a car back that comes home in the afternoon or in the
    evening; one that comes between midnight and noon is charged at once.

    Args:
        habit: Place in `HABITS`, (N,) or (..., N) int64.
        afternoon: 1 from noon to midnight of the local clock, (..., 1).
    """
    return (habit == LAST_MOMENT) | ((habit == MIDNIGHT) & (afternoon > 0))


def _at_chargers(session: Session, sure_kw: Tensor) -> Session:
    """Stays where chargers are shared: who waits for one is not at any."""
    waits, none = sure_kw < 0, torch.zeros_like(session.hours_left)
    return session._replace(
        hours_left=torch.where(waits, none, session.hours_left),
        waits_h=torch.where(waits, session.hours_left, none),
    )


class _Around(NamedTuple):
    """What stands between an operator and each home: the last fields of `Moment`."""

    out: Tensor | None
    reached: Tensor | None
    may: Tensor | None
    residents: Residents | None


def _around(state: FleetState, rows: Rows, fleet: Fleet) -> _Around:
    """Say where the grid is away, who hears, and whose owner lets others command, (B, N)."""
    out, reached, may, residents = None, None, None, state.residents
    if rows.reached is not None and fleet.link is not None:
        may = reached = column_of_each(rows.reached, fleet.link) > 0
    if residents is not None and rows.people is not None and fleet.people is not None:
        residents = opened(residents, fleet.people, rows.people)
        able = commandable(residents, fleet.people, rows.people)
        may = able if may is None else may & able
    if rows.out is not None and fleet.feeder is not None:
        out = column_of_each(rows.out, fleet.feeder)
        lit = out <= 0
        may = lit if may is None else may & lit
    return _Around(out, reached, may, residents)
