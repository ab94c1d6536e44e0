import io
import warnings
import zipfile

import pytest
import torch

from vpp_envs.dispatch.modes import action_names
from vpp_envs.errors import InputError
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, EV_COHORTS, cohort_names
from vpp_envs.observation import feature_names
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.export.controller import Controller
from vpp_rl.export.script import save_script, script
from vpp_rl.export.vet import vet

NAMES = cohort_names(BATTERY_COHORTS)


def write(dispatch, path, batteries=BATTERY_COHORTS, cars=None):
    """Write a controller as export does."""
    names, of_cars = cohort_names(batteries), cohort_names(cars or ())
    features, actions = feature_names(names, of_cars), action_names(dispatch, names, 0, of_cars)
    network = PolicyNetwork(len(features), len(actions))
    controller = Controller(network, dispatch, batteries, 60.0, 1 / 12, cars)
    save_script(script(controller), path, "{}")
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write("value_curve", tmp_path_factory.mktemp("archive") / "controller.pt")


def with_lines(archive, folder, lines, before="    valid = "):
    """The archive with lines of TorchScript in the controller's class."""
    path = folder / "controller.pt"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.infolist():
            content = source.read(member)
            if b"class Controller(Module)" in content and member.filename.endswith(".py"):
                assert before.encode() in content
                content = content.replace(before.encode(), lines.encode() + before.encode(), 1)
            target.writestr(member.filename, content)
    return path


@pytest.mark.parametrize("cars", [None, (), EV_COHORTS])
@pytest.mark.parametrize("batteries", [BATTERY_COHORTS, ()])
@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power"])
def test_what_export_writes_passes(dispatch, batteries, cars, tmp_path):
    vet(write(dispatch, tmp_path / "controller.pt", batteries, cars))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('x = torch.save(telemetry, "stolen")', "calls save"),
        ('x = torch.from_file("secret", False, 4, dtype=0)', "calls from_file"),
        ('x = torch.from_file ("secret", False, 4, dtype=0)', "calls from_file"),
        ('x = (torch).from_file("secret", False, 4, dtype=0)', "calls from_file"),
        ('f = torch.from_file\n    x = f("secret", False, 4, dtype=0)', "calls from_file"),
        ('f = torch\n    x = f.from_file("secret", False, 4, dtype=0)', "calls from_file"),
        ('x = ops.aten.from_file("secret", False, 4, dtype=0)', "calls from_file"),
        ('x = (telemetry).save("stolen")', "calls save"),
        ('x = getattr(telemetry, "save")', "calls getattr"),
        ("g = getattr", "calls getattr"),
        ("x = __torch__.torch.classes.dist_rpc.WorkerInfo", "calls"),
        ("x = fork(telemetry)", "uses fork"),
        ("fork = telemetry", "uses fork"),
        ("print(telemetry)", "uses print"),
        ("while True:\n      x = telemetry", "has a While"),
        ("x = [telemetry for y in telemetry]", "has a ListComp"),
        ("import os", "has a Import"),
        ("x = telemetry # y", "holds characters"),
        ("x = 'y'", "holds characters"),
        ("x = ", "cannot be parsed"),
    ],
)
def test_code_that_does_more_than_compute_is_refused(archive, tmp_path, line, fault):
    path = with_lines(archive, tmp_path, f"    {line}\n")
    with pytest.raises(InputError, match=fault):
        vet(path)


def test_torch_would_have_loaded_and_run_such_code(archive, tmp_path):
    # What is refused above is no fancy: torch itself reads the file that the code names.
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(16))
    lines = f'    f = torch.from_file\n    x = f("{secret}", False, 4, dtype=6)\n'
    path = with_lines(archive, tmp_path, lines + "    telemetry = torch.add(telemetry, x[0])\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = torch.jit.load(str(path))
    curve = torch.zeros(len(NAMES), 17)
    answer = loaded(torch.ones(2, 13), torch.ones(7), torch.ones(48, 11), curve)
    assert answer.shape == (2, 5)
    with pytest.raises(InputError, match="calls from_file"):
        vet(path)


def test_code_that_would_run_while_it_loads_is_refused(archive, tmp_path):
    method = "  def __setstate__(self, state: Tensor) -> NoneType:\n    return None\n"
    path = with_lines(archive, tmp_path, method, before="  def forward(")
    with pytest.raises(InputError, match="defines __setstate__"):
        vet(path)


@pytest.mark.parametrize(
    "member", ["../../outside.py", "controller/code/evil.so", "controller/data.pkl", "evil"]
)
def test_a_strange_or_second_member_is_refused(archive, tmp_path, member):
    path = tmp_path / "controller.pt"
    path.write_bytes(archive.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the second member, and writes it
        with zipfile.ZipFile(path, "a") as target:
            target.writestr(member, b"x")
    with pytest.raises(InputError, match="belongs to no controller"):
        vet(path)


def test_an_archive_that_unpacks_to_too_much_is_refused_unread(archive, tmp_path):
    path = tmp_path / "controller.pt"
    path.write_bytes(archive.read_bytes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as target:
        target.writestr("controller/code/__torch__/bomb.py", bytes(65 * 2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match="unpacks to more than"):
        vet(path)


def flipped(content):
    at = content.index(b"code/__torch__/vpp_envs/observation.py") + 400
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


@pytest.mark.parametrize("change", [lambda b: b[: len(b) // 2], lambda b: b"", flipped])
def test_a_damaged_archive_is_refused(archive, tmp_path, change):
    path = tmp_path / "controller.pt"
    path.write_bytes(change(archive.read_bytes()))
    with pytest.raises(InputError, match=r"truncated or no TorchScript file|belongs to no"):
        vet(path)


def test_an_archive_without_code_is_refused(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        target.writestr("controller/version", b"3")
    path = tmp_path / "controller.pt"
    path.write_bytes(content.getvalue())
    with pytest.raises(InputError, match="holds no TorchScript code"):
        vet(path)
