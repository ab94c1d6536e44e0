"""Analytic policy gradient: the profit of whole days, differentiated through the simulator.

Prices, sun and load do not depend on the action, and the physics is known, so the gradient of
realised profit with respect to the policy is exact up to the smoothing of decisions (Madeka et
al. 2022, arXiv 2210.03137; Alvo et al. 2023, arXiv 2306.11246, for inventories). Gradients reach
half a day ahead; what is stored then counts at its water value, and the store goes on into the next
hours, so that a policy meets the fills that it makes itself (short-horizon actor-critic, Xu et al.
2022, arXiv 2204.07137, with the tabulated value curve as its critic). A shorter reach leans on the
curve's own errors, a longer one adds the luck of later hours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vpp_envs.charging import first_cars
from vpp_envs.communication.visible import commandable_fleet
from vpp_envs.dispatch.modes import dispatch_mode
from vpp_envs.dispatch.moment import Moment
from vpp_envs.dispatch.value_curve import usable_fill
from vpp_envs.errors import InputError
from vpp_envs.fleet.fleet import Fleet, commanded, rated_kw
from vpp_envs.fleet.mix import draw_homes, homes_at
from vpp_envs.fleet.pick import column_of_each, map_columns
from vpp_envs.fleet.sampling import cast_fleet
from vpp_envs.fleet.state import FleetState
from vpp_envs.flexible.kinds import cohorts, first_flexible, stored_kwh
from vpp_envs.kernels import Rows, flexible_rows, moment_of, rows_at
from vpp_envs.observation import fleet_features, observe
from vpp_envs.opening import first_owners
from vpp_envs.random import Purpose, uniform
from vpp_envs.saved_state import plain, restored
from vpp_envs.signals.market import TICKS_PER_ISSUE
from vpp_envs.transition import advance
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.learner import Update, refuse_no_time
from vpp_rl.agents.network import PolicyNetwork

# A kWh short of a promise is worth any price, which would drown all other gradients.
_MOST_WORTH_PER_KWH = 1.0


@dataclass(frozen=True)
class AnalyticSettings:
    """How the analytic policy gradient trains."""

    name: str = "apg"
    hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 6e-3
    scenarios: int = 256  # windows side by side
    homes: int = 4  # of the training fleet in a window, where the scenario does not draw its own
    window_h: float = 24.0  # after which other days and homes are drawn
    horizon_h: float = 12.0  # of one gradient step; divides the window
    temperature: float = 0.03  # width of smoothed decisions at first, share of the price
    final_temperature: float = 0.01
    weight_decay: float = 0.0
    max_grad_norm: float = 0.5
    seconds: float | None = 120.0  # training stops at the first of both; none: no limit of time
    iterations: int = 100_000

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        for name in ("window_h", "horizon_h"):
            if getattr(self, name) < 0.5 or getattr(self, name) % 0.5:
                raise InputError(
                    f"agent.{name} must be whole half hours, the clock of the value curve, "
                    f"got {getattr(self, name)}."
                )
        if self.window_h % self.horizon_h:
            raise InputError(
                f"agent.horizon_h={self.horizon_h} must divide agent.window_h={self.window_h}."
            )
        leasts = {"scenarios": 1, "homes": 1, "iterations": 1, "learning_rate": 0}
        for name, least in leasts.items():
            if not getattr(self, name) >= least:
                raise InputError(
                    f"agent.{name} must be at least {least}, got {getattr(self, name)}."
                )
        refuse_no_time(self.seconds)
        for name in ("temperature", "final_temperature"):
            if not getattr(self, name) > 0.0:
                raise InputError(f"agent.{name} must be above 0, got {getattr(self, name)}.")


class AnalyticLearner:
    """A policy trained by gradients through the simulator; see `vpp_rl.agents.learner.Learner`."""

    def __init__(
        self, env: FleetVectorEnv, settings: AnalyticSettings, seed: int, compile: bool = False
    ) -> None:
        """Begin with the rule of the dispatch mode.

        Args:
            env: Supplies scenario, homes, tables and dispatch mode; it is not stepped afterwards.
            settings: How to train.
            seed: Of the network's weights and of the windows.
            compile: Fuse each interval and its gradient (needs a C++ compiler).
        """
        torch.manual_seed(seed)
        self._env, self._settings, self._seed = env, settings, seed
        features, actions = len(env.observation_names), len(env.action_names)
        network = PolicyNetwork(features, actions, settings.hidden).to(env.device, env.dtype)
        network.set_normaliser(first_observations(env, seed))
        self.network = network
        self._optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        if compile:
            # A sweep trains many policies in one process; torch keeps few compiled versions of
            # each.
            torch.compiler.reset()
        self._step = torch.compile(smooth_step, fullgraph=True) if compile else smooth_step
        self._horizons = round(settings.window_h / settings.horizon_h)  # of a window
        self._updates = 0
        self._course = _begin(env, settings, seed, 0)

    def update(self, share: float) -> Update:
        """Follow the windows over one horizon, and climb its gradient."""
        env, settings = self._env, self._settings
        rate = settings.learning_rate * (0.02 + 0.98 * _cosine(share))
        self._optimiser.param_groups[0]["lr"] = rate
        cool = (settings.final_temperature / settings.temperature) ** share
        window, horizon = divmod(self._updates, self._horizons)
        if horizon == 0:
            self._course = _begin(env, settings, self._seed, window)
        # A tensor, so that one compiled graph serves every temperature.
        temperature = torch.tensor(settings.temperature * cool, dtype=env.dtype, device=env.device)
        profit, self._course = _go_on(
            env, self.network, settings, self._course, temperature, self._step
        )
        self._optimiser.zero_grad()
        loss = -profit.mean()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.max_grad_norm)
        self._optimiser.step()
        self._updates += 1
        homes, ticks = (
            self._course.state.energy_kwh.numel(),
            round(settings.horizon_h / env.scenario.dt_h),
        )
        return Update(
            home_steps=homes * ticks,
            profit_per_kw_day=-float(loss.detach()) * 24.0 / settings.horizon_h,
            gradient_norm=float(norm),
            loss=float(loss.detach()),
        )

    def state(self) -> dict[str, Any]:
        """Network, optimiser, and where the windows stand; nothing else is random."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "updates": self._updates,
            "course": plain(self._course[:2]),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Become the learner that wrote this state."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        # The state holds that of its writer; the rate is set before every step.
        self._optimiser.param_groups[0]["weight_decay"] = self._settings.weight_decay
        self._updates = state["updates"]
        # The homes of a window are drawn by its number.
        window = max(self._updates - 1, 0) // self._horizons
        course = _begin(self._env, self._settings, self._seed, window)
        tick, homes = restored(state["course"], course[:2], "course")
        self._course = _Course(tick, homes, course.fleet)


def first_observations(env: FleetVectorEnv, seed: int) -> Tensor:
    """Observations of the unlearned rule on random training days, (M, F), for the normaliser."""
    env.reset(seed=seed)
    zero = torch.zeros(env.num_envs, len(env.action_names))
    seen = []
    for tick in range(env.scenario.ticks_per_day):
        env.step(zero)
        if tick % 6 == 0:
            seen.append(env.observation.clone())
    return torch.cat(seen)


def _cosine(share: float) -> float:
    return 0.5 * (1.0 + float(torch.cos(torch.tensor(min(share, 1.0) * torch.pi))))


class _Course(NamedTuple):
    """Where the windows of a gradient step stand."""

    tick: Tensor  # (B,) int64, at the start of a half hour
    state: FleetState  # (B, N)
    fleet: Fleet  # (N,), or (B, N) where each window has homes of its own


def _begin(env: FleetVectorEnv, settings: AnalyticSettings, seed: int, episode: int) -> _Course:
    """Draw days, homes and fills for new windows."""
    scenario = env.scenario
    scenarios = torch.arange(settings.scenarios)
    first = int(scenario.start_ticks[0])
    ticks = round(settings.window_h / scenario.dt_h)
    last = int(scenario.start_ticks[-1]) + scenario.ticks_per_day - ticks
    if last < first:
        raise InputError(
            f"agent.window_h={settings.window_h:g} is longer than the training days, of which "
            f"there are {len(scenario.start_ticks)}; choose shorter windows or more days."
        )
    draw = uniform(seed, episode, scenarios, 0, Purpose.START_DAY)
    half_hours = torch.arange(first, last + 1, TICKS_PER_ISSUE)
    starts = scenario.market.in_every_copy(half_hours)
    tick = starts[(draw * len(starts)).to(torch.int64)]
    fleet = _some_homes(env, settings, seed, episode)
    usable_kwh = fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh
    fill = uniform(
        seed, episode, scenarios.unsqueeze(-1), fleet.home_id.cpu(), Purpose.INITIAL_FILL
    )
    energy_kwh = fleet.agreement.reserve_kwh + fill.to(usable_kwh) * usable_kwh
    ev = None
    if fleet.ev is not None and scenario.cars is not None:
        share = uniform(
            seed, episode, scenarios.unsqueeze(-1), fleet.home_id.cpu(), Purpose.INITIAL_CAR
        ).to(env.device)
        stay = scenario.cars.stay[tick, 0].to(env.device, env.dtype)
        hours_left = column_of_each(stay, fleet.ev.archetype) * scenario.dt_h
        ev = first_cars(share, hours_left, fleet.ev, env.dtype, env.device, fleet.shared)
    flexible = None
    if fleet.flexible is not None and scenario.flexible is not None:
        share = uniform(
            seed, episode, scenarios.unsqueeze(-1), fleet.home_id.cpu(), Purpose.INITIAL_FLEXIBLE
        ).to(energy_kwh)
        issue = torch.div(tick, TICKS_PER_ISSUE, rounding_mode="floor")
        began = flexible_rows(scenario.flexible, tick, issue, env.dtype)
        began = map_columns(began, lambda column: column.to(env.device))
        flexible = first_flexible(share, began, fleet.flexible, scenario.dt_h)
    words = seed * settings.scenarios + scenarios, torch.full_like(tick, episode), tick
    residents = first_owners(*words, scenario, fleet, energy_kwh)
    return _Course(tick, FleetState(energy_kwh, ev, flexible, residents), fleet)


def _go_on(
    env: FleetVectorEnv,
    policy: PolicyNetwork,
    settings: AnalyticSettings,
    course: _Course,
    temperature: Tensor,
    step: Callable[..., tuple[FleetState, Tensor]],
) -> tuple[Tensor, _Course]:
    """Follow the windows over one horizon.

    Returns:
        Profit per kW of battery, change of the stored value included, (B,) float64, and where the
        windows then stand, without a gradient.
    """
    tick, start, fleet = course
    dt_h, comfort_per_k_h = env.scenario.dt_h, env.scenario.spec.comfort_per_k_h
    ticks = round(settings.horizon_h / dt_h)
    # With a gradient from the first tick on, all ticks share one compiled graph.
    state = map_columns(start, _leaf)
    profit = torch.zeros(len(tick), dtype=torch.float64, device=env.device)
    for ahead in range(ticks):
        rows = rows_at(env.tables, (tick + ahead).to(env.device), env.dtype)
        state, gain = step(
            policy, state, rows, fleet, env.dispatch, dt_h, temperature, comfort_per_k_h
        )
        profit = profit + gain
    # A curve is the value at the end of its half hour: the last one's now, and the one's before the
    # start, so that horizons add up to their window.
    issue = torch.stack([tick - 1, tick + ticks - 1]).clamp(min=0) // TICKS_PER_ISSUE
    before, after = env.tables.curve[issue.to(env.device)]
    stored = _stored_value(after, state.energy_kwh, fleet)
    stored = stored - _stored_value(before, start.energy_kwh, fleet)
    if state.ev is not None or state.flexible is not None:
        rows = rows_at(env.tables, (tick + ticks).to(env.device), env.dtype)
        moment = moment_of(state, rows, fleet, dt_h)
        stored = stored + _stored_in_cars(moment, fleet) + _stored_in_devices(moment, fleet)
    end = _Course(tick + ticks, map_columns(state, Tensor.detach), fleet)
    return (profit + stored.double()) / rated_kw(fleet).sum(-1), end


def _leaf(part: Tensor) -> Tensor:
    """A copy that gradients reach, where it is a number that can carry one."""
    copy = part.clone()
    return copy.requires_grad_() if copy.is_floating_point() else copy


def smooth_step(
    policy: PolicyNetwork,
    state: FleetState,
    rows: Rows,
    fleet: Fleet,
    dispatch: str,
    dt_h: float,
    temperature: Tensor,
    comfort_per_k_h: float = 0.0,
) -> tuple[FleetState, Tensor]:
    """Observe, act, dispatch, serve and settle one interval, differentiably.

    Returns:
        State afterwards, (B, N), and what dispatch added less what discomfort counts, (B,) float64.
    """
    moment = moment_of(state, rows, fleet, dt_h)
    seen = commandable_fleet(fleet, moment.may)
    action = policy(observe(rows.features, fleet_features(moment, seen, dt_h)))
    set_points = dispatch_mode(dispatch)(action, moment, seen, dt_h, temperature)
    outcome, ledger = advance(set_points, moment, fleet, dt_h)
    gain = ledger.energy_market - ledger.site_passthrough - ledger.wear
    if comfort_per_k_h > 0.0 and outcome.flexible is not None and outcome.flexible.hvac is not None:
        gain = gain - comfort_per_k_h * outcome.flexible.hvac.discomfort_k_h.double()
    return outcome.state(), gain.sum(-1)


def _stored_in_cars(moment: Moment, fleet: Fleet) -> Tensor:
    """Value of what the cars have stored, beyond what they were promised, summed, (B,).

    Its gradient is the tabulated value of a kWh; the level, which no gradient sees, takes that
    value for all of the energy.
    """
    cars, ev = moment.ev, fleet.ev
    if cars is None or ev is None or cars.curve.shape[-3] == 0:
        return torch.zeros_like(moment.energy_kwh[..., 0])
    worth = cars.value_per_kwh.detach().clamp(max=_MOST_WORTH_PER_KWH)
    beyond_kwh = cars.state.energy_kwh - (ev.agreement.target_kwh - cars.state.excused_kwh)
    return (worth * beyond_kwh * (ev.cohort >= 0)).sum(-1)


def _stored_in_devices(moment: Moment, fleet: Fleet) -> Tensor:
    """Value of what flexible devices have drawn ahead, summed, (B,); its gradient is as of cars."""
    worth = torch.zeros_like(moment.energy_kwh[..., 0])
    flexes, devices, of_homes = moment.flexes, moment.flexible, fleet.flexible
    if flexes is None or devices is None or of_homes is None:
        return worth
    of_kinds = zip(flexes, cohorts(of_homes), stored_kwh(devices, of_homes), strict=True)
    for flex, cohort, ahead_kwh in of_kinds:
        value = flex.value_per_kwh.detach().clamp(max=_MOST_WORTH_PER_KWH)
        worth = worth + (value * ahead_kwh * (cohort >= 0)).sum(-1)
    return worth


def _stored_value(curve: Tensor, energy_kwh: Tensor, fleet: Fleet) -> Tensor:
    """Value of what is stored: the integral of the water value, summed over homes, (B,)."""
    if curve.shape[-2] == 0:
        return torch.zeros_like(energy_kwh[..., 0])
    points = curve.shape[-1]
    area = torch.cumulative_trapezoid(curve, dx=1.0 / (points - 1), dim=-1)
    area = torch.nn.functional.pad(area, (1, 0))
    at = usable_fill(energy_kwh, fleet) * (points - 1)
    cell = at.detach().floor().clamp(0.0, points - 2.0)
    index = cell.to(torch.int64) + fleet.cohort.clamp(min=0) * points
    flat_area, flat_curve = area.flatten(-2), curve.flatten(-2)
    left = torch.gather(flat_curve, -1, index)
    right = torch.gather(flat_curve, -1, index + 1)
    part = at - cell
    inside = part * left + 0.5 * part.square() * (right - left)
    value = torch.gather(flat_area, -1, index) + inside / (points - 1)
    usable_kwh = fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh
    return (value * usable_kwh * (fleet.cohort >= 0)).sum(-1)


def _some_homes(env: FleetVectorEnv, settings: AnalyticSettings, seed: int, episode: int) -> Fleet:
    """A random part of the fleet: one for all windows, or where fleets are mixed one for each."""
    scenario, fleet, homes = env.scenario, env.scenario.fleet, settings.homes
    if scenario.episode_homes is not None:
        spread = scenario.spec.fleet_mix.spread
        windows = torch.arange(settings.scenarios).unsqueeze(-1)
        places = draw_homes(fleet, scenario.episode_homes, spread, seed, episode, windows)
        fleet = homes_at(fleet, places)
    elif homes < len(fleet.home_id):
        # Homes with a device first: of the others there is nothing to learn.
        equipped = commanded(fleet).nonzero().squeeze(-1)
        if homes <= len(equipped):
            fleet = homes_at(fleet, equipped)
        fleet = homes_at(fleet, draw_homes(fleet, homes, 0.0, seed, episode))
    return cast_fleet(fleet, env.dtype, env.device)
