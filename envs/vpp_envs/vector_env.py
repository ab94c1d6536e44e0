"""The environment: many scenarios of one fleet side by side, with the only step."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.fleet.fleet import Fleet, rated_kw
from vpp_envs.fleet.mix import draw_homes, homes_at
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.sampling import cast_fleet
from vpp_envs.fleet.state import FleetState
from vpp_envs.kernels import Played, bounded, kernels
from vpp_envs.observation import OBSERVATION_LIMIT
from vpp_envs.opening import first_state, tables_on
from vpp_envs.random import Purpose, uniform
from vpp_envs.rendering import status_lines
from vpp_envs.reward import REWARD_PARTS, reward_parts
from vpp_envs.saved_state import plain, restored
from vpp_envs.scenario import Scenario, ScenarioSpec, build_scenario, scenario_spec
from vpp_envs.simulator import SetPoints
from vpp_envs.transition import Totals

# Observations, rewards, terminated, truncated, infos; a row each.
Stepped = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]
DTYPES = {"float32": torch.float32, "float64": torch.float64}
# All that the next step depends on, beside the arguments of the constructor. What is seen belongs
# to it, because a compiled look alone may differ in the last bit from the one inside a step.
_STATE = (
    *("_seeds", "_seeded", "_episodes", "tick", "_age", "_length", "_ended", "_return"),
    *("_places", "state", "moment", "observation"),
)


class FleetVectorEnv(VectorEnv[Any, Any, Any]):
    """A fleet of homes that earns on a wholesale market, B scenarios at once.

    Description:
        Every home has a base load and may have rooftop solar and a battery. Each site's net
        power settles at the regional price every five minutes. The agent acts every five
        minutes on the latest half-hourly water-value curve. All rows share the homes, or each
        draws its own for an episode (`ScenarioSpec.fleet_mix`); each row has its own days and
        its own stored energy.

    Action Space:
        ``Box(-1, 1, (A,))``, named by `action_names`. Zero leaves the rule of the dispatch mode
        as it is. Every value, NaN included, keeps every agreement.

    Observation Space:
        ``Box(-10, 10, (F,))``, named by `observation_names`.

    Rewards:
        What dispatch added to the plant's money in the interval, less the wear of the batteries,
        per kW of rated battery power, times `reward_scale`. The parts are in the infos.

    Starting State:
        A random day of the split, at midnight of the market's clock; fills uniform in 0 to 1.

    Episode End:
        Truncated after `episode_days`. Never terminated.

    Arguments:
        scenario: Name of a scenario, or a `ScenarioSpec`.
        num_envs: Rows, B.
        dispatch: "value_curve", "cohort_power" or "per_device".
        split: "train", "validation" or "test".
        autoreset_mode: Next-step, same-step or disabled (`reset(options={"reset_mask": ...})`).
        dtype: "float32" for training, "float64" for evaluation.
        device: Where the homes live.
        compile: Fuse the step with `torch.compile` (needs a C++ compiler).
        reward_scale: Factor of the reward.
        stagger: Start the rows' first episodes at different ages, in whole hours, so that they
            do not all end at once.

    Version History:
        v0: First version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's own declaration
        "render_modes": ["ansi"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        scenario: str | ScenarioSpec = "nem_arbitrage",
        num_envs: int = 1,
        dispatch: str = "value_curve",
        split: str = "train",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        dtype: str = "float32",
        device: str = "cpu",
        compile: bool = False,
        reward_scale: float = 10.0,
        stagger: bool = False,
        render_mode: str | None = None,
    ) -> None:
        """Build the tables and the homes; see the class for the arguments."""
        if dtype not in DTYPES:
            raise InputError(f"dtype must be float32 or float64, got {dtype!r}.")
        spec = scenario_spec(scenario) if isinstance(scenario, str) else scenario
        self.scenario: Scenario = build_scenario(spec, split)
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.dispatch = dispatch
        self.reward_scale = reward_scale
        self.device, self.dtype = torch.device(device), DTYPES[dtype]
        if dispatch == "per_device" and self.scenario.episode_homes is not None:
            raise InputError(
                "dispatch=per_device commands homes by their number, and scenario.fleet_mix draws "
                "others in every episode: choose value_curve or cohort_power, or leave it out."
            )
        homes = self.scenario.episode_homes or len(self.scenario.fleet.home_id)
        # Places in the training fleet of each row's homes; none: all rows have all of them.
        self._places: Tensor | None = None
        if self.scenario.episode_homes is not None:
            self._places = torch.arange(homes).repeat(num_envs, 1)
        self._move_in()
        self._declare_spaces(homes)
        self._stagger = stagger
        self.tables = tables_on(self.scenario, self.device)
        self._kernels = kernels(dispatch, compile)
        self._seeds = torch.zeros(num_envs, dtype=torch.int64)
        self._seeded = False
        self._episodes = torch.zeros(num_envs, dtype=torch.int64)
        self.tick = torch.zeros(num_envs, dtype=torch.int64)
        self._age = torch.zeros(num_envs, dtype=torch.int64)
        self._length = torch.full((num_envs,), self.scenario.episode_ticks, dtype=torch.int64)
        self._ended = torch.zeros(num_envs, dtype=torch.bool)
        # Until the first reset, so that every place of a state is there.
        words = self._seeds, self._episodes, self.tick
        self.state: FleetState = first_state(*words, self.scenario, self._homes(), self.fleet)
        self._return = np.zeros(num_envs)
        self.last: tuple[SetPoints, Totals] | None = None

    def _declare_spaces(self, homes: int) -> None:
        """Name and bound what is commanded and what is seen."""
        self.action_names = self.scenario.action_names(self.dispatch, homes)
        self.observation_names = self.scenario.feature_names
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (len(self.action_names),), np.float32)
        self.single_observation_space = gym.spaces.Box(
            -OBSERVATION_LIMIT, OBSERVATION_LIMIT, (len(self.observation_names),), np.float32
        )
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start new episodes.

        Args:
            seed: Row i is the single environment seeded ``seed + i``; none goes on with the
                next episode of each row's seed (at first, a random seed).
            options: ``reset_mask`` (B,) bool restarts those rows only; ``start_ticks`` (B,)
                names the first tick of each row instead of a random day; ``episode_days``
                sets the length of these episodes; the next ones are as long as usual.
        """
        options = options or {}
        mask = torch.as_tensor(options.get("reset_mask", np.ones(self.num_envs, bool)))
        if seed is not None:
            self._take_seeds(seed, mask)
        elif not self._seeded:
            self._take_seeds(int(np.random.SeedSequence().entropy) % (2**31), mask)  # type: ignore[arg-type]
        else:
            self._episodes[mask] += 1
        days = int(options.get("episode_days", self.scenario.spec.episode_days))
        self._length[mask] = days * self.scenario.ticks_per_day
        self._start(mask, options.get("start_ticks"), first=seed is not None and self._stagger)
        return self._observation(), {}

    def step(self, actions: np.ndarray | Tensor) -> Stepped:
        """Advance all rows by one control interval.

        Args:
            actions: (B, A) in [-1, 1]; what is not a number counts as 0.

        Raises:
            InputError: The actions are of another shape.
        """
        # A copy, because torch warns of arrays that may not be written.
        given = actions if isinstance(actions, Tensor) else torch.from_numpy(np.array(actions))
        action = bounded(given.to(self.device, self.dtype))
        if action.shape != self.action_space.shape:
            raise InputError(
                f"actions must be of shape {self.action_space.shape} (rows, components), "
                f"got {tuple(action.shape)}."
            )
        ahead = self._ahead()
        set_points, played = self._kernels.command(
            action, self.moment, ahead, self.tables, self.fleet, self.scenario.dt_h
        )
        return self._close(set_points, played)

    def step_set_points(self, set_points: SetPoints) -> Stepped:
        """Advance all rows by one control interval with set-points, whoever made them."""
        ahead = self._ahead()
        played = self._kernels.play(
            set_points, self.moment, ahead, self.tables, self.fleet, self.scenario.dt_h
        )
        return self._close(set_points, played)

    def _ahead(self) -> Tensor:
        """Tick of each row after this step, where the homes live, (B,)."""
        if not self._seeded:
            raise gym.error.ResetNeeded("call reset() before the first step.")
        return (self.tick + 1).to(self.device)

    def _close(self, set_points: SetPoints, played: Played) -> Stepped:
        """Move the clock, reward, and restart what the autoreset mode restarts."""
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and bool(self._ended.any()):
            totals = self._pass_some(played, ~self._ended)
        else:
            totals = self._pass_all(played)
        self.last = (set_points, totals)
        comfort = self.scenario.spec.comfort_per_k_h
        parts = torch.stack(reward_parts(totals, self.rated_kw, self.reward_scale, comfort)).cpu()
        reward = parts.sum(0).numpy()
        self._return += reward
        self._ended = self._age >= self._length
        truncated = self._ended.numpy().copy()
        info: dict[str, Any] = {
            f"reward/{name}": part for name, part in zip(REWARD_PARTS, parts.numpy(), strict=True)
        }
        if truncated.any():
            info["episode_return"] = self._return.copy()
            if self.autoreset_mode is AutoresetMode.SAME_STEP:
                self._finish_rows(info, truncated)
        return self._seen(), reward, np.zeros(self.num_envs, bool), truncated, info

    def _pass_all(self, played: Played) -> Totals:
        """The interval has passed for all rows."""
        self._refuse_past_the_end(self.tick)
        self.state, totals, self.moment, self.observation = played
        self.tick = self.tick + 1
        self._age = self._age + 1
        return totals

    def _pass_some(self, played: Played, active: Tensor) -> Totals:
        """Next-step autoreset: rows that ended start anew, and ignore their action."""
        self._refuse_past_the_end(self.tick * active)
        served = active.to(self.device)
        homes = served.unsqueeze(-1)
        self.state = map_columns(
            played.state, lambda new, old: torch.where(homes, new, old), self.state
        )
        self.tick = self.tick + active
        self._age = self._age + active
        self._start_next(~active)
        self._observation()
        return Totals(*(torch.where(served, t, torch.zeros_like(t)) for t in played.totals))

    def _refuse_past_the_end(self, tick: Tensor) -> None:
        """Refuse to step rows that are at these ticks, if one is past the last day of the split.

        Raises:
            InputError: A row was given too late a start or too long an episode, or was stepped on
                after its end.
        """
        ticks = len(self.tables.features)
        if int(tick.max()) >= ticks:
            # The tables would stand still at their last row, and a frozen price is easy money.
            raise InputError(
                f"the {self.scenario.split} split ends after {ticks} ticks, and a row steps on: "
                "reset it, or give it an earlier start_ticks or fewer episode_days."
            )

    def _finish_rows(self, info: dict[str, Any], truncated: np.ndarray) -> None:
        """Same-step autoreset: keep the last observation in the infos, and start anew."""
        last = self._seen()
        final = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(truncated):
            final[row] = last[row].copy()
        info["final_obs"], info["_final_obs"] = final, truncated.copy()
        info["final_info"], info["_final_info"] = {}, truncated.copy()
        self._start_next(torch.from_numpy(truncated))
        self._observation()

    def _start_next(self, mask: Tensor) -> None:
        """Start the next episode of some rows, as long as the scenario's."""
        self._episodes[mask] += 1
        self._length[mask] = self.scenario.episode_ticks
        self._start(mask, None, first=False)

    def _take_seeds(self, seed: int | list[int | None], mask: Tensor) -> None:
        """Row i gets seed + i, or the i-th of a list."""
        if isinstance(seed, int):
            seeds = seed + torch.arange(self.num_envs)
        else:
            entropy = np.random.SeedSequence().generate_state(self.num_envs)
            seeds = torch.tensor(
                [int(e) if s is None else s for s, e in zip(seed, entropy, strict=True)]
            )
        self._seeds = torch.where(mask, seeds, self._seeds)
        self._episodes[mask] = 0
        self._seeded = True

    def _start(
        self, mask: Tensor, start_ticks: Tensor | np.ndarray | list[int] | None, first: bool
    ) -> None:
        """Begin the episodes of the masked rows."""
        rows = mask.nonzero().squeeze(-1)
        seeds, episodes = self._seeds[rows], self._episodes[rows]
        days = self.scenario.episode_starts()
        share = uniform(seeds, episodes, 0, 0, Purpose.START_DAY)
        tick = days[(share * len(days)).to(torch.int64)]
        if start_ticks is not None:
            named = torch.as_tensor(start_ticks, dtype=torch.int64)
            tick = named.expand(self.num_envs)[rows]
        age = torch.zeros_like(tick)
        if first and self.num_envs > 1:
            # Rows with the same seed live the same days, so they are of the same age. Ages are
            # whole hours, because starting one row anew takes as long as starting ten.
            different, rank = torch.unique(self._seeds, return_inverse=True)
            hours = 24 * self.scenario.spec.episode_days
            age = (rank * hours // len(different) * (self.scenario.ticks_per_day // 24))[rows]
        exact, fleet = self.scenario.fleet, self.fleet
        if self._places is not None:
            homes, spread = self._places.shape[-1], self.scenario.spec.fleet_mix.spread
            words = seeds.unsqueeze(-1), episodes.unsqueeze(-1)
            self._places = self._places.index_copy(
                0, rows, draw_homes(exact, homes, spread, *words)
            )
            self._move_in()
            exact = homes_at(exact, self._places[rows])
            fleet = cast_fleet(exact, self.dtype, self.device)
        began = first_state(seeds, episodes, tick + age, self.scenario, exact, fleet)
        at = rows.to(self.device)
        self.state = map_columns(self.state, lambda old, new: old.index_copy(0, at, new), began)
        self.tick = self.tick.index_copy(0, rows, tick + age)
        self._age = self._age.index_copy(0, rows, age)
        self._ended = self._ended & ~mask
        self._return[mask.numpy()] = 0.0

    def _move_in(self) -> None:
        """Let all rows have the homes that there are, or each those that it drew."""
        self.fleet = cast_fleet(self._homes(), self.dtype, self.device)  # (N,) or (B, N)
        self.rated_kw = rated_kw(self.fleet).sum(-1, dtype=torch.float64)  # () or (B,)

    def _homes(self) -> Fleet:
        """The homes in full precision, (N,) or (B, N)."""
        exact = self.scenario.fleet
        return exact if self._places is None else homes_at(exact, self._places)

    @property
    def energy_kwh(self) -> Tensor:
        """Energy stored in the batteries, (B, N). [kWh]"""
        return self.state.energy_kwh

    def _observation(self) -> np.ndarray:
        """Look at the homes as they are now."""
        self.moment, self.observation = self._kernels.look(
            self.state,
            self.tick.to(self.device),
            self.tables,
            self.fleet,
            self.scenario.dt_h,
        )
        return self._seen()

    def _seen(self) -> np.ndarray:
        """The observation as Gymnasium wants it, (B, F)."""
        seen: np.ndarray = self.observation.to("cpu", torch.float32).numpy()
        return seen

    def get_state(self) -> dict[str, Any]:
        """Copy all that the next step depends on, as tensors, lists and numbers."""
        self._ahead()  # raises before the first reset
        return {name: plain(getattr(self, name)) for name in _STATE}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from a state: the next steps are those of the environment that it came from.

        Args:
            state: From `get_state` of an environment made with the same arguments.

        Raises:
            InputError: It was made with others, as far as shapes and precision show.
        """
        self._observation()  # so that there is something like everything
        for name in _STATE:
            setattr(self, name, restored(state.get(name), getattr(self, name), name))
        self._move_in()
        self.last = None

    def render(self) -> Any:  # noqa: ANN401 - Gymnasium's own types differ between releases
        """Return one line of text for each row."""
        if self.render_mode != "ansi":
            return None
        seen = self.scenario, self.fleet, self.tick, self.moment.price_per_kwh, self.energy_kwh
        return status_lines(*seen, self.last[1] if self.last else None)
