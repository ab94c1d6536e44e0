"""``vpp demo``: the whole chain on a small fleet, in five minutes."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ABOUT = """usage: vpp demo [out=FOLDER] [seconds=N]

Sample a fleet, train one policy for about two minutes (seconds=90), score it on unseen days and
homes, export the controller, load it in a fresh process without the training libraries, and
dispatch 50,000 homes with it."""

# Run in a process of its own, so that it shows what a deployer needs: this, and the artifact.
_DISPATCH = """
import statistics, sys, time
from vpp_rl.export import load
from vpp_rl.export.check import broken_promises
from vpp_rl.export.golden import random_fleet, random_signals
import torch
torch.set_num_threads(1)
controller = load(sys.argv[1])
generator = torch.Generator().manual_seed(7)
fleet, (signals, nodes) = random_fleet(50_000, generator).numpy(), random_signals(generator)
names = [field.name for field in controller.manifest.signals]
entries = dict(zip(names, signals.tolist())) | {"nodes_per_mwh": nodes.numpy()}
table, took = controller.dispatch(fleet, entries), []
for _ in range(30):
    began = time.perf_counter()
    table = controller.dispatch(fleet, entries)
    took.append((time.perf_counter() - began) * 1e3)
broken = broken_promises(fleet, table, controller.manifest.control_dt_s / 3600.0)
trained = [m for m in ("stable_baselines3", "hydra", "ray", "tensorboard") if m in sys.modules]
print(f"50,000 homes at {entries['price_per_mwh']:.0f} {controller.manifest.currency}/MWh: "
      f"set-points sum to {table.battery_kw.sum() / 1e3:+.1f} MW, "
      f"in {statistics.median(took):.1f} ms on one core (median of {len(took)}), "
      f"{broken} broken agreements, valid until {table.valid_until} UTC, "
      f"training libraries loaded: {trained or 'none'}")
sys.exit(1 if broken or trained else 0)
"""


def run(argv: Sequence[str]) -> int:
    """Run ``vpp demo``."""
    from vpp_envs.errors import InputError

    if any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0
    keys = dict(a.split("=", 1) for a in argv if "=" in a)
    for key in [*keys, *(a for a in argv if "=" not in a)]:
        if key not in ("out", "seconds"):
            raise InputError(f"vpp demo has no key '{key}': it knows out=FOLDER and seconds=N.")
    seconds = keys.get("seconds", "90")
    if not seconds.isdigit() or int(seconds) < 5:
        raise InputError(f"seconds must be a whole number of at least 5, got '{seconds}'.")
    return _demo(Path(keys.get("out", "runs/demo")), int(seconds))


def _demo(folder: Path, seconds: int) -> int:
    """Train, score, export, dispatch."""
    import json

    from vpp_rl.cli.console import console
    from vpp_rl.cli.evaluate import evaluate
    from vpp_rl.cli.train import train_with_progress
    from vpp_rl.configuration import compose, resolved
    from vpp_rl.export.artifact import export_run
    from vpp_rl.training.job import job_from
    from vpp_rl.training.run import use_threads

    out = console()
    use_threads(1)
    out.rule("1 of 4  train: a short run, not the best that can be had")
    cfg = compose(
        "train",
        [
            "market.train_days=365",
            "market.test_days=365",
            "fleet=two_hour",
            f"agent.seconds={seconds}",
        ],
    )
    config = resolved(cfg)
    train_with_progress(job_from(config), folder, json.dumps(config, indent=2))
    out.rule("2 of 4  score: unseen days and homes, everybody on the same ones")
    report = evaluate([folder], compose("evaluate", ["windows=12", "window_days=5"]))
    out.print(f"(one seed, {seconds} s of training, 60 days: a first look, not a result)")
    out.rule("3 of 4  export")
    artifact = export_run(folder, folder / "export")
    out.print(f"wrote {artifact}")
    out.rule("4 of 4  dispatch 50,000 homes in a fresh process")
    command = [sys.executable, "-c", _DISPATCH, str(artifact)]
    code = subprocess.run(command, check=False).returncode
    out.print(f"report: [bold]{report}[/]  (open it in a browser)")
    out.print(
        "next:   vpp train agent=ppo   ·   vpp train market=vic1   ·   make bench   ·   make test"
    )
    return code
