"""A promise at p10 is kept in nine events of ten, one at p50 in half, one of everything never."""

from dataclasses import replace

import pytest
import torch

from vpp_envs.communication.settings import LinkSpec
from vpp_envs.errors import InputError
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.people.capability import play_event, usual_reliability
from vpp_envs.people.settings import PeopleSpec
from vpp_envs.random import normal
from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_envs.signals.market import MarketSpec
from vpp_rl.evaluation.commitment import (
    Trial,
    learn,
    promise,
    shortfall_kw,
    try_commitment,
    usual_circumstances,
)
from vpp_rl.evaluation.event_play import PlayedEvents, Timing, event_starts, play_events

HISTORY, EVENTS = 400, 600
FEW = ScenarioSpec(fleet=FleetSpec(homes=12, seed=2))


def drawn(events, homes=200, seed=1, common=0.0):
    """Events of homes that fail one by one, and all alike by a share of some deviation."""
    planned_kw = 2.0 + torch.arange(homes).double() % 4
    number = torch.arange(events)
    given_kw = play_event(
        planned_kw, usual_reliability(homes), torch.zeros(1), seed, number, torch.arange(homes)
    )
    # Good luck gives nobody more than was planned.
    shock = 1.0 + common * normal(seed, 0, number, 0, 9_000).unsqueeze(-1).clamp(-3.0, 0.0)
    return PlayedEvents(
        planned_kw.expand(events, homes),
        torch.ones(events, homes, dtype=torch.bool),
        given_kw * shock,
        torch.zeros(events, homes, dtype=torch.bool),
        torch.zeros(events, 1).double(),
    )


def kept(events, experience, chance):
    foretold = promise(events.planned_kw, events.heard, experience, chance)
    return (events.given_kw.sum(-1) >= foretold.p10_kw).double().mean().item()


def test_homes_that_fail_one_by_one_have_hardly_any_common_deviation():
    events = drawn(2000)
    experience = learn(events)
    alone = experience._replace(common_deviation=torch.zeros(()).double())
    with_it, without = (promise(*events[:2], x, 0.1).std_kw[0] for x in (experience, alone))
    # Two standard errors of a standard deviation from 2000 events: 2 / sqrt(2 * 2000).
    assert with_it < 1.032 * without
    # 0.02 + 0.98 * 0.05 give nothing; 8 % of the rest give half.
    assert experience.nothing[1].item() == pytest.approx(0.069, abs=0.002)
    assert experience.limited[1].item() == pytest.approx(0.08, abs=0.002)
    assert experience.limited_share[1].item() == pytest.approx(0.5, abs=1e-9)


def test_what_strikes_all_alike_is_learnt_and_promised():
    past, coming = drawn(2000, common=0.05), drawn(4000, seed=2, common=0.05)
    experience = learn(past)
    assert 0.02 < experience.common_deviation < 0.05  # half of a normal law: 0.03
    assert kept(coming, experience, 0.1) == pytest.approx(0.9, abs=0.03)
    alone = experience._replace(common_deviation=torch.zeros(()).double())
    assert kept(coming, alone, 0.1) < 0.85


def test_homes_that_did_not_answer_are_expected_to_give_less():
    events = drawn(400)
    silent = torch.arange(200).remainder(10) == 0
    given_kw = torch.where(silent, 0.5 * events.given_kw, events.given_kw)
    events = events._replace(heard=~silent.expand(400, -1), given_kw=given_kw)
    experience = learn(events)
    foretold = promise(events.planned_kw, events.heard, experience, 0.1)
    assert foretold.mean_kw[0].item() == pytest.approx(given_kw.sum(-1).mean().item(), rel=1e-9)
    assert experience.limited[0] == 1.0
    assert experience.limited_share[0] < 0.5
    everyone = promise(events.planned_kw, events.heard | True, experience, 0.1)
    assert everyone.mean_kw[0] > foretold.mean_kw[0]


def test_usual_circumstances_leave_what_is_said():
    people, links = PeopleSpec(enrolled_share=0.5, opt_out=0.2), LinkSpec(kinds=3, loss=0.5)
    spec = usual_circumstances(replace(FEW, people=people, links=links), 40)
    assert (spec.people.enrolled_share, spec.people.opt_out, spec.people.event_days) == (
        *(0.5, 0.2),
        40,
    )
    assert spec.links == links
    assert spec.outages.feeders == 16
    assert usual_circumstances(FEW, 40).people.enrolled_share == 1.0


def test_a_trial_is_history_then_events_on_days_apart():
    trial = Trial(events=20, history=30, seed=3, timing=Timing(1.0, 0.5))
    commitment = try_commitment(FEW, trial)
    scenario = build_scenario(usual_circumstances(FEW, 51), "train")
    starts = event_starts(scenario)[1:]
    experience = learn(play_events(scenario, starts[:30], 3, trial.timing))
    coming = play_events(scenario, starts[30:], 33, trial.timing)
    assert torch.equal(commitment.given_kw, coming.given_kw.sum(-1))
    assert commitment.met.value == pytest.approx(kept(coming, experience, 0.1))
    by_reason = shortfall_kw(commitment)
    missing_kw = sum(of_all for of_all, _ in by_reason.values())
    gap_kw = commitment.capability.enrolled_kw - commitment.given_kw
    assert missing_kw == pytest.approx(gap_kw.mean().item(), rel=1e-9)
    again = try_commitment(FEW, trial)
    assert torch.equal(again.capability.p10_kw, commitment.capability.p10_kw)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"events": 0}, "events must be at least 1, got 0"),
        ({"events": 5000}, "a day each and together at most 3,600, got 5,400"),
        ({"history": 5}, "history must be at least 30 events"),
        ({"chance": 1.0}, "chance must lie between 0 and 1"),
    ],
)
def test_trials_that_tell_nothing_are_refused(words, sentence):
    with pytest.raises(InputError, match=sentence):
        Trial(**words)


def test_a_fleet_without_batteries_promises_nothing():
    spec = replace(
        FEW, fleet=FleetSpec(homes=4, battery_share=0.0, hvac_share=1.0), market=MarketSpec()
    )
    with pytest.raises(InputError, match="no home has a battery, so that there is nothing"):
        try_commitment(spec, Trial(events=2, history=30))


@pytest.fixture(scope="module")
def years():
    """A thousand days of a hundred homes, with outages, latency, opt-outs and overrides."""
    spec = ScenarioSpec(fleet=FleetSpec(homes=100))
    scenario = build_scenario(usual_circumstances(spec, HISTORY + EVENTS + 1), "train")
    starts = event_starts(scenario)[1:]
    past = play_events(scenario, starts[:HISTORY], 0, Timing())
    coming = play_events(scenario, starts[HISTORY:], HISTORY, Timing())
    assert len(coming.heard) == EVENTS
    assert coming.missing_kw.sum(0).min() > 0  # each reason happened
    return learn(past), coming


@pytest.mark.slow
def test_a_promise_at_p10_is_kept_in_nine_events_of_ten(years):
    experience, coming = years
    assert 0.87 <= kept(coming, experience, 0.1) <= 0.93


@pytest.mark.slow
def test_a_promise_at_p50_is_kept_in_about_half(years):
    experience, coming = years
    assert kept(coming, experience, 0.5) == pytest.approx(0.5, abs=0.06)


@pytest.mark.slow
def test_a_promise_of_all_that_is_planned_is_never_kept(years):
    _, coming = years
    assert not (coming.given_kw.sum(-1) >= coming.planned_kw.sum(-1)).any()
