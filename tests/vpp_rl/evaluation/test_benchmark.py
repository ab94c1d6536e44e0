"""Contests where owners and links stand between an operator and the homes."""

from dataclasses import replace

import pytest

from vpp_envs.communication.settings import LinkSpec
from vpp_envs.errors import InputError
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.outage.settings import OutageSpec
from vpp_envs.people.settings import PeopleSpec
from vpp_rl.evaluation.benchmark import contest
from vpp_rl.rollout import CIRCUMSTANCE_COLUMNS, Windows


def listen(stage, share):
    """Nobody listens."""


@pytest.mark.slow
def test_nobody_passes_the_bound_where_homes_cannot_always_be_commanded(day_spec):
    """The plan is the bound; its play, which some homes do not hear, is none."""
    spec = replace(
        day_spec,
        fleet=FleetSpec(homes=5, seed=3),
        people=PeopleSpec(enrolled_share=0.8, event_days=2),
        links=LinkSpec(kinds=4, online=0.6),
    )
    result = contest(spec, Windows(window_days=2), [], listen, retune=False)
    profit = result.frame.groupby("policy").profit.sum()
    assert profit.idxmax() == "perfect foresight"
    assert result.replay_error > 1.0
    assert result.frame.broken_agreements.sum() == 0
    assert (result.frame.offline_share > 100.0).all()
    assert set(CIRCUMSTANCE_COLUMNS) <= set(result.frame.columns)


def test_outages_are_refused_because_the_bound_does_not_know_them(day_spec):
    spec = replace(day_spec, outages=OutageSpec(feeders=2))
    with pytest.raises(InputError, match=r"outages\.feeders=2 .* evaluate with .*feeders=0"):
        contest(spec, Windows(window_days=2), [], listen)
