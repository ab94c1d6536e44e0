"""Rules for charging cars that a driver or an operator would write by hand.

Batteries rest beside them. All of them ask for powers inside the envelope, so that the drivers'
targets are kept whatever the rule.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vpp_envs.dispatch.envelope import neutral
from vpp_envs.dispatch.ev_envelope import EvEnvelope, charging_at_once_kw
from vpp_envs.dispatch.moment import EvMoment, car_envelope
from vpp_envs.fleet.fleet import EvFleet
from vpp_envs.forecast.protocol import LEAD_H
from vpp_envs.simulator import SetPoints
from vpp_rl.baselines.rules import Tunable, in_window
from vpp_rl.policy import Policy, Scene

_SAME = 1e-6  # prices that differ by less are one price, told in two precisions [currency/kWh]


@dataclass(frozen=True)
class Together:
    """One rule for the batteries and the sun, and others for cars and flexible devices."""

    batteries: Policy
    cars: Policy | None = None
    devices: Policy | None = None
    kind: str = "rule"

    @property
    def name(self) -> str:
        """Their names."""
        all_of_them = (self.batteries, self.cars, self.devices)
        return ", ".join(one.name for one in all_of_them if one is not None)

    def act(self, scene: Scene) -> SetPoints:
        """Let each command its own."""
        asked = self.batteries.act(scene)
        if self.cars is not None:
            asked = asked._replace(ev_kw=self.cars.act(scene).ev_kw)
        if self.devices is not None:
            asked = asked._replace(flexible_kw=self.devices.act(scene).flexible_kw)
        return asked


@dataclass(frozen=True)
class Latest:
    """Charge as late as the target allows."""

    name: str = "charge at the latest"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Rest until the car must charge."""
        return _charge(scene, lambda cars, ev: torch.zeros_like(cars.state.energy_kwh).bool())


@dataclass(frozen=True)
class OffPeak:
    """Charge in a window of the night, as a timer in the car does."""

    from_h: Tunable = 23.0
    to_h: Tunable = 6.0
    name: str = "off-peak timer"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Follow the clock, up to the target."""
        night = in_window(scene, self.from_h, self.to_h)
        return _charge(scene, lambda cars, ev: night & (cars.need_h > 0))


@dataclass(frozen=True)
class CheapestSlots:
    """Charge in the cheapest half hours of the stay, by the mean of the forecast.

    With k half hours of charging missing, charge now if the price now is among the k lowest of now
    and the half hours left.
    """

    name: str = "cheapest slots"
    kind: str = "rule"

    def act(self, scene: Scene) -> SetPoints:
        """Compare the price now with those to come."""

        def cheap(cars: EvMoment, ev: EvFleet) -> Tensor:
            now = scene.moment.price_per_kwh.double()
            lead = scene.forecast_mean.double().unsqueeze(1) / 1000.0
            start_h = cars.rest_h.double().unsqueeze(-1) + LEAD_H * torch.arange(lead.shape[-1])
            # A slot counts by the part of it that lies in the stay.
            part = (cars.session.hours_left.double().unsqueeze(-1) - start_h) / LEAD_H
            inside = part > 0.5
            better = (inside & (lead < now.unsqueeze(-1) - _SAME)).sum(-1) * LEAD_H
            return (cars.need_h > 0) & (better < cars.need_h)

        return _charge(scene, cheap)


def _charge(scene: Scene, now: Callable[[EvMoment, EvFleet], Tensor]) -> SetPoints:
    """Charge as fast as the envelope allows where it is time, else as little as it must."""
    moment, fleet = scene.moment, scene.fleet
    cars, ev = moment.ev, fleet.ev
    rest = torch.zeros_like(moment.load_kw)
    if cars is None or ev is None:
        return SetPoints(rest, moment.solar_available_kw)
    envelope: EvEnvelope = car_envelope(
        cars, moment, moment.solar_available_kw, fleet, scene.scenario.dt_h
    )
    # To the target, not to the brim: a timer stops there.
    wanted_kw = charging_at_once_kw(cars.state.energy_kwh, cars.session, ev, scene.scenario.dt_h)
    high_kw = torch.minimum(envelope.high_kw, torch.maximum(wanted_kw, envelope.low_kw))
    power_kw = torch.where(now(cars, ev), high_kw, neutral(envelope.low_kw, envelope.high_kw))
    return SetPoints(rest, moment.solar_available_kw, power_kw)
