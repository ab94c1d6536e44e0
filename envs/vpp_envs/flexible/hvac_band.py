"""What a home with a thermostat was promised: a band of air temperature, hour by hour.

While the unit heats, the air is promised never to fall below ``heating set - setback - offset`` and
the unit never heats above ``heating set + preheat``; while it cools, never above ``cooling set +
setup + offset`` and the unit never cools below ``cooling set - precool``. The offset is a schedule
(away, asleep): it opens at once and closes no faster than the ramp, so that coming home to the
narrow band is part of the promise. In the direction of the unit, the *empty* edge is where it must
run, the *full* edge where it can take no more.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.house import HouseParams
from vpp_envs.devices.hvac import HvacParams, HvacUnit
from vpp_envs.errors import InputError


class HvacCohort(NamedTuple):
    """A class of homes: how long their heat lasts."""

    name: str
    least_h: float  # time constant of the whole house, from here on [h]


HVAC_COHORTS: tuple[HvacCohort, ...] = (
    HvacCohort("short", 0.0),
    HvacCohort("medium", 4.0),
    HvacCohort("long", 8.0),
)
# A unit follows a closing band with a quarter of its rating at most: the rest carries the day.
_SHARE_TO_FOLLOW = 0.25


class HvacAgreement(NamedTuple):
    """What owners were promised, one column per home, (N,)."""

    cool_set_c: Tensor  # own set-point of cooling [C]
    heat_set_c: Tensor  # of heating, below that of cooling [C]
    setup_k: Tensor  # warmer than the cooling set-point, at most [K]
    precool_k: Tensor  # colder than it, by the unit, at most [K]
    setback_k: Tensor  # colder than the heating set-point, at most [K]
    preheat_k: Tensor  # warmer than it, by the unit, at most [K]
    offset_share: Tensor  # of the schedule's offsets that this home follows [0 to 1]
    ramp_k_per_h: Tensor  # fastest closing of its band [K/h]
    margin_kw: Tensor  # surprise of sun and gains that the band is kept against [kW]
    managed: Tensor  # 1 if others may command the unit, else 0


class HvacBand(NamedTuple):
    """The promise at the end of one step, in the direction of the unit, (..., N). [C]"""

    set_c: Tensor  # own thermostat's set-point
    empty_c: Tensor  # the unit must run so that the air does not pass this edge
    full_c: Tensor  # and must not drive the air beyond this one
    other_c: Tensor  # edge on the side that the unit cannot mend


def band_at(offset_k: Tensor, unit: HvacUnit, agreement: HvacAgreement) -> HvacBand:
    """Return the band under a schedule's offset, (..., N).

    Args:
        offset_k: Of this home now, (..., N). [K]
        unit: Whether it heats or cools.
        agreement: What was promised, (N,).
    """
    warm_set_c = agreement.cool_set_c + offset_k
    cold_set_c = agreement.heat_set_c - offset_k
    warmest_c, coldest_c = warm_set_c + agreement.setup_k, cold_set_c - agreement.setback_k
    none = torch.zeros_like(offset_k)
    return HvacBand(
        torch.where(unit.heats, cold_set_c, warm_set_c),
        torch.where(unit.heats, coldest_c, warmest_c),
        torch.where(
            unit.heats,
            agreement.heat_set_c + agreement.preheat_k + none,
            agreement.cool_set_c - agreement.precool_k + none,
        ),
        torch.where(unit.heats, warmest_c, coldest_c),
    )


def time_constant_h(house: HouseParams) -> Tensor:
    """Return how long the heat of the whole house lasts, (N,). [h]"""
    return (house.air_kwh_per_k + house.mass_kwh_per_k) * 1e3 / house.ua_w_per_k


def hvac_class(params: HvacParams, agreement: HvacAgreement) -> Tensor:
    """Return the class of each home, -1 for one that is not managed, (N,) int64."""
    edges = torch.tensor([c.least_h for c in HVAC_COHORTS[1:]], dtype=torch.float64)
    hours = time_constant_h(params.house)
    index = torch.bucketize(hours, edges.to(hours.device, hours.dtype), right=True)
    return torch.where(agreement.managed > 0, index, torch.full_like(index, -1))


def least_band_k(params: HvacParams, agreement: HvacAgreement) -> tuple[Tensor, Tensor]:
    """Return the narrowest bands of cooling and of heating that a unit can promise, (N,) each. [K]

    What a start moves the air within the lockout, ``Q / (UA + H) (1 - exp(-t / tau))``, and on both
    sides what a surprise of the margin moves it.

    Args:
        params: Units and houses, (N,).
        agreement: Of the owners, (N,).
    """
    house = params.house
    leaves_w_per_k = house.ua_w_per_k + house.coupling_w_per_k
    lock_h = torch.maximum(params.off_h, params.on_h)
    settled = -torch.expm1(-lock_h * leaves_w_per_k / 1e3 / house.air_kwh_per_k)
    k_per_kw = 1e3 / leaves_w_per_k * settled
    surprise_k = 2.0 * agreement.margin_kw * k_per_kw
    return params.cool_kw * k_per_kw + surprise_k, params.heat_kw * k_per_kw + surprise_k


def can_promise(params: HvacParams, agreement: HvacAgreement) -> Tensor:
    """Return whether every promise of `refuse_what_cannot_be_promised` holds, (N,) bool."""
    unmet = torch.stack([short > 1e-9 for short, _ in _shortfalls(params, agreement)])
    return ~unmet.any(dim=0)


def refuse_what_cannot_be_promised(
    names: list[str], params: HvacParams, agreement: HvacAgreement
) -> None:
    """Refuse agreements that an on/off unit cannot keep.

    Args:
        names: Of the homes, as a person knows them, (N,).
        params: Units and houses, (N,).
        agreement: Of the owners, (N,).

    Raises:
        InputError: One home's band is too narrow, or closes too fast, for its unit.
    """
    for short, sentence in _shortfalls(params, agreement):
        refused = torch.nonzero(short > 1e-9).flatten().tolist()
        if refused:
            home = refused[0]
            raise InputError(f"home '{names[home]}': " + sentence(home))


def _shortfalls(
    params: HvacParams, agreement: HvacAgreement
) -> list[tuple[Tensor, Callable[[int], str]]]:
    """By how much each home fails each rule, positive = fails (N,), and the sentence on it."""
    a = agreement
    managed = a.managed > 0
    house = params.house
    cool_k, heat_k = a.setup_k + a.precool_k, a.setback_k + a.preheat_k
    least_cool_k, least_heat_k = least_band_k(params, a)
    store_kwh = house.air_kwh_per_k + house.mass_kwh_per_k
    follow_kw = store_kwh * a.ramp_k_per_h / _SHARE_TO_FOLLOW
    heat_kw = params.heat_kw + params.aux_kw + params.furnace_kw
    rated_kw = torch.where(params.cool_kw > 0, params.cool_kw / (1.0 + params.latent), heat_kw)
    rated_kw = torch.where(heat_kw > 0, torch.minimum(rated_kw, heat_kw), rated_kw)
    apart_k = a.cool_set_c - a.precool_k - a.heat_set_c + a.setback_k

    def narrow(what: str, has_k: Tensor, least_k: Tensor) -> Callable[[int], str]:
        return lambda home: (
            f"its {what} band of {has_k[home]:.2f} K is narrower than the "
            f"{least_k[home]:.2f} K that its unit moves the air before it may stop or start again; "
            f"allow at least that, or leave it unmanaged"
        )

    def fast(home: int) -> str:
        return (
            f"its band closes by {a.ramp_k_per_h[home]:.2f} K/h, which takes "
            f"{follow_kw[home]:.1f} kW of capacity with what the day needs, and it has "
            f"{rated_kw[home]:.1f} kW; lower offset_share or ramp_k_per_h"
        )

    def mixed(home: int) -> str:
        return (
            f"cooling may go down to {(a.cool_set_c - a.precool_k)[home]:.1f} C, which heating "
            f"may not let it fall below; raise cool_set_c or lower precool_k"
        )

    def only(short: Tensor, where: Tensor) -> Tensor:
        return torch.where(managed & where, short, torch.zeros_like(short))

    cools, heats = params.cool_kw > 0, params.heat_kw > 0
    return [
        (only(least_cool_k - cool_k, cools), narrow("cooling", cool_k, least_cool_k)),
        (only(least_heat_k - heat_k, heats), narrow("heating", heat_k, least_heat_k)),
        (only(follow_kw - rated_kw, a.ramp_k_per_h > 0), fast),
        (only(-apart_k, cools & (heat_kw > 0)), mixed),
    ]
