import json

import pytest
from omegaconf import OmegaConf

from vpp_rl.cli import evaluate, study
from vpp_rl.cli.main import main
from vpp_rl.configuration import compose

COMMON = ["market.train_days=4", "market.validation_days=4", "fleet.homes=4", "threads=1"]
STUDY = {
    "seeds": 2,
    "common": COMMON,
    "policies": {"curve": ["agent.seconds=1"], "power": ["dispatch=cohort_power"]},
    "evaluation": ["window_days=1", "threads=1"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a study; runs/ will be beside it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "own")
    return tmp_path / "own"


def write(folder, **changes):
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(json.dumps(STUDY | changes))  # JSON is YAML


def finish(folder, name, seed):
    """Leave the folder of a finished run of the study."""
    run = folder.parent / "runs" / "own" / name / f"seed{seed}"
    run.mkdir(parents=True)
    overrides = [*COMMON, *STUDY["policies"][name], f"seed={seed}"]
    config = OmegaConf.to_container(compose("train", overrides), resolve=True)
    (run / "config.json").write_text(json.dumps(config, indent=2))
    (run / "done").touch()
    return run


@pytest.fixture
def scored(monkeypatch):
    """No training and no scoring: returns what would have been trained, and the runs scored."""
    seen = []
    monkeypatch.setattr(
        study, "_train", lambda study, name, place, seeds: seen.append((name, seeds))
    )
    monkeypatch.setattr(
        evaluate, "evaluate", lambda runs, cfg: seen.append([str(run) for run in runs])
    )
    monkeypatch.setattr(study, "_write", lambda folder, currency, report, suffix: None)
    return seen


def refusal(capsys, *arguments):
    assert main(["study", *map(str, arguments)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def test_only_missing_seeds_are_trained_and_all_are_scored(folder, scored):
    finish(folder, "curve", 0)
    finish(folder, "curve", 1)
    finish(folder, "power", 1)
    assert main(["study", str(folder), "workers=2"]) == 0
    trained, places = scored
    assert trained == ("power", [0])
    runs = ("curve/seed0", "curve/seed1", "power/seed0", "power/seed1")
    assert places == [f"runs/own/{run}" for run in runs]


def test_fewer_seeds_can_be_asked_for(folder, scored):
    assert main(["study", str(folder), "seeds=1"]) == 0
    assert scored[:2] == [("curve", [0]), ("power", [0])]


def test_a_finished_run_of_other_settings_is_not_taken(folder, scored, capsys):
    finish(folder, "curve", 0)
    run = finish(folder, "power", 1)
    write(folder, common=[*COMMON, "validations=3"])
    assert "seed0 was made with other settings" in refusal(capsys, folder)
    write(folder, policies=STUDY["policies"] | {"power": ["agent=ppo"]})
    said = refusal(capsys, folder)
    assert f"{run.relative_to(folder.parent)} was made with other settings" in said
    assert "agent.name ('apg' and 'ppo')" in said
    assert "remove it" in said
    assert scored == []


def test_a_training_that_fails_is_one_sentence_with_the_end_of_its_log(folder, capsys):
    write(folder, seeds=1, policies={"curve": ["market.prices=nowhere.csv"]})
    said = refusal(capsys, folder)
    log = "runs/own/curve/log.txt"
    assert said.startswith("vpp study: training curve failed: vpp train: ")
    assert "nowhere.csv" in said
    assert said.endswith(f"; see {log}\n")
    assert (folder.parent / log).is_file()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": 0}, "study.seeds must be at least 1, got 0"),
        ({"seeds": "two"}, "study.seeds must be a whole number, got 'two'"),
        ({"sedes": 2}, "study has no key 'sedes'; did you mean 'seeds'?"),
        ({"common": "threads=1"}, "study.common must be a list"),
        ({"policies": {}}, "study.policies must name at least one policy"),
        ({"policies": {"curve": ["agent=agp"]}}, "agent has no option 'agp'"),
        ({"policies": {"each": ["dispatch=per_device"]}}, "dispatch=per_device"),
        ({"policies": {"a": [], "b": ["agent.seconds=9"]}}, "'a' and 'b' are both agent=apg"),
        (
            {"policies": {"a": [], "b": ["agent=ppo", "market=vic1"]}},
            "'a' and 'b' are trained on different scenarios",
        ),
        ({"evaluation": ["windows=0"]}, "evaluate.windows must be at least 1, got 0"),
    ],
)
def test_a_mistake_in_a_study_is_found_before_anything_is_trained(
    changes, words, folder, scored, capsys
):
    write(folder, **changes)
    assert words in refusal(capsys, folder)
    assert scored == []


@pytest.mark.parametrize("text", ["seeds: [", "- seeds", "seeds: ${nowhere}"])
def test_a_study_that_cannot_be_read_is_named(text, folder, capsys):
    (folder / "study.yaml").write_text(text)
    assert f"{folder / 'study.yaml'}" in refusal(capsys, folder)


def test_other_regions_are_scored_and_a_sensitivity_where_its_loads_are_given(
    folder, scored, monkeypatch, capsys
):
    write(folder, regions=["VIC1"], sensitivities={"households": ["export_limit_kw=5.0"]})
    played = []
    monkeypatch.setattr(evaluate, "evaluate", lambda runs, cfg: played.append(cfg))
    written = []
    monkeypatch.setattr(study, "_write", lambda *given: written.append(given[-1]))
    assert main(["study", str(folder)]) == 0
    assert [cfg.region for cfg in played] == [None, "VIC1"]
    assert "households: left out, give loads=FILE" in capsys.readouterr().out
    assert main(["study", str(folder), "loads=homes.csv"]) == 0
    assert [(cfg.loads, cfg.export_limit_kw) for cfg in played[2:]] == [
        (None, None),
        (None, None),
        ("homes.csv", 5.0),
    ]
    assert written[2:] == ["", "_vic1", "_households"]
