"""The learner's number: named parts that sum to the reward, of money and, if asked, of comfort."""

from torch import Tensor

from vpp_envs.transition import Totals

REWARD_PARTS = ("energy_market", "left_alone", "wear", "comfort")


def reward_parts(
    totals: Totals, rated_kw: Tensor, reward_scale: float, comfort_per_k_h: float = 0.0
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Money that dispatch added in one interval, per kW of rated battery power, (B,) float64.

    What the sites would have settled had nothing been dispatched is deducted: it does not depend
    on the action, and without it the reward's variance would be that of other people's cooking.

    Args:
        totals: Fleet sums of the interval.
        rated_kw: Rated power of the plant's devices, () or (B,) float64. [kW]
        reward_scale: Factor that brings rewards near 1.
        comfort_per_k_h: What a kelvin-hour beyond comfort counts; no money flows for it.
            [currency/(K h)]

    Returns:
        The parts named by `REWARD_PARTS`.
    """
    factor = reward_scale / rated_kw.clamp(min=1e-9)
    return (
        totals.energy_market * factor,
        -totals.site_passthrough * factor,
        -totals.wear * factor,
        -comfort_per_k_h * totals.discomfort_k_h * factor,
    )
