"""The learner's number: named parts of money that sum to the reward."""

from torch import Tensor

from vpp_envs.transition import Totals

REWARD_PARTS = ("energy_market", "left_alone", "wear")


def reward_parts(
    totals: Totals, rated_kw: Tensor, reward_scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Money that dispatch added in one interval, per kW of rated battery power, (B,) float64.

    What the sites would have settled had nothing been dispatched is deducted: it does not depend
    on the action, and without it the reward's variance would be that of other people's cooking.

    Args:
        totals: Fleet sums of the interval.
        rated_kw: Rated power of the plant's devices, () or (B,) float64. [kW]
        reward_scale: Factor that brings rewards near 1.

    Returns:
        The parts named by `REWARD_PARTS`.
    """
    factor = reward_scale / rated_kw.clamp(min=1e-9)
    return (
        totals.energy_market * factor,
        -totals.site_passthrough * factor,
        -totals.wear * factor,
    )
