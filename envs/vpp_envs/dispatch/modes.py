"""The ways to command a fleet, by name, with the size and the names of their actions."""

from typing import Protocol

from torch import Tensor

from vpp_envs.dispatch.cohort_power import cohort_power
from vpp_envs.dispatch.moment import Moment
from vpp_envs.dispatch.per_device import per_device
from vpp_envs.dispatch.value_curve import value_curve
from vpp_envs.errors import InputError
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.simulator import SetPoints


class Dispatch(Protocol):
    """Turns an action into set-points; the functions of this table say how."""

    def __call__(
        self,
        action: Tensor,
        moment: Moment,
        fleet: Fleet,
        dt_h: float,
        temperature: Tensor | None = None,
    ) -> SetPoints:
        """Set-points of all homes.

        Args:
            action: Components named by `action_names`, (..., A), each in [-1, 1].
            moment: State and signals, (..., N).
            fleet: Constants, (N,).
            dt_h: Length of the step. [h]
            temperature: None for the decision itself; a scalar tensor smooths it for training.

        Returns:
            Set-points, (..., N). [kW]
        """


DISPATCH: dict[str, Dispatch] = {
    "value_curve": value_curve,
    "cohort_power": cohort_power,
    "per_device": per_device,
}


def dispatch_mode(name: str) -> Dispatch:
    """Return the dispatch function of a mode.

    Raises:
        InputError: The mode is unknown.
    """
    if name not in DISPATCH:
        raise InputError(f"dispatch must be one of {', '.join(DISPATCH)}, got {name!r}.")
    return DISPATCH[name]


def action_names(
    mode: str,
    cohorts: tuple[str, ...],
    homes: int,
    cars: tuple[str, ...] = (),
    kinds: dict[str, tuple[str, ...]] | None = None,
) -> tuple[str, ...]:
    """Names of a mode's action in order; every component lies in [-1, 1].

    Args:
        mode: Name of the mode.
        cohorts: Names of the battery cohorts present.
        homes: Number of homes, which only `per_device` asks.
        cars: Names of the classes of cars present.
        kinds: Names of the classes of each kind of flexible device that is present, in order.
    """
    dispatch_mode(mode)
    kinds = kinds or {}
    flexible = tuple(name for of_kind in kinds.values() for name in of_kind)
    if mode == "value_curve":
        bends = ("buy_scale", "buy_shift", "sell_scale", "sell_shift")
        names = tuple(f"{cohort}/{bend}" for cohort in cohorts for bend in bends)
        later = tuple(f"{c}/{bend}" for c in (*cars, *flexible) for bend in ("scale", "shift"))
        return (*names, "solar/curtail_below", *later)
    if mode == "cohort_power":
        powers = (f"{cohort}/power" for cohort in cohorts)
        return (*powers, "solar/curtail", *(f"{c}/power" for c in (*cars, *flexible)))
    of_homes = (f"home_{home}/power" for home in range(homes))
    of_cars = (f"home_{home}/ev" for home in range(homes) if cars)
    of_kinds = (f"home_{home}/{kind}" for kind in kinds for home in range(homes))
    return (*of_homes, "solar/curtail", *of_cars, *of_kinds)
