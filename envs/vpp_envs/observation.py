"""What a policy sees: named features of the signals and of the fleet, all per unit.

Nothing depends on the number of homes, so a policy trained on 256 homes dispatches a million.
The same functions fill the tables of the environment and run inside an exported controller.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.dispatch.envelope import battery_envelope
from vpp_envs.dispatch.moment import EvMoment, Moment, car_envelope, laxity_h
from vpp_envs.dispatch.value_curve import usable_fill
from vpp_envs.fleet.fleet import EvFleet, Fleet, rated_kw
from vpp_envs.flexible.flex import Flex
from vpp_envs.people.events import EVENT_FEATURES

# Half hours ahead, counted from 0 = the next half hour.
MEDIAN_LEADS = (0, 1, 2, 3, 5, 7, 9, 11, 14, 17, 20, 24, 28, 32, 36, 41, 47)
SPREAD_LEADS = (0, 1, 3, 7, 11, 17, 23, 35)
CURVE_FILLS = (0.1, 0.5, 0.9)
OBSERVATION_LIMIT = 10.0
# What is seen of each cohort, in the order in which the functions below make it.
BATTERY_FEATURES = (
    *("rated_share", "low", "high", "fill_mean", "fill_std", "empty_share", "full_share"),
)
CAR_FEATURES = (
    *("rated_share", "plugged_share", "low", "high", "due_within_2h", "due_2h_to_8h"),
    *("due_after_8h", "laxity", "value_over_price"),
)
FLEXIBLE_FEATURES = (
    *("rated_share", "low", "high", "alone", "fill_mean", "fill_std", "value_over_price"),
)


class Signals(NamedTuple):
    """Grid signals at one moment, (...)."""

    price_per_mwh: Tensor  # of the interval that starts now [currency/MWh]
    previous_per_mwh: Tensor  # of the interval before [currency/MWh]
    day_mean_per_mwh: Tensor  # over the last 24 hours [currency/MWh]
    day_std_per_mwh: Tensor  # over the last 24 hours [currency/MWh]
    nodes_per_mwh: Tensor  # latest forecast by lead and bin, (..., H, Q) [currency/MWh]
    hour: Tensor  # of the market's day, with fraction [0 to 24)
    day_of_year: Tensor  # [1 to 366]
    weekend: Tensor  # 1 on Saturday and Sunday


def signal_features(signals: Signals, curve: Tensor, price_scale: float) -> Tensor:
    """Features of the signals alone, (..., F): prices, calendar, value curves.

    Args:
        signals: Grid signals.
        curve: Water value by cohort and fill, (..., C, F). [currency/kWh]
        price_scale: Typical price of the market, the median |price| of its training days.
            [currency/MWh]
    """
    middle = signals.nodes_per_mwh[..., 4]
    high = signals.nodes_per_mwh[..., 7]
    median_leads = torch.tensor(
        [0, 1, 2, 3, 5, 7, 9, 11, 14, 17, 20, 24, 28, 32, 36, 41, 47], device=middle.device
    )
    spread_leads = torch.tensor([0, 1, 3, 7, 11, 17, 23, 35], device=middle.device)
    level = compress(middle, price_scale)
    spread = compress(high, price_scale) - level
    points = curve.shape[-1]
    at = [(points - 1) // 10, (points - 1) // 2, (points - 1) * 9 // 10]
    value = torch.stack([curve[..., at[0]], curve[..., at[1]], curve[..., at[2]]], -1)
    value = compress(value * 1000.0, price_scale)
    day = signals.hour * (6.283185307179586 / 24.0)
    year = signals.day_of_year * (6.283185307179586 / 365.25)
    half_hour_share = torch.remainder(signals.hour * 2.0, 1.0)
    now = compress(signals.price_per_mwh, price_scale)
    single = torch.stack(
        [
            now,
            compress(signals.previous_per_mwh, price_scale),
            compress(signals.day_mean_per_mwh, price_scale),
            compress(signals.day_std_per_mwh, price_scale),
            torch.sin(day),
            torch.cos(day),
            torch.sin(year),
            torch.cos(year),
            signals.weekend,
            half_hour_share,
        ],
        -1,
    )
    return torch.cat(
        [
            single,
            level.index_select(-1, median_leads),
            spread.index_select(-1, spread_leads),
            value.flatten(-2),
            (now.unsqueeze(-1).unsqueeze(-1) - value).flatten(-2),
        ],
        -1,
    )


def compress(price_per_mwh: Tensor, price_scale: float) -> Tensor:
    """Squeeze a heavy-tailed price: asinh(p / scale) / 4."""
    return torch.asinh(price_per_mwh / price_scale) / 4.0


def fleet_features(moment: Moment, fleet: Fleet, dt_h: float) -> Tensor:
    """Features of the fleet, (..., F): its site power, each cohort's room and fill, and the cars.

    Sums run in float64, so that the order of the homes does not matter.

    Args:
        moment: State and signals of the step that starts now.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    site_kw = moment.load_kw - moment.solar_available_kw
    envelope = battery_envelope(moment.energy_kwh, site_kw, fleet.battery, fleet.agreement, dt_h)
    rating_kw = torch.maximum(fleet.battery.discharge_kw, fleet.battery.charge_kw)
    plant_kw = rated_kw(fleet).sum(-1, dtype=torch.float64) + 1e-9
    plant_kw = plant_kw.expand(moment.energy_kwh.shape[:-1])
    parts = [
        moment.load_kw.sum(-1, dtype=torch.float64) / plant_kw,
        moment.solar_available_kw.sum(-1, dtype=torch.float64) / plant_kw,
    ]
    fill = usable_fill(moment.energy_kwh, fleet)
    for cohort in range(moment.curve.shape[-2]):
        member = (fleet.cohort == cohort).to(fill.dtype)
        cohort_kw = ((rating_kw * member).sum(-1, dtype=torch.float64) + 1e-9).expand_as(plant_kw)
        usable = member / (member.sum(-1, keepdim=True, dtype=torch.float64) + 1e-9).to(fill.dtype)
        mean = (fill * usable).sum(-1, dtype=torch.float64)
        square = (fill * fill * usable).sum(-1, dtype=torch.float64)
        parts += [
            cohort_kw / plant_kw,
            (envelope.low_kw * member).sum(-1, dtype=torch.float64) / cohort_kw,
            (envelope.high_kw * member).sum(-1, dtype=torch.float64) / cohort_kw,
            mean,
            (square - mean * mean).clamp(min=1e-12).sqrt(),
            ((fill < 0.05).to(fill.dtype) * usable).sum(-1, dtype=torch.float64),
            ((fill > 0.95).to(fill.dtype) * usable).sum(-1, dtype=torch.float64),
        ]
    cars, ev = moment.ev, fleet.ev
    if cars is not None and ev is not None:
        parts += car_features(cars, ev, plant_kw, moment, fleet, dt_h)
    flexes = moment.flexes
    if flexes is not None:
        for flex in flexes:
            parts += flexible_features(flex, plant_kw, moment)
    return torch.stack(parts, -1).to(fill.dtype)


def car_features(
    cars: EvMoment, ev: EvFleet, plant_kw: Tensor, moment: Moment, fleet: Fleet, dt_h: float
) -> list[Tensor]:
    """Features of the cars by class, (...) each: their room, when they leave, what they are worth.

    Args:
        cars: Their state and stays.
        ev: Their constants, (N,).
        plant_kw: Rated power of the plant, (...) float64. [kW]
        moment: State and signals.
        fleet: Constants of the homes, (N,).
        dt_h: Length of the step. [h]
    """
    envelope = car_envelope(cars, moment, moment.solar_available_kw, fleet, dt_h)
    left_h, due_h = cars.session.hours_left, cars.need_h.clamp(min=0.0)
    plugged = (left_h > 0).to(due_h.dtype)
    due_kwh = due_h * plugged * ev.params.charge_kw  # at the meter
    worth = cars.value_per_kwh * ev.params.charge_eff
    relative = compress((worth - moment.price_per_kwh) * 1000.0, 100.0) * plugged
    rest = torch.zeros_like(due_kwh) + laxity_h(cars).clamp(0.0, 24.0) * plugged / 24.0
    parts: list[Tensor] = []
    for index in range(cars.curve.shape[-3]):
        member = (ev.cohort == index).to(due_kwh.dtype)
        class_kw = (ev.params.charge_kw * member).sum(-1, dtype=torch.float64) + 1e-9
        count = member.sum(-1, keepdim=True, dtype=torch.float64) + 1e-9
        each = member / count.to(due_kwh.dtype)
        soon, late = (left_h <= 2.0).to(due_kwh.dtype), (left_h > 8.0).to(due_kwh.dtype)
        parts += [
            class_kw.expand_as(plant_kw) / plant_kw,
            (plugged * each).sum(-1, dtype=torch.float64),
            (envelope.low_kw * member).sum(-1, dtype=torch.float64) / class_kw,
            (envelope.high_kw * member).sum(-1, dtype=torch.float64) / class_kw,
            (due_kwh * soon * member).sum(-1, dtype=torch.float64) / class_kw,
            (due_kwh * (1.0 - soon - late) * member).sum(-1, dtype=torch.float64) / class_kw,
            (due_kwh * late * member).sum(-1, dtype=torch.float64) / class_kw,
            (rest * each).sum(-1, dtype=torch.float64),
            (relative * each).sum(-1, dtype=torch.float64),
        ]
    return parts


def flexible_features(flex: Flex, plant_kw: Tensor, moment: Moment) -> list[Tensor]:
    """Features of one kind of flexible device by class, (...) each.

    Args:
        flex: The devices at this moment.
        plant_kw: Rated power of the plant, (...) float64. [kW]
        moment: State and signals.
    """
    worth = compress((flex.value_per_kwh - moment.price_per_kwh) * 1000.0, 100.0)
    parts: list[Tensor] = []
    for index in range(flex.curve.shape[-2]):
        member = (flex.cohort == index).to(flex.fill.dtype)
        class_kw = (flex.rated_kw * member).sum(-1, dtype=torch.float64) + 1e-9
        count = member.sum(-1, keepdim=True, dtype=torch.float64) + 1e-9
        each = member / count.to(member.dtype)
        mean = (flex.fill * each).sum(-1, dtype=torch.float64)
        square = (flex.fill * flex.fill * each).sum(-1, dtype=torch.float64)
        parts += [
            class_kw.expand_as(plant_kw) / plant_kw,
            (flex.low_kw * member).sum(-1, dtype=torch.float64) / class_kw,
            (flex.high_kw * member).sum(-1, dtype=torch.float64) / class_kw,
            (flex.alone_kw * member).sum(-1, dtype=torch.float64) / class_kw,
            mean,
            (square - mean * mean).clamp(min=1e-12).sqrt(),
            (worth * each).sum(-1, dtype=torch.float64),
        ]
    return parts


def observe(signal_part: Tensor, fleet_part: Tensor) -> Tensor:
    """Join and bound the features, (..., F)."""
    both = torch.cat([signal_part.to(fleet_part.dtype), fleet_part], -1)
    return both.clamp(-10.0, 10.0)


def feature_names(
    cohorts: tuple[str, ...],
    cars: tuple[str, ...] = (),
    retail: bool = False,
    flexible: tuple[str, ...] = (),
    events: bool = False,
) -> tuple[str, ...]:
    """Names of all features in order: the first column of the observation's table.

    Args:
        cohorts: Battery cohorts present.
        cars: Classes of cars present.
        retail: Whether the homes stand behind a tariff, with a price of its own for export.
        flexible: Classes of flexible devices present, kind by kind.
        events: Whether homes are in a programme that calls events.
    """
    names = [
        "price/now",
        "price/previous",
        "price/day_mean",
        "price/day_std",
        "calendar/day_sin",
        "calendar/day_cos",
        "calendar/year_sin",
        "calendar/year_cos",
        "calendar/weekend",
        "calendar/half_hour_share",
    ]
    names += [f"price/median_{(lead + 1) / 2:g}h" for lead in MEDIAN_LEADS]
    names += [f"price/spread_{(lead + 1) / 2:g}h" for lead in SPREAD_LEADS]
    names += [f"{c}/value_at_{fill:g}" for c in cohorts for fill in CURVE_FILLS]
    names += [f"{c}/price_over_value_at_{fill:g}" for c in cohorts for fill in CURVE_FILLS]
    names += ["price/export"] if retail else []
    names += EVENT_FEATURES if events else ()
    names += ["fleet/load", "fleet/solar"]
    kinds = ((cohorts, BATTERY_FEATURES), (cars, CAR_FEATURES), (flexible, FLEXIBLE_FEATURES))
    names += [f"{name}/{what}" for some, features in kinds for name in some for what in features]
    return tuple(names)
