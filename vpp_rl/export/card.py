"""The model card of an artifact."""

from vpp_rl.training.checkpoint import PolicyFacts


def model_card(facts: PolicyFacts, created_utc: str) -> str:
    """Write the card in Markdown.

    Args:
        facts: What is known of the policy.
        created_utc: When it was exported.
    """
    cohorts = ", ".join(facts.cohorts)
    return f"""# Controller: {facts.scenario}, {facts.region}, {facts.agent}

Exported {created_utc}. One TorchScript module from telemetry and signals to set-points:
observation, normaliser, policy, `{facts.dispatch}` dispatch and the viability envelope inside.

## Intended use

Home batteries and rooftop solar that earn on a five-minute wholesale market like that of
{facts.region}. Any number of homes; one call every {facts.control_dt_s} seconds. Known battery
classes: {cohorts}. Homes of another class are left alone.

## Trained on

Scenario `{facts.scenario}`, market {facts.region} ({facts.currency}, {facts.zone}), seed
{facts.seed}: {facts.train_steps:,} steps in {facts.train_s:.0f} s. On validation days, which
training did not see and by which this policy was chosen, it made
{facts.validation_profit_per_home_year:,.0f} {facts.currency} per home and year: market money less
battery wear, base load and solar included.

## Promises and limits

- Every set-point lies inside the home's envelope: reserve, battery limits, import and export
  limits hold for the interval, whatever the policy says.
- A home whose telemetry lacks a number is left alone and marked; a set-point expires after
  {facts.control_dt_s} seconds.
- The forecast must be causal and in the manifest's bins. Prices far from those of training are
  answered by a network that has not seen them.
- Not for islanded operation, and no substitute for the inverter's own protection.

## Load it

```python
from vpp_rl.export import load

controller = load("this folder")
table = controller.dispatch(telemetry, signals)  # columns and entries: manifest.json
print(table.battery_kw.sum(), table.valid_until)
```

Sign: power above 0 draws from the grid (charging), below 0 injects.
"""
