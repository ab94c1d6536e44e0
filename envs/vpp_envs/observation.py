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

    Args:
        moment: State and signals of the step that starts now.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    return features_of(fleet_sums(moment, fleet, dt_h), moment)


def fleet_sums(moment: Moment, fleet: Fleet, dt_h: float) -> Tensor:
    """Sums over the homes that the features are made of, (..., S) float64.

    In float64 the order of the homes does not matter. The sums of two fleets add up to those of
    both, so that a large fleet can be looked at part by part.

    Args:
        moment: State and signals of the step that starts now.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]

    Returns:
        Rated power, load and available sun; then for each battery cohort its rated power, count,
        lower and upper edge, fill, squared fill, and how many are empty and full; then `car_sums`
        and, kind by kind, `flexible_sums`.
    """
    site_kw = moment.load_kw - moment.solar_available_kw
    envelope = battery_envelope(moment.energy_kwh, site_kw, fleet.battery, fleet.agreement, dt_h)
    rating_kw = torch.maximum(fleet.battery.discharge_kw, fleet.battery.charge_kw)
    parts = [_sum(rated_kw(fleet)), _sum(moment.load_kw), _sum(moment.solar_available_kw)]
    fill = usable_fill(moment.energy_kwh, fleet)
    empty, full = (fill < 0.05).to(fill.dtype), (fill > 0.95).to(fill.dtype)
    for cohort in range(moment.curve.shape[-2]):
        member = (fleet.cohort == cohort).to(fill.dtype)
        here = fill * member
        parts += [
            _sum(rating_kw * member),
            _sum(member),
            _sum(envelope.low_kw * member),
            _sum(envelope.high_kw * member),
            _sum(here),
            _sum(fill * here),
            _sum(empty * member),
            _sum(full * member),
        ]
    cars, ev = moment.ev, fleet.ev
    if cars is not None and ev is not None:
        parts += car_sums(cars, ev, moment, fleet, dt_h)
    flexes = moment.flexes
    if flexes is not None:
        for flex in flexes:
            parts += flexible_sums(flex, moment)
    rows = moment.energy_kwh.shape[:-1]
    return torch.stack([part.expand(rows) for part in parts], -1)


def car_sums(
    cars: EvMoment, ev: EvFleet, moment: Moment, fleet: Fleet, dt_h: float
) -> list[Tensor]:
    """Sums over the cars by class, (...) each: their room, when they leave, what they are worth.

    Args:
        cars: Their state and stays.
        ev: Their constants, (N,).
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
    rest = laxity_h(cars).clamp(0.0, 24.0) * plugged / 24.0
    soon, late = (left_h <= 2.0).to(due_kwh.dtype), (left_h > 8.0).to(due_kwh.dtype)
    soon_kwh, late_kwh = due_kwh * soon, due_kwh * late
    between_kwh = due_kwh * (1.0 - soon - late)
    parts: list[Tensor] = []
    for index in range(cars.curve.shape[-3]):
        member = (ev.cohort == index).to(due_kwh.dtype)
        parts += [
            _sum(ev.params.charge_kw * member),
            _sum(member),
            _sum(plugged * member),
            _sum(envelope.low_kw * member),
            _sum(envelope.high_kw * member),
            _sum(soon_kwh * member),
            _sum(between_kwh * member),
            _sum(late_kwh * member),
            _sum(rest * member),
            _sum(relative * member),
        ]
    return parts


def flexible_sums(flex: Flex, moment: Moment) -> list[Tensor]:
    """Sums over one kind of flexible device by class, (...) each: room, fill and worth.

    Args:
        flex: The devices at this moment.
        moment: State and signals.
    """
    worth = compress((flex.value_per_kwh - moment.price_per_kwh) * 1000.0, 100.0)
    parts: list[Tensor] = []
    for index in range(flex.curve.shape[-2]):
        member = (flex.cohort == index).to(flex.fill.dtype)
        here = flex.fill * member
        parts += [
            _sum(flex.rated_kw * member),
            _sum(member),
            _sum(flex.low_kw * member),
            _sum(flex.high_kw * member),
            _sum(flex.alone_kw * member),
            _sum(here),
            _sum(flex.fill * here),
            _sum(worth * member),
        ]
    return parts


def features_of(sums: Tensor, moment: Moment) -> Tensor:
    """Features per unit of the plant, of a class's rated power, or of its homes, (..., F).

    Args:
        sums: From `fleet_sums`, (..., S).
        moment: Any part of the fleet: says how many classes of what there are, and the precision.
    """
    cohorts, classes = moment.curve.shape[-2], 0
    cars, flexes = moment.ev, moment.flexes
    if cars is not None:
        classes = cars.curve.shape[-3]
    plant_kw = sums[..., :1] + 1e-9
    parts = [sums[..., 1:3] / plant_kw]
    of_cars = 3 + 8 * cohorts
    of_flexible = of_cars + 10 * classes
    if cohorts > 0:
        parts.append(_of_stores(sums[..., 3:of_cars].unflatten(-1, [cohorts, 8]), plant_kw, 2))
    if classes > 0:
        each = sums[..., of_cars:of_flexible].unflatten(-1, [classes, 10])
        kw, count = each[..., :1] + 1e-9, each[..., 1:2] + 1e-9
        shares = [kw / plant_kw.unsqueeze(-1), each[..., 2:3] / count]
        parts.append(
            torch.cat(shares + [each[..., 3:8] / kw, each[..., 8:] / count], -1).flatten(-2)
        )
    kinds = (sums.shape[-1] - of_flexible) // 8
    if flexes is not None and kinds > 0:
        parts.append(_of_stores(sums[..., of_flexible:].unflatten(-1, [kinds, 8]), plant_kw, 3))
    return torch.cat(parts, -1).to(moment.energy_kwh.dtype)


def _of_stores(sums: Tensor, plant_kw: Tensor, powers: int) -> Tensor:
    """Features of classes of what has a fill, (..., C * 7).

    Args:
        sums: Of each class: rated power, count, some powers, fill, squared fill, and what is a
            mean over the class, (..., C, 8) float64.
        plant_kw: Rated power of the plant, (..., 1). [kW]
        powers: How many powers there are.
    """
    kw, count = sums[..., :1] + 1e-9, sums[..., 1:2] + 1e-9
    edges, means = sums[..., 2 : 2 + powers] / kw, sums[..., 2 + powers :] / count
    fill, square = means[..., :1], means[..., 1:2]
    deviation = (square - fill * fill).clamp(min=1e-12).sqrt()
    share = kw / plant_kw.unsqueeze(-1)
    return torch.cat([share, edges, fill, deviation, means[..., 2:]], -1).flatten(-2)


def _sum(column: Tensor) -> Tensor:
    """Sum over the homes, (...) float64."""
    return column.sum(-1, dtype=torch.float64)


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
