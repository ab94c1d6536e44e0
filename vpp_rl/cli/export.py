"""``vpp export``: write a trained controller as an artifact, or verify one."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ABOUT = """usage: vpp export RUN [out=FOLDER]
       vpp export --verify FOLDER [RUN] [--parity N]

Write the whole controller of a run (telemetry and signals in, set-points out) as TorchScript,
with manifest, golden pairs and model card, by default into RUN/export; or verify such a folder:
hashes, code, golden pairs, N random telemetries of 1 to 50,000 homes against the in-process
controller (default 1,000; of RUN, else of the folder's own weights), and the time for 50,000
homes. Verifying exits with 1 if a difference is beyond its promise.

  vpp export runs/2026-11-23_09-43-54_nem_arbitrage_apg_seed0
  vpp export --verify runs/2026-11-23_09-43-54_nem_arbitrage_apg_seed0/export --parity 10000"""

_PARITY_FLEETS = 1000


class _Request(NamedTuple):
    """What the person asked for."""

    folders: list[Path]
    out: Path | None
    verify: bool
    fleets: int


def run(argv: Sequence[str]) -> int:
    """Run ``vpp export``."""
    if not argv or any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0 if argv else 2
    request = _read(list(argv))
    return _verify(request) if request.verify else _export(request)


def _read(argv: list[str]) -> _Request:
    """Read the command line."""
    from vpp_envs.errors import InputError
    from vpp_rl.suggestion import did_you_mean

    folders: list[Path] = []
    out, verify, fleets = None, False, _PARITY_FLEETS
    while argv:
        word = argv.pop(0)
        key, _, value = word.partition("=")
        if key == "--verify":
            verify = True
        elif key == "--parity":
            fleets = _count(value if "=" in word else (argv.pop(0) if argv else ""))
        elif key == "out" and value:
            out = Path(value)
        elif word.startswith("-") or "=" in word:
            near = did_you_mean(key, ("out", "--verify", "--parity"))
            raise InputError(f"vpp export does not know '{word}'{near} (vpp export --help)")
        else:
            folders.append(Path(word))
    most = 2 if verify else 1
    if not 1 <= len(folders) <= most:
        what = "FOLDER [RUN]" if verify else "one RUN"
        raise InputError(f"vpp export {'--verify ' * verify}takes {what}, got {len(folders)}.")
    return _Request(folders, out, verify, fleets)


def _count(text: str) -> int:
    from vpp_envs.errors import InputError

    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--parity needs a number of telemetries, got '{text}'.")
    return int(text)


def _export(request: _Request) -> int:
    from vpp_rl.cli.console import console
    from vpp_rl.export.artifact import export_run

    out = console()
    with out.status("writing and replaying"):
        folder = export_run(request.folders[0], request.out)
    out.print(f"wrote [bold]{folder}[/]:")
    for path in sorted(folder.iterdir()):
        out.print(f"  {path.name:15} {path.stat().st_size:>10,} bytes")
    out.print(f"next: vpp export --verify {folder} --parity 10000")
    return 0


def _verify(request: _Request) -> int:
    from vpp_rl.cli.console import console, progress_bar
    from vpp_rl.export.artifact import controller_of
    from vpp_rl.export.verify import PARITY, REPLAY, verify

    folder, *runs = request.folders
    source = controller_of(runs[0])[0] if runs else None
    out = console()
    with progress_bar(out, "verifying") as (bar, task):
        found = verify(
            folder, request.fleets, lambda share: bar.update(task, completed=share), source
        )
    out.print(f"files, hashes and code: as the manifest says ({found.bytes:,} bytes of controller)")
    out.print(
        f"golden pairs: largest difference {found.golden:.1e} of a home's rating "
        f"(promise: {REPLAY:.0e})"
    )
    out.print(
        f"parity: largest difference {found.parity:.1e} of a home's rating over {found.fleets:,} "
        f"random telemetries, {found.homes:,} homes (promise: {PARITY:.0e})"
    )
    out.print(f"50,000 homes: {found.dispatch_ms:.2f} ms, median, one thread")
    out.print("[bold green]verified[/]" if found.passed else "[bold red]NOT verified[/]")
    return 0 if found.passed else 1
