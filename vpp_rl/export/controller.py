"""The whole controller as one module: telemetry and signals in, set-points out.

It is scripted from the very functions that the environment calls. Homes come as a matrix with
named columns, so that any language can hand them over; the same file dispatches one home or a
million.
"""

import math

import torch
from torch import Tensor, nn

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.dispatch.cohort_power import cohort_power
from vpp_envs.dispatch.envelope import battery_envelope, neutral
from vpp_envs.dispatch.ev_envelope import into_steps
from vpp_envs.dispatch.moment import EvMoment, Moment, car_envelope
from vpp_envs.dispatch.value_curve import value_curve
from vpp_envs.dispatch.water_value import water_value
from vpp_envs.errors import InputError
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, Cohort, EvCohort, duration_class
from vpp_envs.fleet.fleet import EvFleet, Fleet
from vpp_envs.forecast.protocol import NODE_WEIGHTS
from vpp_envs.observation import Signals, fleet_features, observe, signal_features
from vpp_envs.simulator import SetPoints
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.export.cars import Cars
from vpp_rl.export.columns import columns_of


class Controller(nn.Module):
    """Observation, normaliser, policy, dispatch and envelope in one module."""

    cohort_of_class: Tensor
    weights: Tensor
    low: Tensor
    high: Tensor
    durations_h: list[float]
    one_way_effs: list[float]
    wears_per_kwh: list[float]

    def __init__(
        self,
        policy: PolicyNetwork,
        dispatch: str,
        cohorts: tuple[Cohort, ...],
        price_scale: float,
        dt_h: float,
        cars: tuple[EvCohort, ...] | None = None,
    ) -> None:
        """Assemble a controller.

        Args:
            policy: The trained network.
            dispatch: "value_curve" or "cohort_power".
            cohorts: Cohorts that the policy knows, in the order of its actions.
            price_scale: Typical price of its market. [currency/MWh]
            dt_h: Control interval. [h]
            cars: Classes of cars that the policy knows, in the order of its actions; None: the
                homes that it was trained on had none, and telemetry has no columns for them.

        Raises:
            InputError: The dispatch mode asks one action a home, which fits one fleet only.
        """
        super().__init__()
        if dispatch not in ("value_curve", "cohort_power"):
            raise InputError(
                f"dispatch={dispatch!r} cannot be exported: its action has one entry a home and "
                "fits one fleet only; train with dispatch=value_curve or dispatch=cohort_power."
            )
        self.policy = policy
        self.by_curve = dispatch == "value_curve"
        self.price_scale = price_scale
        self.dt_h = dt_h
        self.durations_h = [c.duration_h for c in cohorts]
        self.one_way_effs = [c.one_way_eff for c in cohorts]
        self.wears_per_kwh = [c.wear_per_kwh for c in cohorts]
        # Index of each known duration class among the policy's cohorts, -1 for the others.
        known = [c.name for c in cohorts]
        index = [known.index(c.name) if c.name in known else -1 for c in BATTERY_COHORTS]
        self.register_buffer("cohort_of_class", torch.tensor([*index, -1], dtype=torch.int64))
        self.register_buffer("weights", torch.tensor(NODE_WEIGHTS))
        telemetry = columns_of(cars is not None).telemetry
        self.register_buffer("low", torch.tensor([column.low for column in telemetry]))
        self.register_buffer("high", torch.tensor([column.high for column in telemetry]))
        self.unknown_kw = math.nan
        self.cars = None if cars is None else Cars(cars, dt_h)

    @torch.jit.export
    def curves(self, nodes_per_mwh: Tensor) -> Tensor:
        """Water value of each cohort for one forecast issue, (H, Q) -> (C, F).

        Call it once an issue (half an hour) and hand the result to `forward`.
        """
        nodes = nodes_per_mwh.to(self.weights.dtype) / 1000.0
        parts = [
            water_value(
                nodes,
                self.weights,
                self.durations_h[c],
                self.one_way_effs[c],
                self.wears_per_kwh[c],
                0.5,
            )
            for c in range(len(self.durations_h))
        ]
        if len(parts) == 0:
            return torch.zeros(0, 17, dtype=nodes.dtype, device=nodes.device)
        return torch.stack(parts, -2)

    @torch.jit.export
    def car_curves(self, nodes_per_mwh: Tensor) -> Tensor:
        """Value of a stored kWh in each class of cars, by stay and need, (H, Q) -> (V, L, S).

        Like `curves`, once an issue; a controller without cars has no need of it.
        """
        cars = self.cars
        if cars is None:
            return torch.zeros(0, 12, 25, dtype=self.weights.dtype, device=self.weights.device)
        return cars.curves(nodes_per_mwh.to(self.weights.dtype) / 1000.0, self.weights)

    def forward(
        self,
        telemetry: Tensor,
        signals: Tensor,
        nodes_per_mwh: Tensor,
        curve: Tensor,
        car_curve: Tensor | None = None,
    ) -> Tensor:
        """Dispatch a fleet for one interval.

        A home with a number missing or out of its range, or with a reserve above its capacity,
        takes no part: it is left alone and its row is marked, and the other homes are dispatched
        as if it were not there. So does a home whose car has such a number, or a target above its
        capacity or below its minimum, battery and all: what a car draws that nobody knows of is
        missing from the room at the connection. A battery or a car of a class that the policy does
        not know is left alone within its envelope; for a car this means to charge at once.

        Args:
            telemetry: One row a home, columns `columns_of(cars).telemetry`, (N, 13) or (N, 26).
            signals: Entries `SIGNAL_ENTRIES`, (7,).
            nodes_per_mwh: Latest forecast by lead and bin, (H, Q). [currency/MWh]
            curve: `curves` of that forecast, (C, F). [currency/kWh]
            car_curve: `car_curves` of it, (V, L, S); not needed without cars. [currency/kWh]

        Returns:
            One row a home, columns `columns_of(cars).set_points`, (N, 5) or (N, 8).
        """
        # Each column in one piece: all that follows passes over the homes, column by column.
        columns = telemetry.transpose(0, 1).contiguous()
        # Not a number compares as false.
        inside = (columns >= self.low.unsqueeze(-1)) & (columns <= self.high.unsqueeze(-1))
        # A reserve above the capacity (in per cent, or in the other's column) is out of reach: its
        # envelope would charge a full battery for ever.
        valid = inside.all(0) & (columns[10] <= columns[4])
        cars = self.cars
        if cars is not None:
            valid = valid & cars.consistent(columns[13:])
        fleet, moment = self._read(columns, valid, signals, curve, car_curve)
        part = signal_features(
            Signals(
                signals[0],
                signals[1],
                signals[2],
                signals[3],
                nodes_per_mwh.to(signals.dtype),
                signals[4],
                signals[5],
                signals[6],
            ),
            curve,
            self.price_scale,
        )
        action = self.policy(observe(part, fleet_features(moment, fleet, self.dt_h)))
        if self.by_curve:
            set_points = value_curve(action, moment, fleet, self.dt_h)
        else:
            set_points = cohort_power(action, moment, fleet, self.dt_h)
        # A home that is left alone keeps its solar output, which takes no more than its rating.
        rating_kw = torch.where(inside[3], columns[3], self.unknown_kw)
        return self._answer(set_points, moment, fleet, valid, rating_kw)

    def _answer(
        self, asked: SetPoints, moment: Moment, fleet: Fleet, valid: Tensor, rating_kw: Tensor
    ) -> Tensor:
        """Bring set-points into the envelopes, and write them column by column."""
        solar_kw, battery_kw = asked.solar_output_kw, asked.battery_kw
        site_kw = moment.load_kw - solar_kw
        of_cars: list[Tensor] = []
        evs, ev, ev_kw = moment.ev, fleet.ev, asked.ev_kw
        if evs is not None and ev is not None and ev_kw is not None:
            around = car_envelope(evs, moment, solar_kw, fleet, self.dt_h)
            # No charger runs at less than its least power: the battery makes room for what does.
            ev_kw = into_steps(ev_kw, around)
            site_kw = site_kw + ev_kw
            of_cars = [ev_kw, around.low_kw, around.high_kw]
        envelope = battery_envelope(
            moment.energy_kwh, site_kw, fleet.battery, fleet.agreement, self.dt_h
        )
        if len(of_cars) > 0:
            battery_kw = torch.minimum(torch.maximum(battery_kw, envelope.low_kw), envelope.high_kw)
        alone_kw = neutral(envelope.low_kw, envelope.high_kw)
        answer = [
            torch.where(fleet.cohort < 0, alone_kw, battery_kw),
            torch.where(solar_kw < moment.solar_available_kw, solar_kw, rating_kw),
            envelope.low_kw,
            envelope.high_kw,
            valid.to(solar_kw.dtype),
        ]
        # Not 0, which would stop the charging of a car that nobody knows.
        answer += [torch.where(valid, part, self.unknown_kw) for part in of_cars]
        return torch.stack(answer, -1)

    def _read(
        self,
        columns: Tensor,
        valid: Tensor,
        signals: Tensor,
        curve: Tensor,
        car_curve: Tensor | None,
    ) -> tuple[Fleet, Moment]:
        """Take the columns apart, (13, N) or (26, N).

        A home that is not valid becomes one without devices.
        """
        zero = torch.zeros_like(columns[0])
        one = torch.ones_like(zero)
        index = torch.zeros_like(zero, dtype=torch.int64)
        battery = BatteryParams(
            torch.where(valid, columns[4], one),
            torch.where(valid, columns[5], zero),
            torch.where(valid, columns[6], zero),
            torch.where(valid, columns[7], one),
            torch.where(valid, columns[8], zero),
            torch.where(valid, columns[9], zero),
        )
        agreement = Agreement(
            torch.where(valid, columns[10], zero),
            torch.where(valid, columns[11], one),
            torch.where(valid, columns[12], one),
            zero,
        )
        duration = duration_class(battery, agreement)
        known = self.cohort_of_class.index_select(0, duration.clamp(min=0))
        cohort = torch.where(duration < 0, torch.full_like(duration, -1), known)
        cars = self.cars
        ev: EvFleet | None = None
        evs: EvMoment | None = None
        if cars is not None:
            if car_curve is None:  # a policy that knows classes of cars refuses what follows
                car_curve = torch.zeros(0, 12, 25, dtype=curve.dtype, device=curve.device)
            ev = cars.fleet(columns[13:], valid)
            evs = cars.moment(columns[13:], valid, ev, signals[4], car_curve)
        fleet = Fleet(
            index,
            battery,
            torch.where(valid, columns[3], zero),
            index,
            zero,
            index,
            agreement,
            cohort,
            ev,
        )
        moment = Moment(
            torch.where(valid, columns[0], zero),
            torch.where(valid, columns[1], zero),
            torch.where(valid, columns[2], zero),
            (signals[0] / 1000.0).reshape(1),
            curve,
            evs,
        )
        return fleet, moment
