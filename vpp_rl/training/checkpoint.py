"""Checkpoints of a policy: written atomically, named by their hash, loaded without pickles."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from vpp_envs.errors import InputError
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.files import file_sha256, write_text

WEIGHTS, FACTS = "policy.pt", "policy.json"


@dataclass(frozen=True)
class PolicyFacts:
    """What must be known beside the weights to use a policy."""

    agent: str
    dispatch: str
    scenario: str
    region: str
    currency: str
    zone: str
    price_scale: float  # typical price of the market [currency/MWh]
    control_dt_s: int
    cohorts: tuple[str, ...]
    observation_names: tuple[str, ...]
    action_names: tuple[str, ...]
    hidden: tuple[int, ...]
    squash: bool
    seed: int
    train_s: float
    train_steps: int
    validation_profit_per_home_year: float
    weights_sha256: str = ""
    cars: tuple[str, ...] | None = None  # classes of cars; none: the homes had no car
    # Its profit less what discomfort counted, by which policies are compared; none: the profit.
    validation_worth_per_home_year: float | None = None


def worth_of(facts: Mapping[str, Any]) -> float:
    """What policies are compared by: validation profit, less what discomfort counted.

    Args:
        facts: As written beside the weights.
    """
    worth = facts.get("validation_worth_per_home_year")
    return float(facts["validation_profit_per_home_year"] if worth is None else worth)


def save_policy(folder: Path, policy: PolicyNetwork, facts: PolicyFacts) -> None:
    """Write weights and facts, each whole or not at all.

    Args:
        folder: Of the run; made if needed.
        policy: The network.
        facts: What to write beside it; the hash is filled in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.float().cpu() for name, tensor in policy.state_dict().items()}
    temporary = folder / f".{WEIGHTS}.{os.getpid()}"
    torch.save(state, temporary)
    digest = file_sha256(temporary)
    os.replace(temporary, folder / WEIGHTS)
    write_text(folder / FACTS, json.dumps({**asdict(facts), "weights_sha256": digest}, indent=2))


def load_policy(folder: Path) -> tuple[PolicyNetwork, PolicyFacts]:
    """Read a policy back.

    Args:
        folder: Of a run.

    Raises:
        InputError: A file is missing, damaged, or does not fit the other.
    """
    facts = _read_facts(folder / FACTS)
    path = folder / WEIGHTS
    if not path.is_file():
        raise InputError(f"{path} is missing: give the folder of a finished run.")
    if file_sha256(path) != facts.weights_sha256:
        raise InputError(
            f"{path} does not have the SHA-256 that {FACTS} names: the file is truncated or "
            "another's; copy the run again or train it anew."
        )
    policy = PolicyNetwork(
        len(facts.observation_names), len(facts.action_names), facts.hidden, facts.squash
    )
    policy.load_state_dict(torch.load(path, weights_only=True))
    return policy.eval(), facts


def _read_facts(path: Path) -> PolicyFacts:
    if not path.is_file():
        raise InputError(f"{path} is missing: give the folder of a run that `vpp train` wrote.")
    try:
        values: dict[str, Any] = json.loads(path.read_text())
        for name in ("cohorts", "observation_names", "action_names", "hidden"):
            values[name] = tuple(values[name])
        if values.get("cars") is not None:
            values["cars"] = tuple(values["cars"])
        return PolicyFacts(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} is not a description of a policy ({error}): copy the run again."
        ) from None
