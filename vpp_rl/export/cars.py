"""What a controller knows of cars: their columns, their promise, and what energy is worth to them.

It is a part of a controller that was trained on homes with cars, and of no other: an artifact
without it is what it was before there were cars.
"""

import torch
from torch import Tensor, nn

from vpp_envs.devices.ev import EvParams, EvState, Session, reachable_kwh
from vpp_envs.dispatch.ev_envelope import rounding
from vpp_envs.dispatch.ev_value import ev_value
from vpp_envs.dispatch.moment import EvMoment, car_moment
from vpp_envs.fleet.agreement import EvAgreement
from vpp_envs.fleet.cohorts import EV_COHORTS, EvCohort, ev_class
from vpp_envs.fleet.fleet import EvFleet
from vpp_envs.forecast.protocol import LEAD_H

# A home without a car, in the order of `EV_TELEMETRY_COLUMNS`.
NO_CAR = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)


class Cars(nn.Module):
    """Reads the columns of the cars, and tabulates the value of their energy."""

    cohort_of_class: Tensor
    no_car: Tensor
    discharges: list[bool]
    one_way_effs: list[float]
    wears_per_kwh: list[float]

    def __init__(self, cohorts: tuple[EvCohort, ...], dt_h: float) -> None:
        """Assemble it.

        Args:
            cohorts: Classes of cars that the policy knows, in the order of its actions.
            dt_h: Control interval. [h]
        """
        super().__init__()
        self.dt_h = dt_h
        self.ticks_per_issue = round(LEAD_H / dt_h)
        self.discharges = [c.discharges for c in cohorts]
        self.one_way_effs = [c.one_way_eff for c in cohorts]
        self.wears_per_kwh = [c.wear_per_kwh for c in cohorts]
        # Index of each known class among the policy's, -1 for the others.
        known = [c.name for c in cohorts]
        index = [known.index(c.name) if c.name in known else -1 for c in EV_COHORTS]
        self.register_buffer("cohort_of_class", torch.tensor([*index, -1], dtype=torch.int64))
        self.register_buffer("no_car", torch.tensor(NO_CAR))

    @torch.jit.export
    def curves(self, nodes_per_kwh: Tensor, weights: Tensor) -> Tensor:
        """Value of a stored kWh in each class, by stay and need, (H, Q) -> (C, L, S)."""
        nodes = nodes_per_kwh.unsqueeze(0)
        parts = [
            ev_value(
                nodes, weights, self.one_way_effs[c], self.wears_per_kwh[c], self.discharges[c]
            )[0]
            for c in range(len(self.discharges))
        ]
        if len(parts) == 0:  # cars, but none whose charging is the policy's to choose
            return torch.zeros(0, 12, 25, dtype=nodes.dtype, device=nodes.device)
        return torch.stack(parts)

    @torch.jit.export
    def consistent(self, columns: Tensor) -> Tensor:
        """Whether each target can be held by the car, and includes its minimum, (13, N) -> (N,)."""
        target_kwh = columns[10]
        return (target_kwh <= columns[2]) & (columns[11] <= target_kwh)

    @torch.jit.export
    def fleet(self, columns: Tensor, valid: Tensor) -> EvFleet:
        """Constants of the cars, (13, N); a home that is not valid has none."""
        own = torch.where(valid, columns, self.no_car.unsqueeze(-1))
        # How far it drives is no business of who dispatches it.
        params = EvParams(
            own[2], own[3], own[4], own[5], own[6], own[7], own[8], own[9], torch.zeros_like(own[0])
        )
        agreement = EvAgreement(own[10], own[11], own[12])
        kind = ev_class(params, agreement)
        last: int = self.cohort_of_class.shape[0] - 1
        cohort = self.cohort_of_class.index_select(
            0, torch.where(kind < 0, torch.full_like(kind, last), kind)
        )
        return EvFleet(params, agreement, torch.zeros_like(kind), cohort)

    @torch.jit.export
    def moment(
        self, columns: Tensor, valid: Tensor, ev: EvFleet, hour: Tensor, curve: Tensor
    ) -> EvMoment:
        """Cars and their stays now.

        What is excused of a target is not told by telemetry, for it follows from it: it is what
        is out of reach by now. Nothing that a car does brings more into reach than charging flat
        out, so that its reach never rises during a stay, and it falls below the target for two
        reasons alone: it was below at plug-in, or the site's own load took the power. Both are
        what the simulator excuses, there as it happens. All else the envelope holds at the
        promise, at which the reach then stays to the end.

        Args:
            columns: Telemetry of the cars, (13, N).
            valid: Homes that take part, (N,) bool.
            ev: Constants, (N,).
            hour: Hour of the market's day, with fraction, ().
            curve: `curves` of the latest forecast, (C, L, S). [currency/kWh]
        """
        none = torch.zeros_like(columns[0])
        energy_kwh = torch.where(valid, columns[0], none)
        hours_left = torch.where(valid, columns[1], none)
        short_kwh = ev.agreement.target_kwh - reachable_kwh(energy_kwh, hours_left, ev.params)
        short = short_kwh > rounding(short_kwh) * ev.params.capacity_kwh
        excused_kwh = torch.where(short & (hours_left > 0), short_kwh, none)
        # Whole intervals since the half hour began, though the hour be rounded down.
        passed = torch.remainder(torch.floor(hour / self.dt_h + 1e-3), self.ticks_per_issue)
        rest_h = ((self.ticks_per_issue - passed) * self.dt_h).reshape(1)
        return car_moment(
            EvState(energy_kwh, excused_kwh, energy_kwh),
            Session(hours_left, none, none, none),
            rest_h,
            curve,
            ev,
            self.dt_h,
        )
