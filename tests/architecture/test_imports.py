import ast
import subprocess
import sys

import pytest

ALLOWED_IN_DEVICES = {"__future__", "typing", "torch", "math"}


def imported_modules(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_import_contracts_are_kept(repository):
    lint = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as lint; lint()",
    ]
    done = subprocess.run(
        [*lint, "--no-logo", "--no-cache"], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_device_physics_imports_torch_alone(repository):
    # The contracts name libraries one by one; this closes the list.
    for file in sorted((repository / "envs" / "vpp_envs" / "devices").rglob("*.py")):
        for module in imported_modules(ast.parse(file.read_text())):
            inside = module.startswith("vpp_envs.devices.")
            assert inside or module.partition(".")[0] in ALLOWED_IN_DEVICES, f"{file}: {module}"


@pytest.mark.parametrize("package", ["vpp_envs", "vpp_rl"])
def test_packages_import_without_the_training_libraries(package):
    code = (
        f"import sys, {package}; "
        "print([name for name in ('stable_baselines3', 'hydra', 'ray', 'highspy', 'plotly')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
