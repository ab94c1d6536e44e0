"""``vpp train --multirun``: a sweep from the command line to its exit code."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from vpp_envs.errors import InputError
from vpp_rl.cli.hydra_job import check_all, grid_jobs, start_hydra
from vpp_rl.cli.sweeping.folder import resumed
from vpp_rl.cli.sweeping.outcome import SweepJob
from vpp_rl.cli.sweeping.ray_cluster import prepare_environment
from vpp_rl.suggestion import did_you_mean

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_OURS = {"sweeper": ("basic", "optuna", "pbt"), "launcher": ("basic", "ray")}
_SHOWS = ("-h", "--help", "--hydra-help", "-c", "--cfg", "-i", "--info")


def is_sweep(argv: Sequence[str]) -> bool:
    """Whether the arguments run a sweep, and do not only show something."""
    sweeps = any(flag in argv for flag in ("-m", "--multirun"))
    return sweeps and not any(flag in argv for flag in _SHOWS)


def run_sweep(
    config_name: str,
    argv: Sequence[str],
    check: Callable[[Any], object],
    job: Callable[[Any], float],
) -> int:
    """Run a sweep under Hydra.

    Args:
        config_name: Primary configuration.
        argv: Overrides and Hydra's flags; ``--resume SWEEP`` stands for those of an earlier sweep.
        check: Gets each composed configuration before the first job; raises on bad input.
        job: Gets a composed configuration; returns what is to be high.

    Returns:
        0, or 1 if jobs failed.

    Raises:
        InputError: An override is wrong; the sentence says which and what exists.
        ModuleNotFoundError: The launcher or sweeper stands on a library that is not installed.
    """
    arguments = resumed(argv)
    sweeper, launcher = _chosen(arguments, "sweeper"), _chosen(arguments, "launcher")
    if sweeper == "pbt" and launcher == "ray":
        raise InputError(
            "hydra/sweeper=pbt runs its members on Ray by itself: drop hydra/launcher=ray (and for "
            "fewer than all cores, give hydra.sweeper.cpus=N)"
        )
    _register(sweeper, launcher)
    check_all(config_name, arguments, *_checks(sweeper, arguments, check))
    from vpp_rl.cli.sweeping.launching import FailedJobsError

    try:
        start_hydra(config_name, arguments, SweepJob(job, tuple(arguments)))
    except FailedJobsError:
        return 1
    return 0


def _chosen(argv: Sequence[str], kind: str) -> str:
    """The sweeper or launcher that the arguments choose, which exists."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    group = f"hydra/{kind}"
    options = [text.partition("=")[2] for text in argv if text.startswith(f"{group}=")]
    if not options:
        return "basic"
    Plugins.instance()  # whose scan fills the store with what is installed
    installed = [name.removesuffix(".yaml") for name in ConfigStore.instance().list(group)]
    known = sorted({*installed, *_OURS[kind]})
    if options[-1] not in known:
        raise InputError(
            f"{group} has no option '{options[-1]}'{did_you_mean(options[-1], known)} "
            f"({group} may be {', '.join(known)})"
        )
    return options[-1]


def _checks(
    sweeper: str, arguments: Sequence[str], check: Callable[[Any], object]
) -> tuple[Callable[[Any], object], Callable[[Sequence[str]], Iterable[list[str]]]]:
    """What jobs are checked by, and which are, before the first is run."""
    if sweeper not in ("optuna", "pbt"):
        return check, grid_jobs
    from vpp_rl.cli.sweeping.space import probing_jobs

    if sweeper == "optuna":
        from vpp_rl.cli.sweeping.search import OptunaSettings

        _settings(arguments, OptunaSettings)
        return check, probing_jobs
    from vpp_rl.cli.sweeping.pbt_sweeper import population_check
    from vpp_rl.cli.sweeping.population import PopulationSettings

    settings = _settings(arguments, PopulationSettings)
    return population_check(arguments, settings, check), probing_jobs


def _register(sweeper: str, launcher: str) -> None:
    """Make our sweepers and our launcher known to Hydra, in this process.

    Hydra finds plugins by scanning the package ``hydra_plugins`` and instantiates those alone
    whose name begins so; ours lie here, and are entered under such a name by hand.
    """
    from hydra.core.plugins import Plugins

    # The scan comes first: it enters hydra-ray-launcher's "ray", which ours replaces, and makes
    # every plugin's class anew.
    plugins = Plugins.instance()
    from vpp_rl.cli.sweeping.grid import GridSweeper

    _enter(plugins, "sweeper", "basic", GridSweeper, {"max_batch_size": None, "params": None})
    if sweeper == "optuna":
        import_module("optuna")
        from vpp_rl.cli.sweeping.optuna_sweeper import OptunaSweeper
        from vpp_rl.cli.sweeping.search import OptunaSettings

        _enter(plugins, "sweeper", "optuna", OptunaSweeper, asdict(OptunaSettings()))
    if sweeper == "pbt":
        prepare_environment()
        import_module("ray.tune")
        from vpp_rl.cli.sweeping.pbt_sweeper import PbtSweeper
        from vpp_rl.cli.sweeping.population import PopulationSettings

        _enter(plugins, "sweeper", "pbt", PbtSweeper, asdict(PopulationSettings()))
    if launcher == "ray":
        from vpp_rl.cli.sweeping.ray_launcher import DEFAULTS, LocalRayLauncher

        prepare_environment()
        import_module("ray")
        _enter(plugins, "launcher", "ray", LocalRayLauncher, DEFAULTS)


def _enter(
    plugins: Any,  # noqa: ANN401 - Hydra's Plugins
    kind: str,
    name: str,
    plugin: type,
    settings: dict[str, Any],
) -> None:
    from hydra.core.config_store import ConfigStore

    alias = f"hydra_plugins.vpp_rl.{plugin.__name__}"
    plugins.register(plugin)
    plugins.class_name_to_class[alias] = plugin
    ConfigStore.instance().store(
        group=f"hydra/{kind}", name=name, node={"_target_": alias, **settings}, provider="vpp_rl"
    )


def _settings(argv: Sequence[str], into: type[T]) -> T:
    """Read the settings of a sweeper before Hydra makes a folder, and refuse wrong ones."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from vpp_rl.configuration import build

    prefix = "hydra.sweeper."
    texts = [text for text in argv if text.startswith(prefix)]
    try:
        parsed = OverridesParser.create().parse_overrides(texts)
    except HydraException:
        return into()  # Hydra says so itself
    values = {one.key_or_group.removeprefix(prefix): one.value() for one in parsed}
    return build("hydra.sweeper", values, into)
