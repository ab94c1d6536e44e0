"""The scoreboard's contest: learned policies beside rules, optimisers and bounds, all paired."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from vpp_envs.errors import InputError
from vpp_envs.scenario import Scenario, ScenarioSpec, build_scenario
from vpp_envs.transition import Totals
from vpp_rl.agents.trained import TrainedPolicy
from vpp_rl.baselines.home_plan import is_exact, plan_homes
from vpp_rl.baselines.plan import plan_windows
from vpp_rl.baselines.value_curve import StochasticValueCurve
from vpp_rl.evaluation.field import field_of, with_perfect_forecast
from vpp_rl.evaluation.figures import DayTrace
from vpp_rl.evaluation.statistics import FloatArray
from vpp_rl.evaluation.tuning import Listen
from vpp_rl.policy import Policy
from vpp_rl.rollout import Trace, Windows, play


@dataclass(frozen=True)
class Entrant:
    """A trained policy with the facts that the scoreboard shows."""

    policy: TrainedPolicy
    seed: int
    train_s: float
    train_steps: int


@dataclass(frozen=True)
class Contest:
    """Results of a benchmark."""

    frame: pd.DataFrame  # `WINDOW_COLUMNS`, a row for each policy, seed and window
    trace: Trace  # of the first entrant, or the value curve, in the bound's median window
    trace_policy: str
    replay_error: float  # largest difference between the bound's objective and its replay
    bound_gap: float  # what plans not solved to the end may lack, the largest of a window
    tuning: tuple[str, ...]  # what was tuned, for people


def contest(
    spec: ScenarioSpec,
    windows: Windows,
    entrants: Sequence[Entrant],
    listen: Listen,
    retune: bool = True,
) -> Contest:
    """Play everybody on the same windows, homes and initial fills.

    Args:
        spec: The scenario.
        windows: Windows of the split that decides.
        entrants: Trained policies.
        listen: Hears about progress.
        retune: Tune rules and MPC on training days; else their defaults play.

    Raises:
        InputError: The grid may be away, of which the bound knows nothing.
    """
    if spec.outages.feeders:
        raise InputError(
            f"scenario.outages.feeders={spec.outages.feeders} takes the grid away, and the bound "
            "of perfect foresight knows nothing of that: evaluate with scenario.outages.feeders=0."
        )
    scenario = build_scenario(spec, windows.split)
    lines: list[str] = []
    field = field_of(spec, windows, scenario, lines.append, listen, retune)
    frames = [_played(policy, spec, windows, listen)[0] for policy in field]
    frames += [
        _played(p, told, windows, listen)[0] for p, told in with_perfect_forecast(spec, field)
    ]
    listen("perfect foresight: planning", 0.0)
    exact = is_exact(scenario)
    plan = (plan_windows if exact else plan_homes)(
        spec, windows, lambda n, all_: listen("perfect foresight: planning", n / all_)
    )
    replayed = _played(plan, spec, windows, listen)[0]
    played = exact and scenario.around.absent
    bound = replayed.profit.to_numpy() if played else plan.objective.numpy()
    # Where the programme relaxes the homes, or some cannot be commanded at times, its objective is
    # the bound, and no play of it.
    frames.append(replayed.assign(profit=bound))
    error = float(np.abs(replayed.profit.to_numpy() - plan.objective.numpy()).max())
    middle = int(np.argsort(bound)[len(bound) // 2])
    shown: Policy = entrants[0].policy if entrants else StochasticValueCurve()
    trace: Trace | None = None
    for entrant in entrants:
        row = None if trace else middle
        frame, kept = _played(entrant.policy, spec, windows, listen, row)
        trace = trace or kept
        frames.append(
            frame.assign(
                seed=entrant.seed, train_s=entrant.train_s, train_steps=float(entrant.train_steps)
            )
        )
    trace = trace or _played(shown, spec, windows, listen, middle)[1]
    assert trace is not None
    gap = float(plan.gap.max())
    table = pd.concat(frames, ignore_index=True)
    return Contest(table, trace, shown.name, error, gap, tuple(lines))


def _played(
    policy: Policy,
    spec: ScenarioSpec,
    windows: Windows,
    listen: Listen,
    trace_row: int | None = None,
) -> tuple[pd.DataFrame, Trace | None]:
    return play(policy, spec, windows, lambda n, all_: listen(policy.name, n / all_), trace_row)


def day_trace(contest: Contest, scenario: Scenario, title: str) -> DayTrace:
    """A good day of the trace: at the upper quartile of what the site earned.

    Args:
        contest: Results with a trace.
        scenario: The scenario of the split that was played.
        title: Of the figure.
    """
    trace, day = contest.trace, scenario.ticks_per_day
    days = len(trace.tick) // day
    gain = (trace.totals.energy_market - trace.totals.site_passthrough).reshape(days, day).sum(-1)
    best = int(torch.argsort(gain)[days // 2 + days // 4])
    part = slice(best * day, (best + 1) * day)
    tick = trace.tick[part]
    market = scenario.market
    per_h = 1.0 / scenario.dt_h
    levels = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=trace.fill.dtype)
    totals = trace.totals
    return DayTrace(
        stamps_local=market.local_time(tick).tz_localize(None).to_numpy(),
        price_per_mwh=market.price_per_mwh[tick].numpy(),
        load_kw=(totals.load_kwh[part] * per_h).numpy(),
        solar_kw=(totals.solar_kwh[part] * per_h).numpy(),
        battery_kw=(totals.battery_kwh[part] * per_h).numpy(),
        net_kw=(totals.net_kwh[part] * per_h).numpy(),
        fill_quantiles=torch.quantile(trace.fill[part], levels, dim=1).T.numpy(),
        ev_kw=(totals.ev_kwh[part] * per_h).numpy() if scenario.cars else None,
        devices_kw=_devices_kw(scenario, totals, part, per_h),
        policy=contest.trace_policy,
        currency=market.currency,
        market=market.region,
        title=title,
    )


def _devices_kw(
    scenario: Scenario, totals: Totals, part: slice, per_h: float
) -> dict[str, FloatArray]:
    """Power of the kinds of flexible devices that some home has, by their name in the figure."""
    devices = scenario.fleet.flexible
    if devices is None:
        return {}
    machines = (devices.dishwasher, devices.washer, devices.dryer, devices.pool_pump)
    drawn = {
        "hot water": (devices.water_heater is not None, totals.water_kwh),
        "heating and cooling": (devices.hvac is not None, totals.hvac_kwh),
        "machines": (any(one is not None for one in machines), totals.appliance_kwh),
        "engines": (devices.generator is not None, -totals.generator_kwh),
    }
    return {name: (kwh[part] * per_h).numpy() for name, (has, kwh) in drawn.items() if has}
