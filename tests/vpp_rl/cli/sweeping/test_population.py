"""A population without Ray: what is drawn, what a generation is, and what is refused."""

import io
import json
import math

import pytest
import torch
from rich.console import Console

from vpp_rl.agents.registry import LEARNERS, learner
from vpp_rl.cli.main import main
from vpp_rl.cli.sweeping.generation import best_profit, train_generation
from vpp_rl.cli.sweeping.population import (
    Member,
    Plan,
    Record,
    Result,
    ancestry,
    first_members,
    heir,
)
from vpp_rl.cli.sweeping.population_board import BEST, PopulationBoard
from vpp_rl.cli.sweeping.population_page import page
from vpp_rl.cli.sweeping.space import search_space
from vpp_rl.configuration import compose, resolved, with_values
from vpp_rl.training.checkpoint import FACTS, WEIGHTS
from vpp_rl.training.run import DONE
from vpp_rl.training.snapshot import newest_snapshot, read_snapshot, snapshots
from vpp_rl.training.watch import LEARNING

TEXTS = [
    "agent.learning_rate=tag(log, interval(1e-4, 1e-1))",
    "agent.gamma=interval(0.99, 0.9999)",
    "agent.entropy=interval(0, 0.01)",
    "agent.epochs=range(1, 9)",
    "agent.gradient_steps=tag(log, range(1, 65))",
    "agent.batch=choice(16, 64, 256)",
]
_, SPACE = search_space(TEXTS)
BY_KEY = {one.key.removeprefix("agent."): one for one in SPACE}
TINY = [
    *("agent=apg", "market.train_days=4", "market.validation_days=4", "fleet.homes=2"),
    *("compile=false", "agent.scenarios=4", "agent.homes=2", "agent.hidden=[4]"),
    *("agent.window_h=2.0", "agent.horizon_h=1.0", "validation_windows=1"),
    *("validation_window_days=1", "agent.iterations=6", "agent.seconds=null", "validations=3"),
]
RATE = "agent.learning_rate"


def inside(dimension, value):
    if dimension.values:
        return value in dimension.values
    return dimension.low <= value <= dimension.high


@pytest.mark.parametrize("name", BY_KEY)
def test_every_point_of_a_dimension_lies_in_it_and_the_ends_are_reached(name):
    one = BY_KEY[name]
    drawn = [one.at(unit / 1000) for unit in range(1001)]
    assert all(inside(one, value) for value in drawn)
    ends = (one.values[0], one.values[-1]) if one.values else (one.low, one.high)
    assert (drawn[0], drawn[-1]) == ends


@pytest.mark.parametrize("name", BY_KEY)
@pytest.mark.parametrize("up", [True, False])
def test_what_is_beside_a_value_is_another_value_of_the_dimension(name, up):
    one = BY_KEY[name]
    for unit in range(101):
        value = one.at(unit / 100)
        there = one.beside(value, up)
        assert inside(one, there)
        assert there != value


def test_a_step_aside_is_a_tenth_of_the_decades_of_a_logarithmic_interval():
    rate = BY_KEY["learning_rate"]  # three decades
    assert rate.beside(1e-3, up=True) == pytest.approx(1e-3 * 10**0.3, rel=1e-5)
    assert rate.beside(1e-3, up=False) == pytest.approx(1e-3 / 10**0.3, rel=1e-5)
    # At the upper end there is only the way down.
    assert rate.beside(1e-1, up=True) == pytest.approx(1e-1 / 10**0.3, rel=1e-5)


def test_first_members_share_every_dimension_evenly():
    members = first_members(SPACE, population=12, seed=3)
    assert [one.number for one in members] == list(range(12))
    rates = sorted(math.log10(one.settings[RATE]) for one in members)
    for part, rate in enumerate(rates):
        assert -4 + part * 3 / 12 <= rate <= -4 + (part + 1) * 3 / 12
    assert sorted(one.settings["agent.batch"] for one in members).count("64") == 4


def test_an_heir_differs_from_its_parent_in_every_dimension_and_stays_in_the_space():
    for seed in range(30):
        parent = first_members(SPACE, 4, seed)[1]
        child = heir(SPACE, parent, number=3, generation=2, seed=seed)
        assert (child.number, child.parent, child.since) == (3, 1, 2)
        for one in SPACE:
            assert inside(one, child.settings[one.key])
            assert child.settings[one.key] != parent.settings[one.key]


def test_draws_depend_on_seed_generation_and_member_alone():
    parent = first_members(SPACE, 4, 0)[0]
    assert first_members(SPACE, 4, 0)[0] == parent
    assert heir(SPACE, parent, 3, 2, seed=0) == heir(SPACE, parent, 3, 2, seed=0)
    others = [(2, 2, 0), (3, 1, 0), (3, 2, 1)]
    drawn = {str(heir(SPACE, parent, *other).settings) for other in [(3, 2, 0), *others]}
    assert len(drawn) == 4


@pytest.fixture
def plan(tmp_path):
    config = resolved(compose("train", TINY))
    return Plan(Record(tmp_path), (tmp_path / "0_apg", tmp_path / "1_apg"), config, 3)


def learned(snapshot):
    return {name: weight for name, weight in snapshot["learner"]["network"].items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_generations_are_one_training_cut_where_the_validation_days_are_looked_at(plan):
    member = Member(0, {RATE: 1e-2}, parent=0)
    results = [train_generation(plan, member, generation) for generation in (1, 2, 3)]
    rows = newest_snapshot(plan.folders[0], pytest.fail)["watch"]["rows"]
    assert len(rows) == 1 + 3
    assert [one.profit for one in results] == [row["profit_per_home_year"] for row in rows[1:]]
    assert [one.parent for one in results] == [0, 0, 0]
    assert (plan.folders[0] / DONE).is_file()
    config = with_values(plan.config, ["validations=1"])
    whole = Plan(Record(plan.record.folder / "whole"), (plan.folders[1],), config, 1)
    train_generation(whole, member, 1)
    unbroken, broken = (newest_snapshot(folder, pytest.fail) for folder in plan.folders[::-1])
    assert unbroken["progress"]["iteration"] == broken["progress"]["iteration"] == 6
    assert same(learned(unbroken), learned(broken))


def test_a_member_that_takes_over_goes_on_from_its_parents_state_with_its_own_settings(plan):
    parent = Member(0, {RATE: 1e-2}, parent=0)
    train_generation(plan, parent, 1)
    train_generation(plan, Member(1, {RATE: 1e-1}, parent=1), 1)
    child = Member(1, {RATE: 2e-2}, parent=0, since=1)
    result = train_generation(plan, child, 2)
    assert (result.parent, result.settings) == (0, {RATE: 2e-2})
    after, before = (read_snapshot(path) for path in snapshots(plan.folders[1]))
    of_parent = read_snapshot(plan.record.snapshot(1, 0))
    assert before["progress"] == of_parent["progress"]
    assert same(learned(before), learned(of_parent))
    assert json.loads((plan.folders[1] / "config.json").read_text())["agent"][
        "learning_rate"
    ] == pytest.approx(2e-2)
    train_generation(plan, parent, 2)
    assert not same(learned(after), learned(newest_snapshot(plan.folders[0], pytest.fail)))
    # Afterwards it goes on from its own.
    assert train_generation(plan, child, 3).parent == 1


def test_what_is_on_record_is_not_trained_again(plan):
    member = Member(0, {RATE: 1e-2}, parent=0)
    first = train_generation(plan, member, 1)
    written = snapshots(plan.folders[0])[0].stat().st_mtime_ns
    assert train_generation(plan, member, 1) == first
    assert snapshots(plan.folders[0])[0].stat().st_mtime_ns == written


def test_a_member_that_diverged_stands_last_until_it_takes_over_another(plan, monkeypatch):
    from vpp_rl.agents.analytic import AnalyticLearner

    train_generation(plan, Member(0, {RATE: 1e-2}, parent=0), 1)
    update = AnalyticLearner.update

    def ruined(made, share):
        done = update(made, share)
        with torch.no_grad():
            made.network.head.weight.fill_(float("nan"))
        return done

    lost = Member(1, {RATE: 1e-1}, parent=1)
    with monkeypatch.context() as patch:
        patch.setattr(AnalyticLearner, "update", ruined)
        result = train_generation(plan, lost, 1)
    assert result.profit == -math.inf
    assert "a smaller agent.learning_rate may help" in result.error
    again = train_generation(plan, lost, 2)
    assert (again.profit, again.error) == (-math.inf, result.error)
    child = Member(1, {RATE: 2e-2}, parent=0, since=1)
    (plan.record.folder / ".generations" / "0002" / "1.json").unlink()
    assert math.isfinite(train_generation(plan, child, 2).profit)


def test_a_line_of_descent_goes_back_over_all_that_was_taken_over(plan):
    results = {
        (one.generation, one.member): one
        for one in (
            Result(1, 0, 0, {RATE: 1e-2}, 5.0, 5.0),
            Result(1, 1, 1, {RATE: 1e-1}, -math.inf, 1.0, error="diverged"),
            Result(2, 0, 0, {RATE: 1e-2}, 6.0, 6.0),
            Result(2, 1, 0, {RATE: 2e-2}, 7.0, 7.0),
            Result(3, 1, 1, {RATE: 2e-2}, 8.0, 8.0),
        )
    }
    line = ancestry(results, results[3, 1])
    assert [(one.generation, one.member) for one in line] == [(1, 0), (2, 1), (3, 1)]
    _, space = search_space(TEXTS[:1])
    drawn = page(list(results.values()), line, space)
    assert "Member 1 earned most, 8.00 per home and year" in drawn
    assert drawn.count('"type":"log"') == 1


def test_the_best_policy_outlives_the_generation_and_the_member_that_had_it(plan):
    """By member: of each generation the profit at its end, and the best in its folder."""
    board = PopulationBoard(
        Console(file=io.StringIO()), plan, search_space(TEXTS[:1])[1], lambda share, note: None
    )
    generations = [[(5.0, 5.0), (4.0, 9.0)], [(8.0, 8.0), (7.0, 7.0)], [(3.0, 8.0), (12.0, 12.0)]]
    for generation, profits in enumerate(generations, 1):
        for member, (profit, best) in enumerate(profits):
            folder = plan.folders[member]
            folder.mkdir(exist_ok=True)
            for name in ("config.json", "provenance.json", LEARNING, WEIGHTS):
                (folder / name).write_text(f"{name} of {member} after {generation}")
            facts = {"validation_profit_per_home_year": best}
            (folder / FACTS).write_text(json.dumps(facts))
            board.add(Result(generation, member, member, {RATE: 1e-2}, profit, best), [])
        kept = plan.record.folder / BEST
        assert best_profit(kept) == (9.0, 9.0, 12.0)[generation - 1]
        assert (kept / WEIGHTS).read_text() == (f"{WEIGHTS} of 1 after {(1, 1, 3)[generation - 1]}")
        assert (kept / DONE).is_file()
    assert board.over


COMMAND = ["train", "-m", "hydra/sweeper=pbt", "agent.iterations=20", "market.train_days=4"]
SEARCHED = "agent.learning_rate=tag(log, interval(1e-4, 1e-2))"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["seed=0,1"], "and 'seed' cannot be: search agent.learning_rate, agent.temperature,"),
        (["agent=apg,ppo"], "and 'agent' cannot be"),
        (["agent.hidden=[4],[8]"], "and 'agent.hidden' cannot be"),
        (["agent.scenarios=4,8"], "and 'agent.scenarios' cannot be"),
        (["scenario.control_dt_s=300,600"], "and 'scenario.control_dt_s' cannot be"),
        (["agent=sac", "agent.gamma=interval(0.9,0.99)"], "and 'agent.gamma' cannot be"),
        (["agent=ppo", "agent.log_std=-1.0,-2.0"], "and 'agent.log_std' cannot be"),
        ([], "there is nothing to search"),
        ([SEARCHED, "agent.iterations=9"], "is less than an update for each of hydra.sweeper"),
        ([SEARCHED, "agent.iterations=100000"], "needs a budget of updates, agent.iterations=N"),
        ([SEARCHED, "hydra/launcher=ray"], "runs its members on Ray by itself: drop hydra/laun"),
        ([SEARCHED, "hydra.sweeper.population=1"], "hydra.sweeper.population must be 2 or more"),
        ([SEARCHED, "hydra.sweeper.quantile=0.6"], "hydra.sweeper.quantile must be 0 to 0.5"),
        ([SEARCHED, "hydra.sweeper.generation=3"], "did you mean 'generations'?"),
        (["agent.learning_rate=interval(-1,1)"], "agent.learning_rate must be at least 0"),
    ],
)
def test_what_cannot_be_a_population_is_one_sentence(
    arguments, words, capsys, tmp_path, monkeypatch
):
    pytest.importorskip("ray.tune")
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    monkeypatch.chdir(tmp_path)
    assert main([*COMMAND, *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1, said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in LEARNERS if name != "rllib_ppo"])
def test_changeable_settings_are_settings_of_the_learner(name):
    kind = learner(name)
    assert len(set(kind.changeable)) == len(kind.changeable) > 2
    assert all(hasattr(kind.settings(), key) for key in kind.changeable)
