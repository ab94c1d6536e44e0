"""``vpp bench``: measure the speed of the simulator and of the learners on this machine."""

from collections.abc import Sequence

ABOUT = """usage: vpp bench [--quick]

Print home-steps a second of physics and of the whole environment, eager and compiled, PPO against
the same PPO on an environment that does nothing, memory, and the share of the memory bandwidth
that is reached. A benchmark, not a test: run it on a quiet machine and compare ratios."""


def run(argv: Sequence[str]) -> int:
    """Run ``vpp bench``."""
    from vpp_envs.errors import InputError

    if any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0
    if any(argument != "--quick" for argument in argv):
        raise InputError("vpp bench knows --quick only.")
    from rich.table import Table

    from vpp_rl.cli.console import console
    from vpp_rl.evaluation.speed import bandwidth_gb_s, measure_learner, measure_simulator

    out = console()
    table = Table(title="Simulator")
    for name in ("rows x homes", "what", "mode", "ms a step", "M home-steps/s", "GB/s", "MiB"):
        table.add_column(name, justify="right")
    bandwidth = bandwidth_gb_s()
    out.print(f"memory bandwidth, copy of 512 MiB, 2 threads: {bandwidth:.1f} GB/s")
    sizes = [(1, 100), (64, 256), (256, 64), (1, 50_000)] + ([] if argv else [(1, 1_000_000)])
    for rows, homes in sizes:
        for row in measure_simulator(rows, homes):
            table.add_row(
                f"{rows} x {homes:,}",
                row.what,
                row.mode,
                f"{row.milliseconds:.3f}",
                f"{row.million_home_steps:.1f}",
                f"{row.gigabytes:.1f} ({row.gigabytes / bandwidth:.0%})",
                f"{row.memory_mib:,.0f}",
            )
    out.print(table)
    idle, ours = measure_learner(seconds=8.0 if argv else 20.0)
    out.print("PPO, net 64x64, 256 rows of 64 homes, 96 steps, batch 4096, 4 epochs:")
    out.print(
        f"  {ours:,.0f} steps/s, {ours / idle:.0%} of the {idle:,.0f} steps/s of the same PPO"
    )
    out.print("  on an environment that does nothing")
    return 0
