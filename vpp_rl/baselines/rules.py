"""Rules that an operator would write by hand; the tunable ones are tuned on training days."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vpp_envs.dispatch.envelope import Envelope, battery_envelope, neutral
from vpp_envs.simulator import SetPoints
from vpp_rl.policy import Scene, solar_unless_negative


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

    charge_from_h: float = 10.0
    charge_to_h: float = 15.0
    discharge_from_h: float = 17.0
    discharge_to_h: float = 21.0
    name: str = "time of use"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Follow the clock."""
        hour = scene.hour.unsqueeze(-1)
        charge = (hour >= self.charge_from_h) & (hour < self.charge_to_h)
        discharge = (hour >= self.discharge_from_h) & (hour < self.discharge_to_h)
        return _edges(scene, charge, discharge)


@dataclass(frozen=True)
class Quantile:
    """Charge when the price is low among the next day's forecast, discharge when it is high."""

    charge_below: float = 0.25  # quantile of the forecast means of the next 24 hours
    discharge_above: float = 0.85
    name: str = "quantile rule"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Compare the price with the day ahead."""
        day = scene.forecast_mean.double() / 1000.0
        low = torch.quantile(day, self.charge_below, dim=-1, keepdim=True)
        high = torch.quantile(day, self.discharge_above, dim=-1, keepdim=True)
        price = scene.moment.price_per_kwh.double()
        wear = scene.fleet.battery.wear_per_kwh.double()
        round_trip = scene.fleet.battery.one_way_eff.double().square()
        charge = (price <= low) & (round_trip * (high - wear) > price)
        discharge = (price >= high) & (round_trip * (price - wear) > low)
        return _edges(scene, charge, discharge)


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
