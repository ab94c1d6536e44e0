"""Rolling model-predictive control: a linear programme of each cohort at every interval."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from vpp_envs.dispatch.cohort_power import level_fill
from vpp_envs.dispatch.envelope import neutral
from vpp_envs.forecast.protocol import LEAD_H, LEADS, MEDIAN_NODE
from vpp_envs.signals.market import TICKS_PER_ISSUE
from vpp_envs.simulator import SetPoints
from vpp_rl.baselines.mpc_lp import RollingStorageLp, Storage
from vpp_rl.baselines.rules import Tunable, envelope_of
from vpp_rl.policy import Scene, solar_unless_negative

_INTERVALS = 2 + LEADS  # now, the rest of this half hour, and the leads


@dataclass
class Mpc:
    """Plans a day ahead with the forecast's mean, and plays the first interval.

    The current interval carries its actual price. The power of a cohort is shared among its
    homes so that their fills draw level. The tunable numbers are tuned on training days.
    """

    mean_weight: Tunable = 1.0  # of the forecast mean against its median
    wear_factor: Tunable = 1.0  # hurdle: wear as the programme sees it, over the real one
    name: str = "mpc"
    kind: str = "optimiser"
    _programmes: dict[int, RollingStorageLp] = field(default_factory=dict, repr=False)

    def act(self, scene: Scene) -> SetPoints:
        """Solve one programme a row and cohort."""
        fleet, scenario = scene.fleet, scene.scenario
        solar_kw = solar_unless_negative(scene)
        envelope = envelope_of(scene, solar_kw)
        price, dt_h = self._horizon(scene)
        battery_kw = neutral(envelope.low_kw, envelope.high_kw)
        for index in range(len(scenario.cohorts)):
            member = (fleet.cohort == index).to(battery_kw.dtype)
            storage = _summed(scene, member, price, self.wear_factor)
            programme = self._programmes.setdefault(index, RollingStorageLp(_INTERVALS))
            target = programme.solve(price, dt_h, storage).battery_kw
            low_kw, high_kw = envelope.low_kw * member, envelope.high_kw * member
            wanted = torch.from_numpy(target).to(battery_kw).unsqueeze(-1)
            wanted = torch.minimum(
                torch.maximum(wanted, low_kw.sum(-1, keepdim=True)), high_kw.sum(-1, keepdim=True)
            )
            shared = level_fill(
                wanted, scene.moment.energy_kwh, low_kw, high_kw, fleet, scenario.dt_h
            )
            battery_kw = torch.where(member > 0, shared, battery_kw)
        return SetPoints(battery_kw, solar_kw)

    def _horizon(self, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        """Price and length of each interval of the plan, (B, K). [currency/kWh], [h]"""
        nodes = scene.forecast_nodes.double()
        mean = nodes @ scene.scenario.forecast.weights.double()
        lead = self.mean_weight * mean + (1.0 - self.mean_weight) * nodes[..., MEDIAN_NODE]
        now = scene.moment.price_per_kwh.double() * 1000.0
        # The rest of the half hour: between the price now and the first lead.
        price = torch.cat([now, 0.5 * (now + lead[..., :1]), lead], -1) / 1000.0
        left = (TICKS_PER_ISSUE - 1 - scene.tick % TICKS_PER_ISSUE).double() * scene.scenario.dt_h
        dt_h = torch.full_like(price, LEAD_H)
        dt_h[:, 0] = scene.scenario.dt_h
        dt_h[:, 1] = left
        return price.numpy(), dt_h.numpy()


def _summed(scene: Scene, member: Tensor, price: np.ndarray, wear_factor: Tunable) -> Storage:
    """Sum a cohort's batteries to one, (B,)."""
    battery, agreement = scene.fleet.battery, scene.fleet.agreement
    rows = len(price)

    def total(values: Tensor) -> np.ndarray:
        return np.broadcast_to((values * member).sum(-1).double().numpy(), (rows,))

    def mean(values: Tensor) -> np.ndarray:
        weight = member * battery.capacity_kwh
        return np.broadcast_to(
            ((values * weight).sum(-1) / weight.sum(-1)).double().numpy(), (rows,)
        )

    eff = mean(battery.one_way_eff)
    # What is left at the horizon is worth the typical price of the day ahead, less losses.
    final = np.median(price[:, 2:], axis=-1) * eff
    return Storage(
        energy_kwh=total(scene.moment.energy_kwh),
        low_kwh=total(agreement.reserve_kwh),
        high_kwh=total(battery.capacity_kwh),
        charge_kw=total(battery.charge_kw),
        discharge_kw=total(battery.discharge_kw),
        one_way_eff=eff,
        standing_loss_kw=total(battery.standing_loss_kw),
        wear_per_kwh=mean(battery.wear_per_kwh) * np.asarray(wear_factor).reshape(-1),
        final_value_per_kwh=final,
    )
