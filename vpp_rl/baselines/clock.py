"""A rule for heat, cold, hot water and jobs that a household would set once: two hours of the day.

In the one window devices store: houses are pre-cooled or pre-heated, tanks filled, jobs started.
In the other they live on it: thermostats are set back, and jobs wait. All else is left alone, and
no agreement is broken, because powers outside an envelope end at its edge.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vpp_envs.flexible.flex import Flex
from vpp_envs.flexible.kinds import present
from vpp_envs.simulator import SetPoints
from vpp_rl.baselines.rules import Tunable
from vpp_rl.policy import Scene


@dataclass(frozen=True)
class ByTheClock:
    """Store in a window of the day, and live on it in another; engines stay off."""

    store_from_h: Tunable = 11.0
    store_to_h: Tunable = 16.0
    rest_from_h: Tunable = 17.0
    rest_to_h: Tunable = 21.0
    name: str = "devices by the clock"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Follow the clock; batteries rest."""
        moment, hour = scene.moment, scene.hour.unsqueeze(-1)
        stores = (hour >= self.store_from_h) & (hour < self.store_to_h)
        rests = (hour >= self.rest_from_h) & (hour < self.rest_to_h)
        asked_kw = None
        if moment.flexes is not None:
            kinds = present(scene.fleet.flexible)
            asked_kw = [
                _asked_kw(flex, stores & (kind != "generator"), rests)
                for kind, flex in zip(kinds, moment.flexes, strict=True)
            ]
        rest = torch.zeros_like(moment.load_kw)
        return SetPoints(rest, moment.solar_available_kw, None, asked_kw)


def _asked_kw(flex: Flex, stores: Tensor, rests: Tensor) -> Tensor:
    """The upper edge while it is time to store, the lower while it is time to rest, else nothing.

    Returns:
        (..., N). [kW]
    """
    # An engine's lower edge would be full load: where power may be fed in, rest is zero.
    least_kw = torch.maximum(flex.low_kw, torch.zeros_like(flex.low_kw))
    asked_kw = torch.where(rests, least_kw, torch.full_like(least_kw, torch.nan))
    return torch.where(stores, flex.high_kw, asked_kw)
