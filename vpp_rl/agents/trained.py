"""A trained network as a policy that any roll-out can use."""

from dataclasses import dataclass

import torch

from vpp_envs.dispatch.modes import dispatch_mode
from vpp_envs.simulator import SetPoints
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.policy import Scene


@dataclass(frozen=True)
class TrainedPolicy:
    """A network with its dispatch mode, acting without exploration."""

    network: PolicyNetwork
    dispatch: str
    name: str
    kind: str = "learned"

    def act(self, scene: Scene) -> SetPoints:
        """Observe, act, dispatch."""
        with torch.no_grad():
            action = self.network(scene.observation.to(self.network.mean.dtype))
        return dispatch_mode(self.dispatch)(
            action.to(scene.moment.load_kw),
            scene.moment,
            scene.fleet,
            scene.scenario.dt_h,
        )
