"""What programmes pay for taking part, as data, and the terms of homes that are paid by a rule."""

import difflib
from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.errors import InputError


class PaymentRule(NamedTuple):
    """What a programme pays; what it does not pay is 0."""

    name: str
    currency: str  # ISO 4217
    per_kwh: float = 0.0  # delivered in events, beyond the baseline [currency/kWh]
    per_kw_season: float = 0.0  # mean power over the events of a season [currency/kW]
    per_event: float = 0.0  # event that the home took part in to its end [currency]
    per_day: float = 0.0  # enrolled [currency/d]
    upfront: float = 0.0  # when the home joins [currency]
    home_share: float = 1.0  # the aggregator keeps the rest [0 to 1]
    as_credit: bool = False  # on the bill instead of cash


# Rates and terms as published, where a page is named; else as reported in the press, or, marked
# "m", from memory: defaults to be replaced by the contract at hand.
PAYMENT_RULES = (
    # tesla.com, PG&E emergency load reduction: $2 a kWh, at least 20 h a season, reserve kept.
    PaymentRule("elrp", "USD", per_kwh=2.0),
    # Demand side grid support, option 3: about $60 a kW and season for 2 h; the half kept is "m".
    PaymentRule("dsgs", "USD", per_kw_season=60.0, home_share=0.5),
    # nationalgridus, eversource, masssave: 30 to 60 summer events of at most 3 h.
    PaymentRule("connected_solutions_summer", "USD", per_kw_season=225.0),
    PaymentRule("connected_solutions_winter", "USD", per_kw_season=50.0),
    # Sunrun and PG&E 2023: $750 a home for a season of evenings; 2025: $150 a battery.
    PaymentRule("peak_power_rewards", "USD", upfront=750.0),
    PaymentRule("save", "USD", upfront=150.0),
    # ComEd: $10 a kW and season of mean injection on weekdays from 16 to 18 h.
    PaymentRule("comed_vpp", "USD", per_kw_season=10.0),
    # South Australia 2019-20: A$100 for signing up and 49.32 c a day.
    PaymentRule("agl_vpp", "AUD", upfront=100.0, per_day=0.4932, as_credit=True),
    # Australia, "m": about A$220 a year for at most 50 events.
    PaymentRule("tesla_energy_plan", "AUD", per_day=220.0 / 365.25, as_credit=True),
    # Thermostats, partly "m": about $50 once and $25 to 40 a season.
    PaymentRule("thermostat", "USD", upfront=50.0, per_day=32.5 / 184.0),
    # Water heaters, "m": $25 to 50 a year. Cars, "m": 2 to 5 c a kWh that was moved.
    PaymentRule("water_heater", "USD", per_day=37.5 / 365.25, as_credit=True),
    PaymentRule("managed_charging", "USD", per_kwh=0.035, as_credit=True),
)


class PaymentTerms(NamedTuple):
    """How the homes are paid, one column per home, (N,); units as in `PaymentRule`."""

    per_kwh: Tensor
    per_kw_season: Tensor
    per_event: Tensor
    per_day: Tensor
    upfront: Tensor
    home_share: Tensor
    as_credit: Tensor  # 1: on the bill; 0: cash


def payment_rule(name: str) -> PaymentRule:
    """Return the rule of a name.

    Args:
        name: One of `PAYMENT_RULES`.

    Raises:
        InputError: There is none of this name.
    """
    rules = {rule.name: rule for rule in PAYMENT_RULES}
    if name not in rules:
        near = difflib.get_close_matches(name, rules, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"take one of {', '.join(rules)}"
        raise InputError(f"payment rule '{name}' is not known; {hint}")
    return rules[name]


def terms_of(rule: PaymentRule, homes: int) -> PaymentTerms:
    """Give all homes the terms of one rule, float64.

    Args:
        rule: What the programme pays.
        homes: Number of homes, N.
    """
    values = (getattr(rule, name) for name in PaymentTerms._fields)
    return PaymentTerms(*(torch.full((homes,), float(v), dtype=torch.float64) for v in values))
