"""``vpp doctor``: what is installed, what is missing, and whether the physics adds up."""

import argparse
import importlib.metadata
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vpp_rl import __version__
from vpp_rl.cli.extras import LIBRARIES, Library, how_to_install
from vpp_rl.training.compiler import toolchain

# Nothing that imports torch stands above: the doctor must speak where torch is missing or broken.

_COLOUR = {"ok": "green", "note": "yellow", "missing": "yellow", "fail": "bold red"}


class Finding(NamedTuple):
    """One line of the table."""

    state: str  # ok, note (works, but), missing (an extra), fail (the base does not work)
    subject: str
    detail: str


def run(argv: Sequence[str]) -> int:
    """Print the table; return 0 if the base package works, else 1."""
    parser = argparse.ArgumentParser(
        prog="vpp doctor",
        description="Say what is installed here, what is missing, and whether it works.",
        epilog="Exit code 0: an exported controller loads and runs here. 1: it does not.",
    )
    parser.parse_args(argv)
    findings = list(examine())
    table = Table(title=f"vpp-rl {__version__}", title_justify="left")
    for heading in ("", "subject", "finding"):
        table.add_column(heading, overflow="fold")  # a path that is cut short helps nobody
    for state, subject, detail in findings:
        colour = _COLOUR[state]
        table.add_row(f"[{colour}]{state}[/{colour}]", subject, escape(detail))
    console = Console()
    console.print(table)
    failed = [finding.subject for finding in findings if finding.state == "fail"]
    if failed:
        console.print(f"Not ready: {', '.join(failed)}.", markup=False)
        return 1
    console.print("Ready.")
    return 0


def examine() -> Iterator[Finding]:
    """Yield every finding, the base first."""
    yield _python()
    yield _machine()
    for library in LIBRARIES:
        yield _library(library)
    yield _checked("torch threads", _torch_threads)
    yield _checked("physics", _physics)
    yield _checked("configuration", _configuration)
    yield _compiler()
    yield _runs_folder(Path.cwd())


def _python() -> Finding:
    supported = (3, 11) <= sys.version_info[:2] < (3, 14)
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if supported:
        return Finding("ok", "Python", detail)
    return Finding("fail", "Python", f"{detail}: vpp-rl needs 3.11, 3.12 or 3.13")


def _machine() -> Finding:
    # The cores that this process may use, not those that the machine has.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Finding("ok", "machine", f"{cores} cores, {memory_gib:.0f} GiB memory")


def _library(library: Library) -> Finding:
    try:
        version = importlib.metadata.version(library.distribution)
    except importlib.metadata.PackageNotFoundError:
        state = "missing" if library.extra else "fail"
        return Finding(state, library.distribution, f"to have it, run {how_to_install(library)}")
    return Finding("ok", library.distribution, version)


def _checked(subject: str, check: Callable[[], str]) -> Finding:
    """Return what a check found, or what it died of: a broken install may fail in any way."""
    try:
        return Finding("ok", subject, check())
    except Exception as error:
        return Finding("fail", subject, f"{error} ({type(error).__name__})")


def _torch_threads() -> str:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device, CPU only"
    return f"{torch.get_num_threads()}; {gpu}"


def _physics() -> str:
    """Charge and discharge one battery and close its energy balance by hand."""
    import torch

    from vpp_envs.devices.battery import BatteryParams, stored_change_kwh

    one = torch.ones(1, dtype=torch.float64)
    battery = BatteryParams(
        capacity_kwh=13.5 * one,
        charge_kw=5.0 * one,
        discharge_kw=5.0 * one,
        one_way_eff=0.95 * one,
        standing_loss_kw=0.02 * one,
        wear_per_kwh=0.0 * one,
    )
    dt_h = 1.0 / 12.0
    charged_kwh = stored_change_kwh(5.0 * one, battery, dt_h).item()
    discharged_kwh = stored_change_kwh(-5.0 * one, battery, dt_h).item()
    error_kwh = max(
        abs(charged_kwh - (5.0 * 0.95 - 0.02) * dt_h),
        abs(discharged_kwh + (5.0 / 0.95 + 0.02) * dt_h),
    )
    if error_kwh > 1e-9:
        raise ArithmeticError(f"a battery step loses {error_kwh:.1e} kWh of its energy balance")
    return "a battery step closes its energy balance within 1e-9 kWh"


def _configuration() -> str:
    from vpp_rl.configuration import config_dir

    return str(config_dir())


def _compiler() -> Finding:
    """Look for what torch.compile needs: a C++ compiler and Python's headers."""
    subject = "C++ compiler"
    found = toolchain()
    if found.compiler is None:
        return Finding("note", subject, "none: the simulator runs eagerly, not compiled")
    if not found.complete:
        detail = f"{found.compiler}, but no Python.h: the simulator runs eagerly"
        return Finding("note", subject, detail)
    return Finding("ok", subject, f"{found.compiler}: torch.compile can be used")


def _runs_folder(here: Path) -> Finding:
    """Try to write where ``vpp train`` will: ./runs, or here if that does not exist yet."""
    runs = here / "runs"
    folder = runs if runs.is_dir() else here
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        return Finding(
            "note", "runs folder", f"cannot write in {folder} ({reason}): train elsewhere"
        )
    return Finding("ok", "runs folder", str(runs))
