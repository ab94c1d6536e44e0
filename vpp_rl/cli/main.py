"""``vpp``: the one console command, a table of subcommands that are imported when called.

Nothing heavy is imported here: ``vpp --help`` must answer before torch would have loaded.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from vpp_rl import __version__
from vpp_rl.cli.extras import missing_library
from vpp_rl.suggestion import did_you_mean

# Name -> (module with ``run(argv) -> int``, what the person gets).
COMMANDS = {
    "demo": ("vpp_rl.cli.demo", "the whole chain on a small fleet, in five minutes"),
    "train": ("vpp_rl.cli.train", "train an agent on a scenario"),
    "evaluate": ("vpp_rl.cli.evaluate", "score a policy beside the rules, MPC and the bounds"),
    "export": ("vpp_rl.cli.export", "write a trained controller as TorchScript, or verify one"),
    "fleet": ("vpp_rl.cli.fleet", "check and describe a table of one's own homes"),
    "device": ("vpp_rl.cli.device", "what each kind of device is, can do and was promised"),
    "tariff": ("vpp_rl.cli.tariff", "check a retail tariff and bill meter readings with it"),
    "bench": ("vpp_rl.cli.bench", "measure the speed of simulator and learners here"),
    "frontier": ("vpp_rl.cli.frontier", "what comfort costs, by learned policies and tuned rules"),
    "study": ("vpp_rl.cli.study", "repeat the study behind the published results"),
    "doctor": ("vpp_rl.cli.doctor", "say what is installed and whether it works"),
}

_EXAMPLES = """
Examples:
  vpp demo
  vpp train agent=apg scenario=nem_arbitrage seed=0
  vpp train agent=ppo market.prices=PRICE_AND_DEMAND_202207_SA1.csv
  vpp train --cfg job              show the configuration and train nothing
  vpp evaluate RUN
  vpp export RUN
  vpp export --verify FOLDER
  vpp fleet validate homes.csv
  vpp device hvac
  vpp train fleet.table=homes.csv
  vpp tariff bill tou_feed_in_au readings.csv

Configuration is overridden in Hydra's syntax, after the command:
  agent=ppo                        choose an option of a group
  agent.learning_rate=1e-3         set a value
  'market.prices="a=b.csv"'        quote a value with commas, brackets or =
  --config-dir FOLDER              add a folder of your own configuration

vpp COMMAND --help says more about one command."""

_REPORT = (
    "\nThis is a bug in vpp-rl {version}. Please report it with the text above, the command line "
    "(vpp {name} ...) and what `vpp doctor` prints."
)
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_WRONG_USE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``vpp`` and return its exit code.

    0: done. 1: done, with a negative answer (a check that failed). 2: wrong use or bad input,
    said in one sentence. 130: interrupted. A traceback is a bug of vpp-rl.

    Args:
        argv: Arguments after ``vpp``; by default those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help"):
        with suppress(BrokenPipeError):  # `vpp --help | head`
            print(_help(), flush=True)
        return 0
    if name in ("-V", "--version", "version"):
        print(f"vpp-rl {__version__}")
        return 0
    if name not in COMMANDS:
        _say(f"vpp has no command '{name}'{did_you_mean(name, COMMANDS)} (vpp --help lists them)")
        return _WRONG_USE
    return _run(name, arguments[1:])


def _run(name: str, arguments: list[str]) -> int:
    """Import and run one subcommand; turn what a person can mend into one sentence."""
    try:
        code: int = import_module(COMMANDS[name][0]).run(arguments)
        # A reader that has left (`vpp ... | head`) shows at the flush, which belongs in here.
        sys.stdout.flush()
    except KeyboardInterrupt:
        _say(f"vpp {name}: interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more on the way out, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        sentence = _mendable(error)
        if not sentence:
            error.add_note(_REPORT.format(name=name, version=__version__))
            raise
        named = sentence.startswith(f"vpp {name} ")
        _say(sentence if named else f"vpp {name}: {sentence}")
        return _WRONG_USE
    return code


def _mendable(error: Exception) -> str:
    """Return the sentence for an error that the person can mend, or ``""`` for a bug."""
    if isinstance(error, ModuleNotFoundError):
        return missing_library(error.name or "")
    # Looked up, not imported: `vpp doctor` must speak even where importing the world fails.
    errors = sys.modules.get("vpp_envs.errors")
    return str(error) if errors and isinstance(error, errors.InputError) else ""


def _help() -> str:
    """Return the text of ``vpp --help``."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: vpp COMMAND [ARGUMENTS]        vpp --help | --version",
            "",
            "Train, score and deploy controllers of virtual power plants.",
            "",
            "Commands:",
            *lines,
            _EXAMPLES,
        ]
    )


def _say(sentence: str) -> None:
    """Print one sentence where errors go."""
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
