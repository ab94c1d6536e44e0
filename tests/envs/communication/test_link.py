"""Links are up, late and lossy as often as their archetypes say, and the same in every table."""

import math

import numpy as np
import pytest
import torch

from vpp_envs.communication.link import (
    LinkArchetypes,
    heard_kw,
    late_share,
    link_archetypes,
    link_table,
    reached,
    sample_links,
    standing_kw,
    visible_cohort,
)

START = np.datetime64("2024-01-01")
YEAR = 365 * 288
NAN = math.nan


@pytest.fixture(scope="module")
def year():
    return link_table(START, YEAR, 5, 16)


def test_archetypes_cover_the_published_ranges():
    kinds = link_archetypes(64)
    assert 0.94 <= kinds.online.min() < 0.941
    assert 0.969 < kinds.online.max() <= 0.97
    assert kinds.offline_h.min() >= 0.5
    assert kinds.offline_h.max() <= 8.0
    assert kinds.loss.min() >= 0.01
    assert kinds.loss.max() <= 0.05


def test_links_are_up_as_often_as_they_should(year):
    kinds = link_archetypes(16)
    assert year.online.double().mean().item() == pytest.approx(0.955, abs=0.004)
    # A year holds some 50 to 1,000 visits to "down": standard error below a third of the share.
    error = (year.online.double().mean(0) - kinds.online).abs()
    assert bool((error < 0.018).all())


def test_links_stay_away_as_long_as_they_should():
    kinds = LinkArchetypes(*(torch.tensor([v] * 8).double() for v in (0.95, 2.0, 0.03)))
    online = link_table(START, YEAR, 1, 8, kinds).online
    falls = ((online[:-1] == 1) & (online[1:] == 0)).sum().item()
    down_h = (online == 0).sum().item() / 12.0
    assert down_h / falls == pytest.approx(2.0, rel=0.12)  # some 1,800 visits: error 2.4 %


def test_latency_is_lognormal_around_two_seconds(year):
    latency = year.latency_s.double()
    assert latency.median().item() == pytest.approx(2.0, rel=0.01)
    # Of a lognormal of sigma 0.8, 2.3 % take longer than 2 e^1.6 s.
    assert (latency > 2.0 * math.exp(1.6)).double().mean().item() == pytest.approx(0.0228, abs=5e-4)
    assert latency.max().item() <= 60.0


def test_messages_are_lost_as_often_as_they_should(year):
    kinds = link_archetypes(16)
    assert torch.allclose(year.lost.double().mean(0), kinds.loss, atol=0.003)


def test_a_table_of_a_week_equals_these_rows_of_a_year(year):
    week = link_table(np.datetime64("2024-04-03"), 7 * 288, 5, 16)
    rows = slice(93 * 288, 100 * 288)
    assert all(torch.equal(a[rows], b) for a, b in zip(year, week, strict=True))
    other = link_table(np.datetime64("2024-04-03"), 7 * 288, 6, 16)
    assert not torch.equal(other.online, week.online)


def test_a_command_needs_a_link_and_no_loss():
    online, lost = torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    assert reached(online, lost).tolist() == [True, False, False]


def test_thirty_seconds_are_a_tenth_of_five_minutes():
    share = late_share(torch.tensor([0.0, 30.0, 600.0]), 1.0 / 12.0)
    assert share.tolist() == pytest.approx([0.0, 0.1, 1.0])


def test_the_old_set_point_stands_until_the_new_one_arrives():
    asked = torch.tensor([5.0, 5.0, 5.0, NAN, NAN])
    old = torch.tensor([-5.0, NAN, -5.0, -5.0, NAN])
    arrives = torch.tensor([True, True, False, True, True])
    heard = heard_kw(asked, old, arrives, torch.full((5,), 0.1))
    assert heard[:2].tolist() == pytest.approx([4.0, 5.0])  # 0.9 * 5 - 0.1 * 5
    assert bool(torch.isnan(heard[2:]).all())
    stands = standing_kw(asked, arrives)
    assert stands[:2].tolist() == [5.0, 5.0]
    assert bool(torch.isnan(stands[2:]).all())


def test_a_gradient_survives_homes_that_nobody_asks():
    asked = torch.tensor([5.0, NAN, 5.0], requires_grad=True)
    heard = heard_kw(asked, torch.full((3,), NAN), torch.tensor([True, True, False]), asked * 0)
    heard.nan_to_num(nan=0.0).sum().backward()
    assert asked.grad.tolist() == [1.0, 0.0, 0.0]


def test_a_home_offline_leaves_the_envelope():
    cohort, online = torch.tensor([2, 1, -1]), torch.tensor([[1.0, 0.0, 1.0]])
    assert visible_cohort(cohort, online).tolist() == [[2, -1, -1]]
    assert torch.jit.script(visible_cohort)(cohort, online).tolist() == [[2, -1, -1]]
    torch.jit.script(heard_kw)


def test_homes_are_spread_over_kinds_of_link_and_keep_theirs():
    kind = sample_links(3, torch.arange(16_000), 16)
    assert torch.equal(kind[4321:4322], sample_links(3, torch.tensor([4321]), 16))
    assert kind.bincount().tolist() == pytest.approx([1000.0] * 16, rel=0.13)
