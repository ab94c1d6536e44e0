import json
import re
from pathlib import Path

import pytest
import torch

from vpp_envs.fleet.fleet import HABITS
from vpp_envs.fleet.sampling import sample_fleet
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.fleet.table import read_fleet, read_fleet_table, write_fleet
from vpp_envs.flexible.kinds import KINDS
from vpp_envs.flexible_tables import COHORTS
from vpp_rl.cli.fleet_view import histogram
from vpp_rl.cli.main import main
from vpp_rl.configuration import compose, resolved
from vpp_rl.training.job import scenario_from

GOOD = (
    "home_id,kind,import_limit_kw,export_limit_kw,usable_kwh,charge_kw,discharge_kw,reserve_pct\n"
)
SITE = "h,site,14.5,5,,,,\n"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def words(capsys):
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def written(name, text):
    Path(name).write_text(text)
    return name


@pytest.mark.parametrize("name", ["homes.csv", "homes.parquet"])
def test_the_template_is_valid_without_a_warning(name, capsys):
    assert main(["fleet", "template", "--out", name, "--homes", "6"]) == 0
    assert words(capsys) == [f"wrote {name}", f"next: edit it, then vpp fleet validate {name}"]
    assert main(["fleet", "validate", name]) == 0
    assert words(capsys)[0] == f"{name} is valid: 6 homes, 0 warnings."
    assert len(read_fleet(name).home_id) == 6


def test_without_a_name_the_template_is_printed(tmp_path, capsys):
    assert main(["fleet", "template"]) == 0
    printed = capsys.readouterr().out
    assert main(["fleet", "template", "--out=homes.csv"]) == 0
    assert Path("homes.csv").read_text() == printed
    kinds = [line.split(",")[1] for line in printed.splitlines()]
    assert set(kinds) == {"kind", "site", "battery", "solar", "ev", *KINDS}
    assert [file.name for file in tmp_path.iterdir()] == ["homes.csv"]


def test_validate_shows_errors_and_warnings_apart_and_exits_with_2(capsys):
    rows = "h,battery,,,13500,5,5,0.2\nh,batt,,,,,,\n"
    assert main(["fleet", "validate", written("homes.csv", GOOD + SITE + rows)]) == 2
    lines = words(capsys)
    errors, warnings = lines.index("Errors (1)"), lines.index("Warnings (3)")
    assert "4 kind 'batt' is no kind of row did you mean 'battery'?" in lines[errors:warnings]
    assert "3 usable_kwh 13500 looks like Wh write kWh, such as 13.5" in lines[warnings:]
    assert lines[-1] == "homes.csv cannot be used: mend the 1 error."


def test_warnings_alone_exit_with_0(capsys):
    text = GOOD + SITE + "h,battery,,,13500,5,5,0.2\n"
    assert main(["fleet", "validate", written("homes.csv", text)]) == 0
    lines = words(capsys)
    assert "Errors" not in " ".join(lines)
    assert "homes.csv is valid: 1 home, 3 warnings." in lines


def test_of_many_problems_the_rest_is_counted(capsys):
    rows = "".join(f"{i},site,-1,5,,,,\n" for i in range(50))
    assert main(["fleet", "validate", written("homes.csv", GOOD + rows)]) == 2
    lines = words(capsys)
    assert "Errors (50)" in lines
    assert "and 10 more errors." in lines
    assert sum("must be at least 0" in line for line in lines) == 40


def test_what_is_no_table_exits_with_2_and_one_sentence(capsys):
    assert main(["fleet", "validate", "homes.csv"]) == 2
    assert capsys.readouterr().err == "vpp fleet: homes.csv does not exist; check the name.\n"


def test_describe_says_what_there_is_with_shares_and_totals(capsys):
    assert main(["fleet", "template", "--out", "homes.csv"]) == 0
    capsys.readouterr()
    assert main(["fleet", "describe", "homes.csv"]) == 0
    lines = words(capsys)
    # By hand: 5 + 11.5 + 7.7 kW; 13.5 + 13.5 + 10 kWh, of which 2.7 + 4.05 + 2 are kept.
    assert "battery, discharging 3 75.0% 0.024 0.037" in lines
    assert "kept in reserve 3 75.0% 0.009" in lines
    assert "solar, AC 2 50.0% 0.014" in lines
    assert "car, charging 2 50.0% 0.014 0.133" in lines
    assert "that discharges 1 25.0% 0.010 0.075" in lines
    assert "battery_2h 1 33.3% 0.005 0.011" in lines  # 10.8 kWh over 5 kW
    assert "ev_v2g 1 50.0% 0.007 0.075" in lines
    assert "Battery reserve, % of capacity: median 20, 20 to 30" in lines
    assert "Import limit, kW: median 14.5, all alike" in lines


def test_describe_takes_the_fleet_of_a_configuration_sampled_or_a_table(capsys):
    overrides = ["fleet=ev", "fleet.homes=30", "fleet.managed_share=0.5"]
    assert main(["fleet", "describe", *overrides]) == 0
    lines = words(capsys)
    assert lines[0] == "fleet=ev fleet.homes=30 fleet.managed_share=0.5: 30 homes"
    assert any(line.startswith("not managed") for line in lines)
    assert not any(line.startswith("Battery") for line in lines)
    assert main(["fleet", "template", "--out", "homes.csv"]) == 0
    capsys.readouterr()
    assert main(["fleet", "describe", "fleet.table=homes.csv"]) == 0
    assert words(capsys)[0] == "fleet.table=homes.csv: 4 homes"


def test_describe_says_when_cars_charge_that_nobody_commands(capsys):
    overrides = ["fleet=ev", "fleet.homes=200"]
    assert main(["fleet", "describe", *overrides]) == 0
    assert not any("left alone:" in line for line in words(capsys))
    shares = ["fleet.ev_midnight_share=0.3", "fleet.ev_last_moment_share=0.3"]
    assert main(["fleet", "describe", *overrides, *shares]) == 0
    lines = [line for line in words(capsys) if "left alone:" in line]
    habit = sample_fleet(scenario_from(resolved(compose("train", [*overrides, *shares]))).fleet)
    counts = habit.ev.habit.bincount().tolist()
    for line, word, count in zip(lines, HABITS, counts, strict=True):
        assert line.startswith(f"left alone: {word} {count} {count / 200:.1%} ")


SUBURB = [
    "fleet=suburb",
    "fleet.homes=40",
    "fleet.generator_share=0.5",
    "fleet.generator_permit_share=0.5",
    "fleet.thermostat_share=0.5",
]


def described_suburb(capsys):
    assert main(["fleet", "describe", *SUBURB]) == 0
    fleet = sample_fleet(
        scenario_from(resolved(compose("train", SUBURB))).fleet  # what the command describes
    )
    return words(capsys), fleet


def test_describe_names_every_kind_of_device_in_the_totals(capsys):
    lines, fleet = described_suburb(capsys)
    names = ("water heater", "heating and cooling", "dishwasher", "washer", "dryer", "pool pump")
    for kind, name in zip(KINDS, (*names, "generator"), strict=True):
        kw = getattr(fleet.flexible, kind).rated_kw
        count = int((kw > 0).sum())
        row = f"{name} {count} {count / 40:.1%} {kw.sum().item() / 1000:.3f}"
        assert row in lines
    engines = fleet.flexible.generator
    permitted = int((engines.agreement.permitted_for_dr * (engines.rated_kw > 0)).sum())
    assert 0 < permitted < int((engines.rated_kw > 0).sum())
    assert any(line.startswith(f"permitted to run for others {permitted} ") for line in lines)


def test_describe_counts_every_flexible_device_in_one_class_or_as_not_managed(capsys):
    lines, fleet = described_suburb(capsys)
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("cohort ")) :]
    called = {"water_heater": "water heater", "hvac": "heating and cooling"}
    for kind in KINDS:
        devices = getattr(fleet.flexible, kind)
        names = [cohort.name for cohort in COHORTS[kind]]
        names.append(f"not managed: {called.get(kind, kind.replace('_', ' '))}")
        shown = 0
        for name in names:
            rows = [
                line.removeprefix(name).split() for line in table if line.startswith(f"{name} ")
            ]
            counts = [int(cells[0]) for cells in rows if cells[0].isdecimal() and len(cells) == 3]
            shown += sum(counts)
        assert shown == int((devices.rated_kw > 0).sum()), kind


def test_describe_shows_jobs_of_machines_and_engines_with_and_without_a_permit(capsys):
    lines, fleet = described_suburb(capsys)
    pumps = fleet.flexible.pool_pump
    kwh = pumps.params.drawn_kwh[pumps.rated_kw > 0][:, -1]
    head = f"{kwh.min().item():.3g} to {kwh.max().item():.3g}"
    energy = [line for line in lines if line.startswith("Pool pump, energy of a job, kWh: median")]
    assert len(energy) == 1
    assert energy[0].endswith(head)
    for name in ("Dishwasher", "Washer", "Dryer", "Pool pump"):
        assert any(line.startswith(f"{name}, length of a job, h: median") for line in lines)
    for what in ("permitted to run for others", "in an outage alone"):
        assert any(line.startswith(f"Generator, {what}, kW: median") for line in lines)


def test_describe_shows_connections_that_several_share_once_each(capsys):
    assert main(["fleet", "describe", "fleet=depots", "fleet.depot_charger_share=0.5"]) == 0
    out = capsys.readouterr().out
    # Depots of twenty buses: 0.4 of 60 kW and 3.5 times 0.3 kW for each.
    assert "Shared connection, kW: median 501, all alike" in out
    assert "Shared connection, homes or vehicles: median 20, all alike" in out
    assert "Shared connection, chargers at most: median 10, all alike" in out


def test_a_fleet_without_devices_is_described_too(capsys):
    assert main(["fleet", "describe", written("homes.csv", GOOD + SITE)]) == 0
    assert "battery, discharging 0 0.0% 0.000 0.000" in words(capsys)


def test_a_histogram_counts_every_value_once():
    lines = histogram("Power, kW", torch.tensor([0.0, 1.0, 1.0, 8.0])).splitlines()
    assert lines[0] == "[bold]Power, kW[/]: median 1, 0 to 8"
    counts = [int(line.split()[-1]) for line in lines[1:]]
    assert counts == [1, 2, 0, 0, 0, 0, 0, 1]
    bars = [line.count("█") for line in lines[1:]]
    assert bars == [16, 32, 0, 0, 0, 0, 0, 16]


def test_sample_writes_the_fleet_of_a_configuration(capsys):
    argv = ["fleet", "sample", "fleet=ev", "--out", "homes.parquet", "fleet.homes=20"]
    assert main(argv) == 0
    assert words(capsys)[0] == "wrote 20 homes to homes.parquet"
    sampled = sample_fleet(
        FleetSpec(homes=20, battery_share=0, solar_share=0, ev_share=1, managed_share=0.9)
    )
    read = read_fleet("homes.parquet")
    assert torch.equal(read.ev.params.capacity_kwh, sampled.ev.params.capacity_kwh)


@pytest.mark.parametrize("name", ["homes.csv", "homes.parquet"])
def test_a_sampled_suburb_is_valid_and_described_as_the_configuration_is(name, capsys):
    sampled = ["fleet=suburb", "fleet.generator_share=0.3", "fleet.generator_permit_share=0.5"]
    assert main(["fleet", "sample", "--out", name, *sampled]) == 0
    assert words(capsys)[0] == f"wrote 64 homes to {name}"
    assert main(["fleet", "validate", name]) == 0
    said = words(capsys)
    assert f"{name} is valid: 64 homes, " in " ".join(said)
    assert not any(line.startswith("Errors") for line in said)
    assert main(["fleet", "describe", *sampled]) == 0
    configured = words(capsys)
    assert main(["fleet", "describe", name]) == 0
    tabled = words(capsys)
    assert tabled[0] == f"{name}: 64 homes"
    assert tabled[1:] == configured[1:]
    for title in ("Hot water tank, L", "House to outdoors, W/K", "Pool pump, energy of a job, kWh"):
        assert any(line.startswith(f"{title}: median") for line in tabled)


@pytest.mark.parametrize("verb", ["template", "sample"])
def test_a_file_that_exists_is_left_alone(verb, tmp_path, capsys):
    written("homes.csv", "mine")
    assert main(["fleet", verb, "--out", "homes.csv"]) == 2
    said = "vpp fleet: homes.csv exists and is left alone; name another file.\n"
    assert capsys.readouterr().err == said
    assert Path("homes.csv").read_text() == "mine"
    assert main(["fleet", verb, "--out", "nowhere/homes.csv"]) == 2
    assert main(["fleet", verb, "--out", "homes.xlsx"]) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["homes.csv"]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["valid", "x"], "vpp fleet does not know 'valid'; did you mean 'validate'?"),
        (["validate"], "vpp fleet validate takes FILE, got 0."),
        (["template", "--home", "3"], "vpp fleet template does not know '--home'; did you mean"),
        (["template", "--homes", "0"], "--homes must be a whole number above 0, got '0'."),
        (["template", "--homes", "many"], "--homes must be a whole number above 0, got 'many'."),
        (["template", "--out"], "vpp fleet template: --out needs a value."),
        (["sample"], "vpp fleet sample needs the name of a table: add --out homes.csv"),
        (["describe", "fleet=mixd"], "fleet has no option 'mixd'; did you mean 'mixed'?"),
    ],
)
def test_wrong_use_is_one_sentence(argv, sentence, capsys):
    assert main(["fleet", *argv]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_help_names_every_column_and_what_a_blank_cell_means(capsys):
    assert main(["fleet", "--help"]) == 0
    text = capsys.readouterr().out
    assert "kind = battery" in text
    assert "round_trip_eff    AC-to-AC round-trip efficiency, 0 to 1 [0.9]" in text
    assert main(["fleet"]) == 2


QUICK = [
    "agent.seconds=600",
    "agent.iterations=1",
    "agent.scenarios=2",
    "agent.homes=2",
    "agent.window_h=2.0",
    "agent.horizon_h=1.0",
    "scenario.unseen_homes=2",
    "validations=1",
    "validation_windows=1",
    "validation_window_days=2",
    "compile=false",
    "threads=1",
    "market.train_days=4",
    "market.validation_days=4",
    "market.test_days=4",
]


def test_a_policy_is_trained_on_a_table_and_its_run_says_on_which(tmp_path, capsys):
    write_fleet(sample_fleet(FleetSpec(homes=80)), "homes.csv")
    argv = ["train", *QUICK, "fleet.table=homes.csv", "fleet.homes=6", "hydra.run.dir=run"]
    assert main(argv) == 0
    lines = words(capsys)
    assert any(
        line.startswith("homes.csv: 80 homes, no home in two splits: 6 of") for line in lines
    )
    assert lines[-1] == "next: vpp evaluate run or vpp export run"
    facts = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert facts["fleet"] == "homes.csv"
    assert len(facts["fleet sha256"]) == 64
    assert (
        json.loads((tmp_path / "run" / "config.json").read_text())["fleet"]["table"] == "homes.csv"
    )


def test_a_training_with_a_faulty_table_leaves_nothing(tmp_path, capsys):
    written("homes.csv", GOOD + "h,site,-1,,,,,\n")
    assert main(["train", *QUICK, "fleet.table=homes.csv", "hydra.run.dir=run"]) == 2
    assert capsys.readouterr().err.startswith("vpp train: homes.csv has 2 problems:\n  row 2, exp")
    assert [file.name for file in tmp_path.iterdir()] == ["homes.csv"]


def test_names_of_homes_survive_the_template():
    main(["fleet", "template", "--out", "homes.csv"])
    names = ("home-001", "home-002", "home-003", "home-004")
    assert read_fleet_table("homes.csv").names == names


def test_an_event_says_what_the_batteries_give_and_that_reserves_stay(capsys):
    words = ["fleet=mixed", "fleet.homes=200", "fleet.battery_share=0.6", "--mw", "0.4"]
    assert main(["fleet", "event", *words, "--hours", "1"]) == 0
    out = capsys.readouterr().out
    assert "0.4 MW asked for 1 h" in out
    assert "0.4 MW within 2 %: held. Mean 0.400 MW" in out
    assert "0 agreements broken, 0.000 kWh missing to reserves." in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--mw", "much"], "--mw must be a number"),
        (["--mw=-5"], "above 0 MW"),
        (["--hours", "99"], "5 minutes to 24 hours"),
        (["--power", "5"], "does not know '--power'"),
    ],
)
def test_what_is_no_event_is_one_sentence(words, sentence, capsys):
    assert main(["fleet", "event", "fleet=mixed", "fleet.homes=8", *words]) == 2
    assert sentence in capsys.readouterr().err


COMMIT = ["fleet", "commit", "fleet.homes=10", "--events", "20", "--history", "30", "--lead", "0.5"]


def test_commit_shows_promise_delivery_and_reasons(capsys):
    assert main(COMMIT) == 0
    lines = words(capsys)
    assert lines[0] == "fleet.homes=10: 20 events of 10 homes"
    for name in ("planned", "expected", "promised", "delivered", "delivered less promised"):
        assert any(re.fullmatch(name + r"( -?[\d,]+\.\d){9}", line) for line in lines)
    for reason in ("offline", "lost", "opt-out", "override", "interruption", "energy"):
        assert any(re.fullmatch(reason + r"( -?[\d,]+\.\d\d){3}", line) for line in lines)
    share = r"A promise at p10, to be kept in 90% of events, was kept in (\d+\.\d)% of 20 "
    assert float(re.match(share, lines[-1])[1]) % 5.0 == 0.0  # of twenty
    assert lines[-1].endswith("It was made 0.5 h before each, from reports and 30 earlier events.")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--events", "many"], "--events must be a whole number, got 'many'."),
        (["--lead", "soon"], "--lead must be a number, got 'soon'."),
        (["--lead", "20"], "lead must be from a twelfth of an hour to 10 hours, got 20."),
        (["--chance", "90"], "chance must lie between 0 and 1, such as 0.1"),
        (["--history", "3"], "history must be at least 30 events"),
        (["--event", "3"], "vpp fleet commit does not know '--event'; did you mean '--events'?"),
    ],
)
def test_commit_refuses_wrong_words_in_a_sentence(wrong, sentence, capsys):
    assert main(["fleet", "commit", *wrong]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
