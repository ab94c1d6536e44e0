"""The network that turns observations into actions, with its normaliser inside."""

import torch
from torch import Tensor, nn


class PolicyNetwork(nn.Module):
    """Observation in, action in [-1, 1] out; it starts at zero, the rule of its dispatch mode."""

    mean: Tensor
    scale: Tensor

    def __init__(
        self, features: int, actions: int, hidden: tuple[int, ...] = (64, 64), squash: bool = True
    ) -> None:
        """Build a tanh network.

        Args:
            features: Length of the observation, F.
            actions: Length of the action, A.
            hidden: Widths of the hidden layers.
            squash: Bring the output into [-1, 1] by tanh; else by clipping, as the Gaussian
                policies of PPO are served.
        """
        super().__init__()
        self.squash = squash
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        layers: list[nn.Module] = []
        width = features
        for size in hidden:
            layers += [nn.Linear(width, size), nn.Tanh()]
            width = size
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, actions)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, observation: Tensor) -> Tensor:
        """Act on raw observations, (..., F) -> (..., A)."""
        action: Tensor = self.head(self.body(self.normalise(observation)))
        if self.squash:
            return torch.tanh(action)
        return action.clamp(-1.0, 1.0)

    def normalise(self, observation: Tensor) -> Tensor:
        """Bring raw observations to zero mean and unit spread, (..., F)."""
        return ((observation - self.mean) * self.scale).clamp(-10.0, 10.0)

    @torch.no_grad()
    def set_normaliser(self, observations: Tensor) -> None:
        """Take mean and spread from observations of the training days, (M, F)."""
        flat = observations.reshape(-1, observations.shape[-1]).double()
        self.mean.copy_(flat.mean(0))
        # A feature that hardly moves in training is not blown up when it moves in service.
        self.scale.copy_(1.0 / flat.std(0).clamp(min=0.05))
