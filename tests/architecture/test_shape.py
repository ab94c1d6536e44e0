import ast
import re
import subprocess

import pytest

PACKAGES = ("envs/vpp_envs", "vpp_rl")
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 50
DRAWER = re.compile(r"^(utils?|helpers?|misc|common)\.py$")


def modules(repository):
    return [file for package in PACKAGES for file in sorted((repository / package).rglob("*.py"))]


def functions(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def code_lines(function):
    """Lines of a function without its docstring: a page of documentation is no long function."""
    start = function.body[0].lineno
    if ast.get_docstring(function) is not None:
        if len(function.body) == 1:
            return 1
        start = function.body[1].lineno
    return function.end_lineno - start + 1


def test_files_stay_under_400_lines(repository):
    long = {
        str(file.relative_to(repository)): count
        for file in modules(repository)
        if (count := len(file.read_text().splitlines())) >= MOST_LINES_OF_A_FILE
    }
    assert long == {}


def test_functions_stay_under_50_lines(repository):
    long = {
        f"{file.relative_to(repository)}:{function.lineno} {function.name}": code_lines(function)
        for file in modules(repository)
        for function in functions(file)
        if code_lines(function) >= MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_only_the_command_line_prints(repository):
    cli = repository / "vpp_rl" / "cli"
    prints = [
        f"{file.relative_to(repository)}:{node.lineno}"
        for file in modules(repository)
        if cli not in file.parents
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    assert prints == []


def test_no_module_is_a_drawer_for_everything(repository):
    drawers = [file for file in modules(repository) if DRAWER.match(file.name)]
    assert drawers == []


@pytest.mark.parametrize(
    ("tests", "package"), [("tests/envs", "envs/vpp_envs"), ("tests/vpp_rl", "vpp_rl")]
)
def test_test_folders_mirror_the_packages(repository, tests, package):
    orphans = [
        str(file.relative_to(repository))
        for file in sorted((repository / tests).rglob("test_*.py"))
        if not (repository / package / file.parent.relative_to(repository / tests)).is_dir()
    ]
    assert orphans == []


def test_every_test_file_holds_a_test(repository):
    empty = [
        str(file.relative_to(repository))
        for file in sorted((repository / "tests").rglob("test_*.py"))
        if not any(function.name.startswith("test_") for function in functions(file))
    ]
    assert empty == []


def test_tracked_files_name_no_machine(repository):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    # Written in pieces, so that this file does not name one either.
    folders = "|".join(("home", "root", "Users", "work", "opt", "mnt"))
    machine = re.compile(rf"(?<![\w.~/:}}])/(?:{folders})/[\w.]".encode())
    index = re.compile(rb"--(?:extra-)?index-url[ =]+https?:")
    named = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        file = repository / name
        text = file.read_bytes() if file.is_file() else b""
        if machine.search(text) or index.search(text):
            named.append(name)
    assert named == []
