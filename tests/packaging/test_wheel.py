import tomllib
import zipfile

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_installs_two_packages_and_nothing_else(names):
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"vpp_rl", "vpp_envs"}


def test_wheel_holds_every_module_and_data_file_of_both_packages(names, repository):
    for package, folder in (("vpp_rl", "vpp_rl"), ("vpp_envs", "envs/vpp_envs")):
        root = repository / folder
        for file in root.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"{package}/{file.relative_to(root).as_posix()}" in names


def test_wheel_holds_every_configuration(names, repository):
    root = repository / "configs"
    files = [file.relative_to(root).as_posix() for file in root.rglob("*.yaml")]
    assert files
    for file in files:
        assert f"vpp_rl/configs/{file}" in names


def test_wheel_says_that_it_is_typed_and_carries_its_licence(names):
    assert {"vpp_rl/py.typed", "vpp_envs/py.typed"} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_installed_packages_come_from_the_wheel(installed, repository):
    code = "import vpp_rl, vpp_envs; print(vpp_rl.__file__); print(vpp_envs.__file__)"
    done = installed("python", "-c", code)
    assert done.stderr == ""
    assert str(repository) not in done.stdout
    assert done.stdout.count("site-packages") == 2


def test_installed_command_helps_and_knows_its_version(installed, repository):
    assert "vpp COMMAND" in installed("vpp", "--help").stdout
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert installed("vpp", "--version").stdout == f"vpp-rl {project['version']}\n"


def test_installed_doctor_is_content_in_an_empty_folder(installed, tmp_path):
    done = installed("vpp", "doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ready." in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_installed_configuration_is_the_packaged_one(installed):
    code = "from vpp_rl.configuration import config_dir; print(config_dir())"
    done = installed("python", "-c", code)
    assert done.stdout.endswith("site-packages/vpp_rl/configs\n"), done.stderr
