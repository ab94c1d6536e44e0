import subprocess
import sys
import types

import pytest

import vpp_rl
from vpp_envs.errors import InputError
from vpp_rl.cli import main as cli
from vpp_rl.cli.main import COMMANDS, main

# Each takes longer to import than `vpp --help` may take in all.
HEAVY = ("torch", "numpy", "pandas", "gymnasium", "hydra", "stable_baselines3", "rich", "vpp_envs")


@pytest.fixture
def train(monkeypatch):
    """Put a subcommand in the place of `vpp train`; return how to say what it does."""

    def does(run):
        module = types.ModuleType("fake_train")
        module.run = run
        monkeypatch.setitem(sys.modules, "fake_train", module)
        monkeypatch.setitem(COMMANDS, "train", ("fake_train", "train"))

    return does


def raises(error):
    def run(argv):
        raise error

    return run


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(argument):
    code = (
        "import sys; from vpp_rl.cli.main import main; "
        f"code = main([{argument!r}]); "
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("heavy: []\n")


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"], ["help"]])
def test_help_lists_every_command_and_how_to_override(argv, capsys):
    assert main(argv) == 0
    text = capsys.readouterr().out
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name}" in text
        assert summary in text
    assert "vpp train agent=apg" in text
    assert "agent.learning_rate=1e-3" in text


def test_help_fits_a_terminal_of_80_columns(capsys):
    main(["--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_version_is_the_package_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vpp-rl {vpp_rl.__version__}\n"


def test_unknown_command_gets_one_sentence_and_exit_code_2(capsys):
    assert main(["trane", "seed=0"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "vpp has no command 'trane'; did you mean 'train'? (vpp --help lists them)\n"


def test_subcommand_receives_its_arguments_and_decides_the_exit_code(train):
    seen = []
    train(lambda argv: seen.append(argv) or 1)
    assert main(["train", "agent=ppo", "--help"]) == 1
    assert seen == [["agent=ppo", "--help"]]


def test_arguments_of_the_process_are_the_default(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vpp", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("vpp-rl ")


def test_bad_input_is_one_sentence_and_exit_code_2(train, capsys):
    train(raises(InputError("prices.csv row 3: no number")))
    assert main(["train"]) == 2
    assert capsys.readouterr().err == "vpp train: prices.csv row 3: no number\n"


def test_interruption_is_one_line_and_exit_code_130(train, capsys):
    train(raises(KeyboardInterrupt()))
    assert main(["train"]) == 130
    assert capsys.readouterr().err == "vpp train: interrupted\n"


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("hydra", 'hydra-core is not installed: run pip install "vpp-rl[train]"'),
        (
            "stable_baselines3.common",
            'stable-baselines3 is not installed: run pip install "vpp-rl[train]"',
        ),
        ("highspy", 'highspy is not installed: run pip install "vpp-rl[train]"'),
        ("ray", 'ray is not installed: run pip install "vpp-rl[ray]"'),
        ("pvlib", 'pvlib is not installed: run pip install "vpp-rl[weather]"'),
        ("torch", "torch is not installed: run pip install vpp-rl"),
    ],
)
def test_missing_extra_names_the_command_that_installs_it(train, capsys, module, sentence):
    train(raises(ModuleNotFoundError(f"No module named {module!r}", name=module)))
    assert main(["train"]) == 2
    assert capsys.readouterr().err == f"vpp train: {sentence}\n"


@pytest.mark.parametrize(
    "bug", [ZeroDivisionError("1/0"), ModuleNotFoundError("own", name="vpp_rl.lost"), ValueError()]
)
def test_bug_keeps_its_traceback_and_says_how_to_report_it(train, bug):
    train(raises(bug))
    with pytest.raises(type(bug)) as caught:
        main(["train"])
    assert "This is a bug in vpp-rl" in caught.value.__notes__[0]
    assert "vpp doctor" in caught.value.__notes__[0]


def test_every_command_names_a_module_of_the_command_line():
    for name, (module, summary) in COMMANDS.items():
        assert module == f"vpp_rl.cli.{name}"
        assert summary


def test_reader_that_leaves_early_is_no_error():
    script = (
        "import sys, types\n"
        "from vpp_rl.cli import main as cli\n"
        "fake = types.ModuleType('fake')\n"
        "fake.run = lambda argv: [print('x' * 1000) for _ in range(1000)] and 0\n"
        "sys.modules['fake'] = fake\n"
        "cli.COMMANDS['train'] = ('fake', '')\n"
        "sys.exit(cli.main(['train']))\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    writer.stdout.close()
    assert writer.stderr.read() == b""
    writer.stderr.close()
    assert writer.wait() == 0


def test_console_script_is_this_function():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="vpp")
    assert script.load() is cli.main
