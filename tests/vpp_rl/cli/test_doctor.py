import importlib.metadata
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from vpp_rl.cli import doctor
from vpp_rl.cli.extras import LIBRARIES
from vpp_rl.configuration import compose
from vpp_rl.training import compiler
from vpp_rl.training.job import job_from


def finding(subject):
    (found,) = [one for one in doctor.examine() if one.subject == subject]
    return found


@pytest.fixture
def without(monkeypatch):
    """Make distributions seem absent."""
    real = importlib.metadata.version

    def hide(*names):
        def version(name):
            if name in names:
                raise importlib.metadata.PackageNotFoundError(name)
            return real(name)

        monkeypatch.setattr(importlib.metadata, "version", version)

    return hide


def test_working_installation_is_ready(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vpp_rl.configuration.config_dir", lambda: tmp_path)
    assert doctor.run([]) == 0
    text = capsys.readouterr().out
    assert "Ready." in text
    for library in LIBRARIES:
        assert library.distribution in text


def test_missing_extra_is_named_and_does_not_fail(without):
    without("ray")
    assert finding("ray") == ("missing", "ray", 'to have it, run pip install "vpp-rl[ray]"')


def test_missing_base_library_fails_with_its_name(without, capsys):
    without("gymnasium")
    assert doctor.run([]) == 1
    assert "Not ready: gymnasium" in capsys.readouterr().out


def test_battery_that_loses_energy_is_found(monkeypatch):
    from vpp_envs.devices import battery

    right = battery.stored_change_kwh
    monkeypatch.setattr(battery, "stored_change_kwh", lambda *given: right(*given) - 1e-6)
    state, _, detail = finding("physics")
    assert state == "fail"
    assert "1.0e-06 kWh" in detail


def test_broken_torch_is_a_finding_not_a_traceback(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    state, _, detail = finding("torch threads")
    assert state == "fail"
    assert "torch" in detail


def test_missing_compiler_is_only_a_note(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    state, _, detail = finding("C++ compiler")
    assert state == "note"
    assert "eager" in detail


def test_what_the_doctor_finds_for_compiling_decides_for_training(monkeypatch, tmp_path):
    cfg = OmegaConf.to_container(compose("train"), resolve=True)
    monkeypatch.setenv("CXX", sys.executable)  # any program that exists
    assert cfg["compile"] == "auto"
    monkeypatch.setattr(compiler.sysconfig, "get_path", lambda name: str(tmp_path))
    assert "no Python.h" in finding("C++ compiler").detail
    assert job_from(cfg).compile is False
    (tmp_path / "Python.h").touch()
    assert finding("C++ compiler").state == "ok"
    assert job_from(cfg).compile is True
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert job_from(cfg).compile is False
    assert job_from(cfg | {"compile": True}).compile is True


def test_unwritable_folder_is_only_a_note(monkeypatch, tmp_path):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    monkeypatch.chdir(tmp_path)
    state, _, detail = finding("runs folder")
    assert state == "note"
    assert f"cannot write in {tmp_path} (Permission denied)" in detail


def test_doctor_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    list(doctor.examine())
    assert list(tmp_path.iterdir()) == []


def test_doctor_answers_where_torch_cannot_be_imported():
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from vpp_rl.cli.main import main; sys.exit(main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Not ready: torch threads, physics" in done.stdout
    assert done.stderr == ""


def test_help_explains_the_exit_code(capsys):
    with pytest.raises(SystemExit) as caught:
        doctor.run(["--help"])
    assert caught.value.code == 0
    assert "Exit code 0" in capsys.readouterr().out
