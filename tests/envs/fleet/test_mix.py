"""Homes of an episode: a weighted draw from the training fleet, checked by numpy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.fleet import commanded
from vpp_envs.fleet.mix import FleetMix, draw_homes, homes_at
from vpp_envs.fleet.sampling import sample_fleet
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.scenario import build_scenario
from vpp_envs.vector_env import FleetVectorEnv

DRAWS = 20_000


def seeds(count):
    return torch.arange(count).unsqueeze(-1)


@pytest.fixture(scope="module")
def fleet():
    """Sixty homes of every kind, a few of them with nothing to command."""
    return sample_fleet(FleetSpec(homes=60, seed=2, battery_share=0.6, ev_share=0.5))


@pytest.fixture(scope="module")
def two_kinds():
    """Thirty homes with sun: eighteen with a battery of one class, twelve with one of another."""
    many = sample_fleet(FleetSpec(homes=200, seed=1, solar_share=1.0))
    classes, counts = many.cohort.unique(return_counts=True)
    first, second = classes[counts.argsort(descending=True)[:2]]
    places = [(many.cohort == first).nonzero()[:18], (many.cohort == second).nonzero()[:12]]
    homes = homes_at(many, torch.cat(places).squeeze(-1))
    return homes._replace(cohort=torch.tensor([0] * 18 + [1] * 12))


def share_of_first(fleet, homes, spread, draws=DRAWS):
    """Share of the homes of each draw that are of the first kind, (draws,)."""
    places = draw_homes(fleet, homes, spread, seeds(draws), 0)
    return (fleet.cohort[places] == 0).double().mean(-1)


def test_homes_are_drawn_without_replacement_in_rising_order(fleet):
    places = draw_homes(fleet, 12, 1.0, seeds(500), 3)
    assert places.shape == (500, 12)
    assert (places.diff(dim=-1) > 0).all()
    assert places.min() >= 0
    assert places.max() < 60
    assert len(places.unique(dim=0)) == 500
    assert torch.equal(draw_homes(fleet, 12, 1.0, seeds(500), 3), places)


def test_a_draw_does_not_depend_on_the_batch_it_is_drawn_in(fleet):
    words = seeds(5) + 40, torch.tensor([[0], [7], [2], [2], [1]]), torch.tensor([[3]] * 5)
    batch = draw_homes(fleet, 9, 1.5, *words)
    for row in range(5):
        alone = draw_homes(fleet, 9, 1.5, *(int(word[row]) for word in words))
        assert torch.equal(alone, batch[row])
        one = draw_homes(fleet, 9, 1.5, *(word[row : row + 1] for word in words))
        assert torch.equal(one, batch[row : row + 1])


def test_seeds_episodes_and_windows_name_different_draws(fleet):
    draws = [draw_homes(fleet, 12, 1.0, *words) for words in ((1, 0), (2, 0), (1, 1), (1, 0, 1))]
    assert len({tuple(draw.tolist()) for draw in draws}) == 4


def test_a_draw_follows_the_names_of_homes_and_not_their_places(fleet):
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    shuffled = homes_at(fleet, order)
    for seed in range(20):
        ours = fleet.home_id[draw_homes(fleet, 10, 1.0, seed, 0)]
        theirs = shuffled.home_id[draw_homes(shuffled, 10, 1.0, seed, 0)]
        assert set(ours.tolist()) == set(theirs.tolist())


@pytest.mark.parametrize("homes", [1, 3])
def test_every_draw_has_something_to_command(homes):
    spec = FleetSpec(homes=60, battery_share=0.04, ev_share=0.3, managed_share=0.1)
    rare = sample_fleet(spec)
    assert 1 < int(commanded(rare).sum()) < 8
    assert int((rare.ev.cohort >= 0).sum()) > 0
    places = draw_homes(rare, homes, 1.0, seeds(1000), 0)
    assert commanded(rare)[places].any(-1).all()
    assert len(places[commanded(rare)[places]].unique()) == int(commanded(rare).sum())


def test_without_a_spread_every_home_is_drawn_equally_often(two_kinds):
    places = draw_homes(two_kinds, 7, 0.0, seeds(DRAWS), 0)
    share = 7 / 30
    bound = 4.5 * np.sqrt(DRAWS * share * (1 - share))
    assert np.abs(np.bincount(places.flatten(), minlength=30) - DRAWS * share).max() < bound
    # Neighbours are drawn together as often as chance has it.
    both = int(((places == 4).any(-1) & (places == 5).any(-1)).sum())
    share = 7 / 30 * 6 / 29
    assert abs(both - DRAWS * share) < 4.5 * np.sqrt(DRAWS * share * (1 - share))


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_one_home_is_of_a_kind_as_often_as_its_lognormal_weight_says(two_kinds, spread):
    weight = np.exp(spread * np.random.default_rng(0).standard_normal((400_000, 2)))
    expected = (18 * weight[:, 0] / (weight @ [18, 12])).mean()
    seen = share_of_first(two_kinds, 1, spread).mean()
    assert seen == pytest.approx(expected, abs=4.5 * np.sqrt(0.25 / DRAWS))
    if spread == 2.0:  # far enough from what every home alike would give
        assert abs(expected - 18 / 30) > 4.5 * np.sqrt(0.25 / DRAWS)


def test_the_shares_of_a_kind_are_those_of_a_weighted_draw_one_by_one(two_kinds):
    """Four homes, against numpy that takes one after the other from an urn with weights."""
    rng, draws = np.random.default_rng(1), 40_000
    weight = np.exp(rng.standard_normal((draws, 2)))
    left = np.tile([18.0, 12.0], (draws, 1))
    for _ in range(4):
        first = rng.random(draws) < left[:, 0] * weight[:, 0] / (left * weight).sum(-1)
        left[np.arange(draws), np.where(first, 0, 1)] -= 1
    urn = np.bincount((18 - left[:, 0]).astype(int), minlength=5) / draws
    ours = np.bincount((4 * share_of_first(two_kinds, 4, 1.0)).round().long(), minlength=5) / DRAWS
    np.testing.assert_allclose(ours, urn, atol=4.5 * np.sqrt(0.25 * (1 / draws + 1 / DRAWS)))


def test_a_wider_spread_lets_the_shares_of_all_kinds_stray_further(fleet):
    kinds = (fleet.cohort >= 0, fleet.solar_kw > 0, fleet.ev.params.charge_kw > 0)
    places = [draw_homes(fleet, 12, spread, seeds(2000), 0) for spread in (0.0, 1.0, 2.0)]
    for kind in kinds:
        variance = [float(kind[draw].double().mean(-1).var()) for draw in places]
        assert variance[1] > 1.5 * variance[0]
        assert variance[2] > 1.3 * variance[1]


def test_homes_at_places_are_those_homes_in_every_column(fleet):
    places = draw_homes(fleet, 6, 1.0, seeds(3), 0)
    rows = homes_at(fleet, places)
    for row in range(3):
        for at, place in enumerate(places[row].tolist()):
            assert rows.home_id[row, at] == fleet.home_id[place]
            assert rows.battery.capacity_kwh[row, at] == fleet.battery.capacity_kwh[place]
            assert rows.agreement.reserve_kwh[row, at] == fleet.agreement.reserve_kwh[place]
            assert rows.ev.params.charge_kw[row, at] == fleet.ev.params.charge_kw[place]
            assert rows.ev.archetype[row, at] == fleet.ev.archetype[place]
    assert homes_at(fleet._replace(ev=None), places).ev is None


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ({"homes": 0}, r"fleet_mix\.homes must be at least 1, got 0"),
        ({"homes": 4, "spread": -0.1}, r"fleet_mix\.spread must lie between 0 and 5, got -0\.1"),
        ({"homes": 4, "spread": float("nan")}, r"fleet_mix\.spread must lie between 0 and 5"),
        ({"spread": 0.5}, r"fleet_mix\.homes draws none; name how many"),
    ],
)
def test_what_nothing_can_be_drawn_by_is_refused(mix, said):
    with pytest.raises(InputError, match=said):
        FleetMix(**mix)


@pytest.mark.parametrize("homes", [8, 9])
def test_a_draw_of_all_homes_is_no_draw(small_spec, homes):
    spec = replace(small_spec, fleet_mix=FleetMix(homes=homes))
    with pytest.raises(InputError, match=f"homes={homes} leaves nothing to draw from 8 homes"):
        build_scenario(spec, "train")
    assert len(build_scenario(spec, "validation").fleet.home_id) == 8


def test_commands_by_the_number_of_a_home_are_refused_where_homes_change(small_spec):
    spec = replace(small_spec, fleet_mix=FleetMix(homes=5))
    with pytest.raises(InputError, match=r"dispatch=per_device commands homes by their number"):
        FleetVectorEnv(spec, 2, dispatch="per_device")
    assert FleetVectorEnv(spec, 2, dispatch="per_device", split="test").reset(seed=0)


def test_a_scenario_says_how_many_of_its_homes_an_episode_has(small_spec):
    spec = replace(small_spec, fleet_mix=FleetMix(homes=5))
    train = build_scenario(spec, "train")
    assert any(
        "8 homes to train with: an episode of training has 5 of them" in x
        for x in train.fleet_lines
    )
    assert train.episode_homes == 5
    test = build_scenario(spec, "test")
    assert test.episode_homes is None
    assert test.fleet_lines == ()
