"""``vpp export``: write a trained controller as an artifact, or verify one."""

from collections.abc import Sequence
from pathlib import Path

ABOUT = """usage: vpp export RUN [out=FOLDER]
       vpp export --verify FOLDER [--parity N]

Write the whole controller of a run (telemetry and signals in, set-points out) as TorchScript,
with manifest, golden pairs and model card; or verify such a folder: hashes, golden pairs, N random
telemetries against the in-process controller (default 1,000), and the time for 50,000 homes.

  vpp export runs/2026-11-23_09-43-54_nem_arbitrage_apg_seed0
  vpp export --verify runs/2026-11-23_09-43-54_nem_arbitrage_apg_seed0/export --parity 10000"""


def run(argv: Sequence[str]) -> int:
    """Run ``vpp export``."""
    from vpp_envs.errors import InputError

    if not argv or any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0 if argv else 2
    if "--verify" in argv:
        return _verify(list(argv))
    folders = [a for a in argv if "=" not in a]
    keys = dict(a.split("=", 1) for a in argv if "=" in a)
    unknown = [key for key in keys if key != "out"]
    if unknown:
        raise InputError(f"vpp export has no key '{unknown[0]}': it knows out=FOLDER.")
    if len(folders) != 1:
        raise InputError(f"vpp export takes the folder of one run, got {len(folders)}.")
    return _export(Path(folders[0]), Path(keys.get("out", Path(folders[0]) / "export")))


def _export(run_folder: Path, out_folder: Path) -> int:
    from vpp_rl.cli.console import console
    from vpp_rl.export.artifact import export_run

    folder = export_run(run_folder, out_folder)
    out = console()
    out.print(f"wrote [bold]{folder}[/]:")
    for path in sorted(folder.iterdir()):
        out.print(f"  {path.name:15} {path.stat().st_size:>10,} bytes")
    out.print(f"next: vpp export --verify {folder} --parity 10000")
    return 0


def _verify(argv: list[str]) -> int:
    from vpp_envs.errors import InputError
    from vpp_rl.cli.console import console, progress_bar
    from vpp_rl.export.verify import PARITY, verify

    fleets = 1000
    if "--parity" in argv:
        at = argv.index("--parity")
        text = argv[at + 1] if at + 1 < len(argv) else ""
        if not text.isdigit() or int(text) < 1:
            raise InputError(f"--parity needs a number of telemetries, got '{text}'.")
        fleets = int(text)
        del argv[at : at + 2]
    argv.remove("--verify")
    if len(argv) != 1:
        raise InputError("vpp export --verify takes one folder that `vpp export` wrote.")
    out = console()
    with progress_bar(out, "verifying") as (bar, task):
        found = verify(Path(argv[0]), fleets, lambda share: bar.update(task, completed=share))
    out.print(f"files, hashes and code: as the manifest says ({found.bytes:,} bytes of controller)")
    out.print(f"golden pairs: largest difference {found.golden:.1e} of a home's rating")
    out.print(
        f"parity: largest difference {found.parity:.1e} of a home's rating over {found.fleets:,} "
        f"random telemetries, {found.homes:,} homes (promise: {PARITY:.0e})"
    )
    out.print(f"50,000 homes: {found.dispatch_ms:.2f} ms, median, one thread")
    out.print("[bold green]verified[/]" if found.passed else "[bold red]NOT verified[/]")
    return 0 if found.passed else 1
