"""Settings of people, links and outages: what is refused, and what the tables then say."""

from dataclasses import replace

import pytest
import torch

from vpp_envs.communication.settings import LinkSpec
from vpp_envs.errors import InputError
from vpp_envs.outage.settings import OutageSpec
from vpp_envs.people.events import EVENT_FEATURES
from vpp_envs.people.settings import PeopleSpec
from vpp_envs.scenario import build_scenario
from vpp_envs.signals.randomised import Randomisation


@pytest.mark.parametrize(
    ("make", "settings", "sentence"),
    [
        (PeopleSpec, {"opt_out": 0.5}, r"people\.opt_out=0\.5 is about owners, and .* names none"),
        (PeopleSpec, {"enrolled_share": 1.5}, r"people\.enrolled_share must lie between 0 and 1"),
        (PeopleSpec, {"enrolled_share": float("nan")}, r"people\.enrolled_share must lie between"),
        (PeopleSpec, {"enrolled_share": 1.0, "event_days": -1}, r"people\.event_days must lie"),
        (PeopleSpec, {"enrolled_share": 1.0, "event_hours": 8.0}, "ends after midnight"),
        (PeopleSpec, {"enrolled_share": 1.0, "leave_a_month": 2.0}, r"leave_a_month must lie"),
        (PeopleSpec, {"enrolled_share": 1.0, "most_complaints": 0.0}, r"between 1 and 1e\+09"),
        (LinkSpec, {"loss": 0.1}, r"links\.loss=0\.1 is about links that fail, and .*kinds is 0"),
        (LinkSpec, {"kinds": -1}, r"links\.kinds must be from 0 \(perfect links\) to 1024"),
        (LinkSpec, {"kinds": 4, "online": 0.0}, r"links\.online must lie between 0\.01 and 1"),
        (LinkSpec, {"kinds": 4, "offline_h": 100.0}, r"links\.offline_h must lie between 0\.1"),
        (OutageSpec, {"mean_h": 3.0}, r"outages\.mean_h=3\.0 is about interruptions, and .* is 0"),
        (OutageSpec, {"feeders": 2000}, r"outages\.feeders must be from 0 .* to 1024, got 2000"),
        (OutageSpec, {"feeders": 2, "mean_h": 0.0}, r"outages\.mean_h must be from 0\.08"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(make, settings, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        make(**settings)
    assert "\n" not in str(caught.value)


def test_a_home_is_the_same_in_every_split_and_fleet(small_spec):
    spec = replace(
        small_spec,
        people=PeopleSpec(enrolled_share=0.6),
        links=LinkSpec(kinds=5),
        outages=OutageSpec(feeders=3),
    )
    few = build_scenario(spec, "train").fleet
    many = build_scenario(replace(spec, fleet=replace(spec.fleet, homes=300)), "train").fleet
    for one, other in (
        (few.people.enrolled, many.people.enrolled),
        (few.people.temper.impatience, many.people.temper.impatience),
        (few.link, many.link),
        (few.feeder, many.feeder),
    ):
        assert torch.equal(one, other[: len(one)])
    assert many.people.enrolled.double().mean().item() == pytest.approx(0.6, abs=0.07)
    assert set(many.link.tolist()) == set(range(5))
    assert set(many.feeder.tolist()) == set(range(3))


def test_events_are_called_on_the_dearest_days_of_the_split(small_spec):
    people = PeopleSpec(enrolled_share=1.0, event_days=2, event_from_hour=16.0, event_hours=2.0)
    scenario = build_scenario(replace(small_spec, people=people), "train")
    event = scenario.around.people.event.flatten()
    ticks = event.nonzero().flatten()
    assert len(ticks) == 2 * 24
    starts = scenario.start_ticks
    called = set(((ticks.unsqueeze(-1) >= starts).sum(-1) - 1).tolist())
    peaks = torch.stack([scenario.market.price_per_mwh[s : s + 288].max() for s in starts])
    assert called == set(peaks.topk(2).indices.tolist())
    hour = scenario.around.people.calendar.hour.flatten()[ticks]
    assert 16.0 <= float(hour.min()) <= float(hour.max()) < 18.0


def test_a_policy_sees_the_events_of_its_scenario_and_nothing_where_none_is_called(small_spec):
    people = PeopleSpec(enrolled_share=1.0, event_days=2, event_hours=2.0, notice_h=3.0)
    scenario = build_scenario(replace(small_spec, people=people), "train")
    names = scenario.feature_names
    running, left, ahead = (scenario.features[:, names.index(name)] for name in EVENT_FEATURES)
    event = scenario.around.people.event.flatten()
    begins = (event.diff() > 0).nonzero().flatten() + 1
    assert len(begins) == 2
    assert torch.equal(running, event)
    assert (left[begins] * 24.0).tolist() == pytest.approx([2.0, 2.0])
    assert (ahead[begins - 36] * 24.0).tolist() == pytest.approx([3.0, 3.0])
    assert ahead[begins - 37].tolist() == [1.0, 1.0]
    # Nor does anybody see from the end of one copy of the days into the next, whatever the notice.
    early, twice = replace(people, notice_h=168.0, event_days=99), Randomisation(copies=2)
    copied = build_scenario(replace(small_spec, people=early, randomisation=twice), "train")
    of_copy = copied.features[:, names.index("programme/event_ahead")].split(
        copied.market.clock_ticks
    )
    assert len(of_copy) == 3
    assert all(part[-1] == 1.0 and (part < 1.0).any() for part in of_copy)
    silent = build_scenario(replace(small_spec, people=replace(people, event_days=0)), "train")
    assert not set(EVENT_FEATURES) & set(silent.feature_names)
    assert silent.features.shape[-1] == scenario.features.shape[-1] - len(EVENT_FEATURES)


def test_copies_of_the_days_have_events_of_their_own_on_the_same_calendar(small_spec):
    people = PeopleSpec(enrolled_share=1.0, event_days=1)
    spec = replace(
        small_spec,
        people=people,
        links=LinkSpec(kinds=2),
        outages=OutageSpec(feeders=2),
        randomisation=Randomisation(copies=3),
    )
    scenario = build_scenario(spec, "train")
    ticks, around = scenario.market.clock_ticks, scenario.around
    prices = scenario.market.price_per_mwh.split(ticks)
    for event, price in zip(around.people.event.flatten().split(ticks), prices, strict=True):
        assert event.sum() == 36
        peaks = torch.stack([price[s : s + 288].max() for s in scenario.start_ticks])
        first = int(event.argmax())
        assert int((first >= scenario.start_ticks).sum()) - 1 == int(peaks.argmax())
    for table in (
        around.people.calendar.hour,
        around.people.calendar.day,
        around.reached,
        around.out,
    ):
        assert len(table) == 4 * ticks
        assert torch.equal(table[:ticks], table[ticks : 2 * ticks])


def test_links_and_outages_are_as_often_as_they_are_said_to_be(small_spec):
    market = replace(small_spec.market, train_days=100)
    spec = replace(
        small_spec,
        market=market,
        links=LinkSpec(kinds=64, online=0.8, loss=0.1, offline_h=1.0),
        outages=OutageSpec(feeders=64, interruptions_a_year=40.0, mean_h=2.0),
    )
    around = build_scenario(spec, "train").around
    assert around.reached.mean().item() == pytest.approx(0.8 * 0.9, abs=0.02)
    assert around.out.mean().item() == pytest.approx(40.0 * 2.0 / 8766.0, rel=0.25)
