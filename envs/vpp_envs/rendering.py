"""What `render_mode="ansi"` shows."""

from torch import Tensor

from vpp_envs.fleet.fleet import Fleet
from vpp_envs.scenario import Scenario
from vpp_envs.transition import Totals


def status_lines(
    scenario: Scenario,
    fleet: Fleet,
    tick: Tensor,
    price_per_kwh: Tensor,
    energy_kwh: Tensor,
    served: Totals | None,
) -> tuple[str, ...]:
    """One line of text for each row.

    Args:
        scenario: That is played.
        fleet: Constants, (N,) or (B, N).
        tick: Of each row, (B,).
        price_per_kwh: (B, 1). [currency/kWh]
        energy_kwh: Stored energy, (B, N). [kWh]
        served: What the last interval came to; none before the first.
    """
    market = scenario.market
    capacity_kwh = fleet.battery.capacity_kwh.expand_as(energy_kwh)
    lines = []
    for row in range(len(tick)):
        day, hour = divmod(int(tick[row]), scenario.ticks_per_day)
        price = float(price_per_kwh[row]) * 1000.0
        fill = float(energy_kwh[row].sum() / capacity_kwh[row].sum())
        battery_kw = float(served.battery_kwh[row]) / scenario.dt_h if served else 0.0
        lines.append(
            f"day {day} {hour * scenario.dt_h:05.2f} h ({market.zone})  "
            f"price {price:8.1f} {market.currency}/MWh  "
            f"batteries {battery_kw:+9.1f} kW  stored {fill:4.0%}"
        )
    return tuple(lines)
