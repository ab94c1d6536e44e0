"""What everything that can act has in common: rules, optimisers, learners, controllers."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from vpp_envs.communication.visible import commandable_fleet
from vpp_envs.dispatch.moment import Moment, allowed_solar_kw
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.scenario import Scenario
from vpp_envs.signals.market import TICKS_PER_ISSUE
from vpp_envs.simulator import SetPoints
from vpp_envs.vector_env import FleetVectorEnv


@dataclass(frozen=True)
class Scene:
    """What a policy may look at before it acts, for B rows."""

    scenario: Scenario
    fleet: Fleet
    moment: Moment
    observation: Tensor  # (B, F)
    tick: Tensor  # (B,) int64

    @property
    def forecast_nodes(self) -> Tensor:
        """Latest forecast by lead and probability bin, (B, H, Q). [currency/MWh]"""
        return self.scenario.forecast.nodes_per_mwh[self.tick // TICKS_PER_ISSUE]

    @property
    def forecast_mean(self) -> Tensor:
        """Mean of the latest forecast by lead, (B, H). [currency/MWh]"""
        return self.forecast_nodes @ self.scenario.forecast.weights

    @property
    def hour(self) -> Tensor:
        """Hour of the market's day, with fraction, (B,)."""
        return self.scenario.market.hour[self.tick]


class Policy(Protocol):
    """Anything that can act."""

    @property
    def name(self) -> str:
        """As the scoreboard shows it."""

    @property
    def kind(self) -> str:
        """Kind of policy: "rule", "optimiser", "learned" or "bound"."""

    def act(self, scene: Scene) -> SetPoints:
        """Choose set-points for all rows and homes, (B, N)."""


def scene_of(env: FleetVectorEnv) -> Scene:
    """Look at an environment; devices that cannot be commanded now have no class."""
    fleet = commandable_fleet(env.fleet, env.moment.may)
    return Scene(env.scenario, fleet, env.moment, env.observation, env.tick)


def solar_unless_negative(scene: Scene) -> Tensor:
    """Solar output that is switched off at negative prices, (B, N). [kW]"""
    moment = scene.moment
    on = (moment.price_per_kwh >= 0.0).to(moment.solar_available_kw.dtype)
    return allowed_solar_kw(
        on * moment.solar_available_kw, moment, scene.fleet, scene.scenario.dt_h
    )
