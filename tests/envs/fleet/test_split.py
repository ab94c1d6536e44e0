import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.example import example_columns
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.sampling import sample_fleet
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.fleet.split import LEAST_HOMES, table_homes, table_lines
from vpp_envs.fleet.table import read_fleet, write_fleet
from vpp_envs.fleet.table_cells import write_cells
from vpp_envs.scenario import SPLITS, ScenarioSpec, build_scenario, split_homes
from vpp_envs.signals.market import MarketSpec

MANY = 10**6


def table(path, homes, **spec):
    write_fleet(sample_fleet(FleetSpec(homes=homes, **spec)), path)
    return str(path)


def ids(spec, split, most=MANY):
    return table_homes(spec, split, most).home_id.tolist()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return table(tmp_path_factory.mktemp("fleet") / "large.csv", 600)


def test_every_home_is_in_one_split_and_shares_are_as_stated(large):
    for share in (0.7, 0.5):
        spec = FleetSpec(table=large, train_share=share)
        train, validation, test = (ids(spec, split) for split in SPLITS)
        assert sorted(train + validation + test) == list(range(600))
        assert len(train) == pytest.approx(600 * share, abs=40)
        assert len(validation) == pytest.approx(300 * (1 - share), abs=30)


def test_a_home_keeps_its_split_when_the_table_grows(large, tmp_path):
    small = table(tmp_path / "small.csv", 300)
    for split in SPLITS:
        grown = set(ids(FleetSpec(table=large), split))
        assert set(ids(FleetSpec(table=small), split)) == {home for home in grown if home < 300}


def test_the_most_homes_of_a_split_are_its_first_ones(large):
    spec = FleetSpec(table=large)
    assert ids(spec, "test", 7) == ids(spec, "test")[:7]
    assert ids(spec, "train", 7) != sorted(ids(spec, "train", 7))  # no matter how a table is sorted


def test_every_column_goes_with_its_home(large):
    whole = read_fleet(large)
    part = table_homes(FleetSpec(table=large), "validation", MANY)
    chosen = map_columns(whole, lambda column: column[part.home_id])
    for ours, theirs in ((part.battery, chosen.battery), (part.agreement, chosen.agreement)):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert torch.equal(part.solar_kw, chosen.solar_kw)
    assert torch.equal(part.cohort, chosen.cohort)


def test_few_homes_are_the_same_in_every_split_and_the_lines_say_so(tmp_path):
    few = table(tmp_path / "few.csv", LEAST_HOMES - 1)
    spec = FleetSpec(table=few)
    assert ids(spec, "train") == ids(spec, "validation") == ids(spec, "test")
    assert len(ids(spec, "train")) == LEAST_HOMES - 1
    (line, *_) = table_lines(spec, 8)
    assert line == (
        f"{few}: 39 homes, the same in train, validation and test (39, 8, 8): to be split it takes "
        "40 with a battery or another device to command, and some of them for each split"
    )
    enough = FleetSpec(table=table(tmp_path / "enough.csv", LEAST_HOMES))
    assert not set(ids(enough, "train")) & set(ids(enough, "test"))


def test_all_homes_train_where_no_share_is_left_for_another_split(large):
    spec = FleetSpec(table=large, train_share=1.0)
    assert sorted(ids(spec, "train")) == sorted(ids(spec, "test")) == list(range(600))


def test_homes_without_anything_to_command_do_not_count_as_enough(tmp_path):
    spec = FleetSpec(table=table(tmp_path / "homes.csv", 300, battery_share=0.05))
    assert ids(spec, "train") == ids(spec, "test")


def test_the_lines_say_how_many_homes_are_used_and_how_many_there_are(large):
    spec = FleetSpec(table=large, homes=20)
    counts = [len(ids(spec, split)) for split in SPLITS]
    line, bound, slips = table_lines(spec, 10)
    assert line == (
        f"{large}: 600 homes, no home in two splits: 20 of {counts[0]} for train, 10 of "
        f"{counts[1]} for validation, 10 of {counts[2]} for test"
    )
    assert bound == "fleet.homes and scenario.unseen_homes are the most of a split; raise them"
    assert slips.endswith(
        f"numbers of the table look like slips: vpp fleet validate {large} shows them"
    )
    assert "are the most of a split" not in " ".join(
        table_lines(FleetSpec(table=large, homes=600), None)
    )


def test_a_table_with_nothing_to_command_is_one_sentence(tmp_path):
    spec = FleetSpec(table=table(tmp_path / "homes.csv", 5, battery_share=0.0))
    with pytest.raises(InputError, match="none of the 5 homes to train with has a battery, or"):
        table_homes(spec, "train", MANY)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"table": "h.csv", "ev_share": 0.5}, r"fleet\.ev_share=0\.5 shapes sampled homes, and"),
        ({"table": "h.csv", "seed": 1}, r"fleet\.seed=1 shapes sampled homes"),
        ({"table": "h.csv", "duration_h": 2.0}, r"fleet\.duration_h=2\.0 shapes sampled homes"),
        ({"train_share": 0.5}, r"fleet\.train_share splits the homes of a table"),
        ({"table": "h.csv", "train_share": 1.5}, r"fleet\.train_share must lie between 0 and 1"),
    ],
)
def test_settings_that_nobody_would_read_are_refused(fields, sentence):
    with pytest.raises(InputError, match=sentence):
        FleetSpec(**fields)
    assert hash(FleetSpec(table="h.csv", homes=9, train_share=0.5))


def test_a_scenario_is_built_of_a_table(large):
    spec = ScenarioSpec(
        market=MarketSpec(train_days=3, validation_days=3, test_days=3),
        fleet=FleetSpec(table=large, homes=30),
        unseen_homes=10,
    )
    train, test = (build_scenario(spec, split) for split in ("train", "test"))
    assert (len(train.fleet.home_id), len(test.fleet.home_id)) == (30, 10)
    assert torch.equal(split_homes(spec, "test").home_id, test.fleet.home_id)
    assert train.cohorts == test.cohorts
    assert int(train.fleet.cohort.max()) < len(train.cohorts)
    assert train.fleet_lines == table_lines(spec.fleet, 10)
    assert build_scenario(ScenarioSpec(market=spec.market), "train").fleet_lines == ()


def test_the_example_has_cars_and_batteries_and_is_a_scenario(tmp_path):
    write_cells(tmp_path / "homes.csv", example_columns(4))
    spec = ScenarioSpec(
        market=MarketSpec(train_days=3, validation_days=3, test_days=3),
        fleet=FleetSpec(table=str(tmp_path / "homes.csv")),
        episode_days=1,
    )
    scenario = build_scenario(spec, "train")
    assert scenario.cohort_names == ("battery_1h", "battery_2h")
    assert scenario.car_names == ("ev_v1g", "ev_v2g")


def test_a_table_that_changes_is_read_again(tmp_path, monkeypatch):
    market = MarketSpec(train_days=3, validation_days=3, test_days=3)
    spec = ScenarioSpec(market=market, fleet=FleetSpec(table="homes.csv"))
    for folder, homes in (("a", 3), ("b", 4), ("b", 5)):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        table(tmp_path / folder / "homes.csv", homes)
        assert len(build_scenario(spec, "train").fleet.home_id) == homes
        assert build_scenario(spec, "train") is build_scenario(spec, "train")
