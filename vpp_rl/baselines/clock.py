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
from vpp_rl.baselines.rules import Tunable, in_window
from vpp_rl.policy import Scene


@dataclass(frozen=True)
class ByTheClock:
    """Store in a window of the day, and live on it in another; engines stay off.

    Depths are of thermostats alone: how far of the way from what they do by themselves to an edge
    of what was agreed. Half a rest is a machine that runs for half of its time, a common form of
    control.
    """

    store_from_h: Tunable = 11.0
    store_to_h: Tunable = 16.0
    rest_from_h: Tunable = 17.0
    rest_to_h: Tunable = 21.0
    store_depth: Tunable = 1.0
    rest_depth: Tunable = 1.0
    name: str = "devices by the clock"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Follow the clock; batteries rest."""
        moment = scene.moment
        stores = in_window(scene, self.store_from_h, self.store_to_h)
        rests = in_window(scene, self.rest_from_h, self.rest_to_h)
        asked_kw: list[Tensor] | None = None
        if moment.flexes is not None:
            asked_kw = []
            for kind, flex in zip(present(scene.fleet.flexible), moment.flexes, strict=True):
                # An engine's lower edge would be full load: where power may be fed in, rest is
                # zero, and to store is nothing that an engine does.
                least_kw = torch.maximum(flex.low_kw, torch.zeros_like(flex.low_kw))
                most_kw = torch.where(torch.as_tensor(kind == "generator"), torch.nan, flex.high_kw)
                if kind == "hvac":
                    least_kw = _part_way(flex, least_kw, self.rest_depth)
                    most_kw = _part_way(flex, most_kw, self.store_depth)
                nobody = torch.full_like(least_kw, torch.nan)
                asked_kw.append(torch.where(stores, most_kw, torch.where(rests, least_kw, nobody)))
        rest = torch.zeros_like(moment.load_kw)
        return SetPoints(rest, moment.solar_available_kw, None, asked_kw)


def _part_way(flex: Flex, edge_kw: Tensor, depth: Tunable) -> Tensor:
    """Power between what a device does alone and an edge, (..., N). [kW]"""
    return torch.lerp(flex.alone_kw, edge_kw, torch.as_tensor(depth, dtype=edge_kw.dtype))
