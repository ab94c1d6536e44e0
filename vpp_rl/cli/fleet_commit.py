"""``vpp fleet commit``: what a fleet may promise for an event, and how often it is kept."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from vpp_rl.evaluation.commitment import Commitment, Trial

_COUNTS = ("--events", "--history", "--seed")
_NUMBERS = ("--chance", "--prepare", "--lead")
_QUANTILES = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.99)


def commit(words: Sequence[str]) -> int:
    """Run ``vpp fleet commit``."""
    from vpp_rl.cli.console import console
    from vpp_rl.cli.words import read_words
    from vpp_rl.configuration import compose, resolved
    from vpp_rl.evaluation.commitment import try_commitment
    from vpp_rl.training.job import scenario_from

    first = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    trial = _trial(read_words("fleet commit", words[first:], "", (*_COUNTS, *_NUMBERS)))
    spec = scenario_from(resolved(compose("train", words[:first])))
    commitment = try_commitment(spec, trial)
    for part in commitment_view(commitment, " ".join(words[:first]) or "fleet=mixed", trial):
        console().print(part)
    return 0


def commitment_view(commitment: "Commitment", name: str, trial: "Trial") -> "Iterator[Table | str]":
    """Lay a commitment out for a terminal.

    Args:
        commitment: From `try_commitment`.
        name: Of the fleet.
        trial: How it was tried.
    """
    yield _powers(commitment, name, trial)
    yield _reasons(commitment)
    met, kept = commitment.met, 1.0 - trial.chance
    yield (
        f"A promise at p{100.0 * trial.chance:g}, to be kept in {kept:.0%} of events, was kept in "
        f"{met.value:.1%} of {trial.events:,} ({met.low:.1%} to {met.high:.1%}, 95 %). It was "
        f"made {trial.timing.lead_h:g} h before each, from reports and {trial.history:,} earlier "
        "events."
    )


def _powers(commitment: "Commitment", name: str, trial: "Trial") -> "Table":
    """Quantiles over the events of what was planned, promised and delivered. [kW]"""
    import torch

    from vpp_rl.cli.console import number_table

    table = number_table(("kW", *(f"p{100.0 * q:g}" for q in _QUANTILES), "mean"))
    table.title = f"[bold]{name}[/]: {trial.events:,} events of {commitment.homes:,} homes"
    capability = commitment.capability
    rows = {
        "planned": capability.enrolled_kw,
        "expected": capability.mean_kw,
        "promised": capability.p10_kw,
        "delivered": commitment.given_kw,
        "delivered less promised": commitment.given_kw - capability.p10_kw,
    }
    at = torch.tensor(_QUANTILES, dtype=torch.float64)
    for title, kw in rows.items():
        columns = [*kw.quantile(at).tolist(), float(kw.mean())]
        table.add_row(title, *(f"{number:,.1f}" for number in columns))
    return table


def _reasons(commitment: "Commitment") -> "Table":
    """What was missing to the plan, by reason, in all events and in those that fell short."""
    from vpp_rl.cli.console import number_table
    from vpp_rl.evaluation.commitment import shortfall_kw

    table = number_table(("missing to the plan", "kW", "% of plan", "kW where promise broken"))
    planned_kw = max(float(commitment.capability.enrolled_kw.mean()), 1e-9)
    for reason, (kw, broken_kw) in shortfall_kw(commitment).items():
        table.add_row(reason, f"{kw:,.2f}", f"{100.0 * kw / planned_kw:.2f}", f"{broken_kw:,.2f}")
    return table


def _trial(asked: dict[str, str]) -> "Trial":
    """The trial that the words ask for.

    Raises:
        InputError: A number is none, or cannot be.
    """
    from vpp_envs.errors import InputError
    from vpp_rl.evaluation.commitment import Trial
    from vpp_rl.evaluation.event_play import Timing

    counts: dict[str, int] = {}
    for key in _COUNTS:
        if key in asked:
            if not asked[key].isdecimal():
                raise InputError(
                    f"vpp fleet commit: {key} must be a whole number, got {asked[key]!r}."
                )
            counts[key.removeprefix("--")] = int(asked[key])
    numbers: dict[str, float] = {}
    for key in _NUMBERS:
        if key in asked:
            try:
                numbers[key.removeprefix("--")] = float(asked[key])
            except ValueError:
                sentence = f"vpp fleet commit: {key} must be a number, got {asked[key]!r}."
                raise InputError(sentence) from None
    usual = Timing()
    timing = Timing(numbers.get("prepare", usual.prepare_h), numbers.get("lead", usual.lead_h))
    return Trial(**counts, chance=numbers.get("chance", 0.1), timing=timing)
