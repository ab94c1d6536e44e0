"""The model card of an artifact."""

from vpp_envs.forecast.naive import FORECASTERS
from vpp_rl.export.manifest import CarRecord, Manifest

_CAR_PROMISES = """
- A car that stays until its declared departure leaves with its target, or with what of it could be
  reached when it came; only the home's own load at a full connection can take from that. The
  promise is made anew from the telemetry of each call: `ev_energy_kwh` and `ev_hours_left` must be
  the car's own words. A car's set-point is 0, or no less than it can charge at.
- A home whose car has a number missing or impossible, or a target above its capacity or below its
  minimum, is marked as well, battery and all: an unknown draw leaves no known room at the
  connection. Its `ev_kw` is NaN, for a car that nobody commands charges at once."""

_DAY_AHEAD = """## Make the forecast

`day_ahead` makes `nodes_per_mwh` of past and published prices:

```python
import torch
from vpp_envs.forecast.day_ahead import day_ahead

price = torch.tensor(known_per_mwh, dtype=torch.float64)
issue, known = torch.tensor([now]), torch.tensor([len(price) // 6])
nodes_per_mwh = day_ahead(price, issue, known).nodes_per_mwh[0]
```

`known_per_mwh` has the five-minute prices from a midnight of the market's clock, 30 days ago or
more, up to the last half hour whose price is published, an hour's price standing twelve times;
`now` is the number of half hours from that midnight to the one that starts now.
"""


def model_card(manifest: Manifest) -> str:
    """Write the card in Markdown.

    Args:
        manifest: Of the artifact; its files need not be known yet.
    """
    parts = (_purpose, _training, _promises, _usage, _forecasting)
    return "\n".join(part(manifest) for part in parts)


def _purpose(m: Manifest) -> str:
    cohorts = ", ".join(f"{c.name} ({c.duration_h:g} h)" for c in m.cohorts) or "none"
    cars = "" if m.cars is None else _cars(m.cars)
    devices = "Home batteries and rooftop solar"
    if m.cars is not None:
        devices = "Home batteries, rooftop solar and electric cars"
    return f"""# Controller: {m.scenario}, {m.region}, {m.agent}

Exported {m.created_utc} by vpp-rl {m.package_version}. One TorchScript module from telemetry and
signals to set-points: observation, normaliser, policy, `{m.dispatch}` dispatch and the viability
envelope inside.

## Intended use

{devices} that earn on a five-minute wholesale market like that of
{m.region}. Any number of homes; one call every {m.control_dt_s} seconds. Known battery classes, by
hours of usable energy: {cohorts}. Batteries of another class are left alone.
{cars}"""


def _cars(known: tuple[CarRecord, ...]) -> str:
    names = ", ".join(
        f"{c.name} (gives back)" if c.discharges else f"{c.name} (charges only)" for c in known
    )
    return f"""
Known classes of cars: {names or "none"}. A car of another class, and one whose driver lets no one
choose when it charges (`ev_managed` 0), charges at once.
"""


def _training(m: Manifest) -> str:
    source = f"{m.prices}, SHA-256 {m.prices_sha256}" if m.prices_sha256 else m.prices
    return f"""## Trained on

| | |
|---|---|
| scenario | `{m.scenario}`, dispatch `{m.dispatch}` |
| market | {m.region}, {m.currency}, clock {m.zone} |
| prices | {source} |
| forecaster | {_forecaster(m.forecaster)} |
| training | {m.agent}, seed {m.seed}: {m.train_steps:,} steps in {m.train_s:.0f} s |
| validation | {m.validation_profit_per_home_year:,.0f} {m.currency} per home and year |

The validation days were not trained on, but this policy was chosen by them, so that its number is
somewhat too good. It is market money less battery wear; base load and solar are in it.
"""


def _promises(m: Manifest) -> str:
    cars = "" if m.cars is None else _CAR_PROMISES
    return f"""## Promises and limits

- Every set-point lies inside the home's envelope: reserve, battery limits, import and export
  limits hold for the interval, whatever the policy says.
- A home whose telemetry lacks a number, has one outside the manifest's range, or a reserve above
  its capacity, is marked (`valid` is false) and must not be commanded; the others are dispatched
  as if it were not there.{cars}
- A set-point expires after {m.control_dt_s} seconds (`valid_until`), counted from the start of the
  interval, however late in it the call came.
- The forecast must be causal and in the manifest's bins. Prices or forecasts far from those of
  training are answered by a network that has not seen them.
- Not for islanded operation, and no substitute for the inverter's own protection.
"""


def _usage(m: Manifest) -> str:
    signals = ", ".join(f"`{entry.name}`" for entry in (*m.signals, m.forecast))
    printed = "table.battery_kw.sum()" + ("" if m.cars is None else ", np.nansum(table.ev_kw)")
    imports = "" if m.cars is None else "import numpy as np\n\n"
    return f"""## Load it

```python
{imports}from vpp_rl.export import load

controller = load("this folder")
table = controller.dispatch(telemetry, signals)
print({printed}, table.valid_until)
```

`telemetry` has a row for each home and the columns that `manifest.json` lists; `signals` has
{signals}.

Sign: {m.sign_convention}.
"""


def _forecasting(m: Manifest) -> str:
    name = m.forecaster
    if name == "day_ahead":
        return _DAY_AHEAD
    # The exact law is known of synthetic prices only, and the oracle's future of past ones.
    if name not in FORECASTERS or name == "oracle":
        name = "seasonal_decayed"
    return f"""## Make the forecast

`{name}` makes `nodes_per_mwh` of past prices:

```python
import torch
from vpp_envs.forecast.naive import {name}

price = torch.tensor(history_per_mwh, dtype=torch.float64)
whole = torch.cat([price, price[-1:].expand(-len(price) % 6)])  # up to a half hour's end
nodes_per_mwh = {name}(whole).nodes_per_mwh[-1]
```

`history_per_mwh` has the five-minute prices from a midnight of the market's clock, 30 days ago or
more, up to and including the interval that starts now. One forecast serves its half hour: it knows
no price after that of the first interval.
"""


def _forecaster(name: str | None) -> str:
    if name is None:
        return "not noted by the run"
    if name == "exact":
        return "`exact`: the conditional law of the synthetic prices; no real market tells its own"
    if name == "oracle":
        return "`oracle`: the future itself, which no deployer knows"
    if name == "day_ahead":
        return "`day_ahead`: the prices that are published, and their season beyond"
    return f"`{name}`: causal, from the prices' own past"
