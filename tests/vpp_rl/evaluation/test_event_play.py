"""Many events through the step: nothing gets lost between plan, delivery and named reasons."""

from dataclasses import replace

import pytest
import torch

from vpp_envs.communication.settings import LinkSpec
from vpp_envs.errors import InputError
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.outage.settings import OutageSpec
from vpp_envs.people.settings import PeopleSpec
from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_envs.signals.market import MarketSpec
from vpp_envs.simulator import SetPoints
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.evaluation import event_play
from vpp_rl.evaluation.event_play import REASONS, Timing, event_starts, play_events

DAYS = 8
WILLING = PeopleSpec(
    enrolled_share=1.0, event_days=DAYS, opt_out=0.0, override_per_h=0.0, leave_a_month=0.0
)
# Everything that fails does, often, so that a week of events meets it.
ROUGH = {
    "people": PeopleSpec(enrolled_share=0.9, event_days=DAYS, opt_out=0.1, override_per_h=0.1),
    "links": LinkSpec(kinds=12, online=0.8, loss=0.1),
    "outages": OutageSpec(feeders=6, interruptions_a_year=200.0),
}
# No sun, and a connection that takes all: a plan is the same in all half hours.
DARK = FleetSpec(homes=24, seed=2, solar_share=0.0, export_limit_kw=None)
SUNNY = replace(DARK, solar_share=1.0, export_limit_kw=5.0)


def scenario_of(fleet=DARK, **around):
    spec = ScenarioSpec(market=MarketSpec(train_days=DAYS), fleet=fleet, **around)
    return build_scenario(spec, "train")


def played(fleet=DARK, seed=5, timing=Timing(2.0, 0.5), **around):  # noqa: B008 - frozen
    scenario = scenario_of(fleet, **around)
    return play_events(scenario, event_starts(scenario)[1:], seed, timing)


def missing_of(events, *reasons):
    return events.missing_kw[:, [REASONS.index(reason) for reason in reasons]].sum(-1)


def test_every_day_has_its_event():
    starts = event_starts(scenario_of(people=WILLING))
    assert len(starts) == DAYS
    assert (starts % 288 == 17 * 12).all()  # no change of clocks in these days


def test_a_scenario_without_events_is_refused():
    with pytest.raises(InputError, match=r"no events: set scenario\.people\.enrolled_share"):
        event_starts(scenario_of())


@pytest.mark.parametrize("fleet", [DARK, SUNNY])
def test_what_is_not_delivered_has_a_reason(fleet):
    events = played(fleet, **ROUGH)
    gap_kw = (events.planned_kw - events.given_kw).sum(-1)
    torch.testing.assert_close(events.missing_kw.sum(-1), gap_kw, rtol=0, atol=1e-9)
    assert (events.missing_kw >= -1e-12).all()
    assert (events.given_kw >= 0).all()
    assert (events.given_kw <= events.planned_kw + 1e-12).all()
    for reason in ("interruption", "offline", "lost", "opt-out", "override", "late"):
        assert missing_of(events, reason).sum() > 0


def test_where_nothing_fails_what_is_planned_is_delivered():
    events = played(people=WILLING)
    torch.testing.assert_close(events.given_kw, events.planned_kw, rtol=1e-9, atol=1e-9)
    assert events.heard.all()
    assert (events.planned_kw.sum(-1) > 24.0).all()  # more than a kilowatt a home


@pytest.mark.parametrize(
    ("reason", "around"),
    [
        ("opt-out", {"people": replace(WILLING, opt_out=1.0)}),
        ("not called", {"people": replace(WILLING, events_a_day=0.0)}),
        ("lost", {"people": WILLING, "links": LinkSpec(kinds=3, online=1.0, loss=1.0)}),
        ("override", {"people": replace(WILLING, override_per_h=10.0)}),
    ],
)
def test_a_reason_that_is_alone_has_all_that_is_missing(reason, around):
    events = played(**around)
    gap_kw = (events.planned_kw - events.given_kw).sum(-1)
    torch.testing.assert_close(missing_of(events, reason), gap_kw, rtol=1e-9, atol=1e-9)
    assert (gap_kw > 0.5 * events.planned_kw.sum(-1)).all()


def test_an_interruption_stops_what_others_get_though_the_battery_serves_its_home():
    often = OutageSpec(feeders=2, interruptions_a_year=1000.0, mean_h=24.0)
    events = played(people=WILLING, outages=often)
    gap_kw = (events.planned_kw - events.given_kw).sum(-1)
    some = missing_of(events, "interruption")
    assert some.sum() > 0.5 * gap_kw.sum()
    assert missing_of(events, "interruption", "energy").sum() == pytest.approx(gap_kw.sum().item())


def test_events_are_those_of_the_environment_step_by_step():
    """The same set-points through `step_set_points` discharge the same energy."""
    around = {"people": ROUGH["people"], "links": ROUGH["links"]}
    scenario, timing = scenario_of(**around), Timing(2.0, 0.5)
    starts = event_starts(scenario)[1:]
    events = play_events(scenario, starts, 5, timing)
    env = FleetVectorEnv(
        scenario.spec, len(starts), split="train", dtype="float64", autoreset_mode="Disabled"
    )
    env.reset(seed=5, options={"start_ticks": starts - 30})
    rest = torch.zeros_like(events.planned_kw)
    plan = [rest + env.fleet.battery.charge_kw] * 24 + [rest] * 6 + [-events.planned_kw] * 36
    discharged_kwh = torch.zeros(len(starts)).double()
    for tick, battery_kw in enumerate(plan):
        env.step_set_points(SetPoints(battery_kw, torch.full_like(rest, torch.nan)))
        if tick >= 30:
            discharged_kwh += env.last[1].discharged_kwh
    given_kw = events.given_kw.sum(-1) + missing_of(events, "late")
    torch.testing.assert_close(3.0 * given_kw, discharged_kwh, rtol=1e-9, atol=1e-9)


def test_a_plan_knows_nothing_of_the_event(monkeypatch):
    """Load trebles, the sun goes out and no message arrives once it has begun: the same plan."""
    around = {**ROUGH, "people": WILLING}
    scenario = scenario_of(SUNNY, **around)
    start = event_starts(scenario)[3:4]
    usual = play_events(scenario, start, 5, Timing())

    class Surprised(FleetVectorEnv):
        def reset(self, **arguments):
            later = torch.arange(len(self.tables.features)).unsqueeze(-1) >= start
            t = self.tables
            self.tables = t._replace(
                load_pu=torch.where(later, 3.0 * t.load_pu, t.load_pu),
                solar_pu=t.solar_pu * ~later,
                reached=t.reached * ~later,
                out=torch.where(later, torch.zeros_like(t.out), t.out),
            )
            return super().reset(**arguments)

    monkeypatch.setattr(event_play, "FleetVectorEnv", Surprised)
    surprised = play_events(scenario, start, 5, Timing())
    assert torch.equal(surprised.planned_kw, usual.planned_kw)
    assert torch.equal(surprised.heard, usual.heard)
    assert usual.given_kw.sum() > 0.4 * usual.planned_kw.sum()
    assert surprised.given_kw.sum() == 0.0


def test_events_in_blocks_are_those_one_by_one(monkeypatch):
    together = played(**ROUGH)
    monkeypatch.setattr(event_play, "_BLOCK", 3)
    for one, other in zip(together, played(**ROUGH), strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("hours", [0.0, 11.0, float("nan")])
def test_what_is_no_preparation_is_refused(hours):
    with pytest.raises(InputError, match="lead must be from a twelfth of an hour to 10 hours"):
        Timing(lead_h=hours)
