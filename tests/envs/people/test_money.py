"""What is paid is what is received, and rules pay what their programmes say."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.people.money import (
    Delivery,
    first_earned,
    gross,
    pay,
    payment_parties,
    to_home,
    use_credit,
)
from vpp_envs.people.payment_rules import PAYMENT_RULES, payment_rule, terms_of

LIKE = torch.zeros(1, 1)
NO = torch.zeros(1, 1, dtype=torch.bool)


def delivery(kw=0.0, dt_h=1.0, called=True, completed=False, joins=False, new_season=False):
    return Delivery(LIKE + kw * dt_h, NO | called, NO | completed, ~NO, NO | joins, NO | new_season)


def season(name, powers, dt_h=1.0, **how):
    """Payments of a home that delivers one power after the other."""
    terms, earned, total, home = terms_of(payment_rule(name), 1), first_earned(LIKE), 0.0, 0.0
    for kw in powers:
        payments, earned = pay(terms, earned, delivery(kw, dt_h, **how), dt_h)
        total, home = total + gross(payments).item(), home + to_home(payments, terms).item()
    return total, home, earned


def test_five_kw_for_three_hours_earn_thirty_dollars_of_emergency_reduction():
    assert season("elrp", [5.0] * 3)[0] == pytest.approx(30.0)  # 15 kWh at $2


def test_five_kw_all_summer_earn_1125_dollars():
    # "typical 5 kW = $1,125/yr" at $225 a kW.
    assert season("connected_solutions_summer", [5.0] * 120)[0] == pytest.approx(1125.0)


def test_a_season_is_paid_by_the_mean_whatever_the_steps():
    # Half of the events missed: half the money.
    powers = [5.0] * 3 + [0.0] * 6 + [5.0] * 3
    assert season("connected_solutions_summer", powers)[0] == pytest.approx(562.5)
    fine = season("connected_solutions_summer", [p for p in powers for _ in range(12)], 1.0 / 12.0)
    assert fine[0] == pytest.approx(562.5)


def test_a_new_season_begins_with_nothing_and_takes_nothing_back():
    terms, earned = terms_of(payment_rule("connected_solutions_summer"), 1), first_earned(LIKE)
    first, earned = pay(terms, earned, delivery(5.0), 1.0)
    second, earned = pay(terms, earned, delivery(3.0, new_season=True), 1.0)
    assert gross(first).item() == pytest.approx(1125.0)
    assert gross(second).item() == pytest.approx(675.0)
    assert earned.season_h.item() == 1.0


def test_nothing_is_paid_between_events_or_below_the_baseline():
    assert season("elrp", [5.0], called=False)[0] == 0.0
    assert season("elrp", [-5.0])[0] == 0.0


def test_a_year_of_flat_credits_goes_on_the_bill():
    # A$100 and 49.32 c a day, "about $180 a year".
    total, home, earned = season("agl_vpp", [0.0] * 365, 24.0, called=False)
    assert total == home == pytest.approx(180.018)
    assert earned.credit.item() == pytest.approx(180.018)


def test_an_upfront_payment_comes_once():
    terms = terms_of(payment_rule("peak_power_rewards"), 1)
    payments, earned = pay(terms, first_earned(LIKE), delivery(joins=True), 1.0)
    assert gross(payments).item() == 750.0
    assert gross(pay(terms, earned, delivery(), 1.0)[0]).item() == 0.0


def test_the_aggregator_keeps_its_share_alone():
    total, home, _ = season("dsgs", [4.0, 4.0])
    assert (total, home) == (pytest.approx(240.0), pytest.approx(120.0))


@given(
    st.sampled_from([rule.name for rule in PAYMENT_RULES]),
    st.lists(
        st.tuples(
            st.floats(-20.0, 20.0), st.booleans(), st.booleans(), st.booleans(), st.booleans()
        ),
        min_size=1,
        max_size=20,
    ),
)
def test_what_is_paid_is_what_is_received(name, steps):
    terms, earned, paid, held = terms_of(payment_rule(name), 1), first_earned(LIKE), 0.0, 0.0
    for kw, called, completed, joins, new_season in steps:
        step = delivery(kw, 0.25, called, completed, joins, new_season)
        payments, earned = pay(terms, earned, step, 0.25)
        parties = payment_parties(payments, terms)
        assert sum(part.item() for part in parties) == pytest.approx(0.0, abs=1e-9)
        assert parties.sponsor.item() == pytest.approx(-gross(payments).item())
        paid, held = paid + parties.homeowner.item(), held + parties.retailer.item()
    assert held == pytest.approx(earned.credit.item(), abs=1e-9)
    assert (paid == 0.0) or (held == 0.0)  # cash or credit, by the rule


@given(st.floats(-50.0, 500.0), st.lists(st.floats(-200.0, 200.0), min_size=1, max_size=12))
def test_credit_pays_bills_is_carried_over_and_never_lost(start, bills):
    credit, used = torch.tensor([start], dtype=torch.float64), 0.0
    for bill in bills:
        due = torch.tensor([bill], dtype=torch.float64)
        left, credit = use_credit(credit, due)
        assert left.item() >= min(bill, 0.0)
        used += bill - left.item()
    assert used + credit.item() == pytest.approx(start, abs=1e-9)


def test_a_rule_that_does_not_exist_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="did you mean 'thermostat'"):
        payment_rule("thermostats")
    with pytest.raises(InputError, match="take one of elrp"):
        payment_rule("xyzzy")
