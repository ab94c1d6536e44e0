"""Rules that an operator would write by hand; the tunable ones are tuned on training days."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vpp_envs.dispatch.envelope import Envelope, battery_envelope, neutral
from vpp_envs.simulator import SetPoints
from vpp_rl.policy import Scene, solar_unless_negative

Tunable = float | Tensor  # one number, or a column (B, 1): rows of a batch may play different ones


def in_window(scene: Scene, from_h: Tunable, to_h: Tunable) -> Tensor:
    """Whether the interval starts in a window of the day, which may pass midnight, (B, 1) bool.

    Args:
        scene: What is known.
        from_h: Its first hour, local time. [h]
        to_h: The hour that it ends at; before the first: on the next day. [h]
    """
    hour = scene.hour.unsqueeze(-1)
    after, before = hour >= from_h, hour < to_h
    wraps = torch.as_tensor(from_h) > torch.as_tensor(to_h)
    return torch.where(wraps, after | before, after & before)


@dataclass(frozen=True)
class Idle:
    """Leave every device alone: batteries rest, solar produces all it can."""

    name: str = "idle"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Rest."""
        moment = scene.moment
        return SetPoints(torch.zeros_like(moment.load_kw), moment.solar_available_kw)


@dataclass(frozen=True)
class CurtailOnly:
    """Switch solar off at negative prices, and nothing else: what batteries are measured from."""

    name: str = "curtail only"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Rest, and curtail."""
        return SetPoints(torch.zeros_like(scene.moment.load_kw), solar_unless_negative(scene))


@dataclass(frozen=True)
class SelfConsumption:
    """Store what the roof leaves over, and cover the home's own load from it."""

    name: str = "self-consumption"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Bring the meter to zero."""
        moment = scene.moment
        return SetPoints(moment.solar_available_kw - moment.load_kw, moment.solar_available_kw)


@dataclass(frozen=True)
class TimeOfUse:
    """Charge in a window of the day and discharge in another."""

    charge_from_h: Tunable = 10.0
    charge_to_h: Tunable = 15.0
    discharge_from_h: Tunable = 17.0
    discharge_to_h: Tunable = 21.0
    name: str = "time of use"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Follow the clock."""
        charge = in_window(scene, self.charge_from_h, self.charge_to_h)
        discharge = in_window(scene, self.discharge_from_h, self.discharge_to_h)
        return _edges(scene, charge, discharge)


@dataclass(frozen=True)
class Quantile:
    """Charge when the price is low among the next day's forecast, discharge when it is high."""

    charge_below: Tunable = 0.25  # quantile of the forecast means of the next 24 hours
    discharge_above: Tunable = 0.85
    name: str = "quantile rule"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Compare the price with the day ahead."""
        day = scene.forecast_mean.double() / 1000.0
        low, high = _quantile(day, self.charge_below), _quantile(day, self.discharge_above)
        price = scene.moment.price_per_kwh.double()
        wear = scene.fleet.battery.wear_per_kwh.double()
        round_trip = scene.fleet.battery.one_way_eff.double().square()
        charge = (price <= low) & (round_trip * (high - wear) > price)
        discharge = (price >= high) & (round_trip * (price - wear) > low)
        return _edges(scene, charge, discharge)


def _quantile(values: Tensor, share: Tunable) -> Tensor:
    """Linear quantile along the last dimension, of a share that rows may differ in, (B, 1)."""
    ordered = values.sort(-1).values
    column = torch.as_tensor(share, dtype=values.dtype).expand(len(values), 1)
    place = column * (values.shape[-1] - 1)
    below, above = (ordered.gather(-1, i.long()) for i in (place.floor(), place.ceil()))
    return torch.lerp(below, above, place.frac())


def envelope_of(scene: Scene, solar_kw: Tensor) -> Envelope:
    """Envelope of the batteries beside a solar set-point."""
    moment = scene.moment
    return battery_envelope(
        moment.energy_kwh,
        moment.load_kw - solar_kw,
        scene.fleet.battery,
        scene.fleet.agreement,
        scene.scenario.dt_h,
    )


def _edges(scene: Scene, charge: Tensor, discharge: Tensor) -> SetPoints:
    """Charge or discharge as far as the envelope goes, else rest."""
    solar_kw = solar_unless_negative(scene)
    envelope = envelope_of(scene, solar_kw)
    rest_kw = neutral(envelope.low_kw, envelope.high_kw)
    battery_kw = torch.where(discharge, envelope.low_kw, rest_kw)
    return SetPoints(torch.where(charge, envelope.high_kw, battery_kw), solar_kw)
