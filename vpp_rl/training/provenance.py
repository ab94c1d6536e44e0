"""What a result came from: versions, machine, data."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vpp_envs.scenario import Scenario
from vpp_rl.files import file_sha256

_LIBRARIES = (
    *("vpp-rl", "torch", "numpy", "pandas", "gymnasium"),
    *("stable-baselines3", "ray", "highspy"),
)


def provenance(scenario: Scenario) -> dict[str, str]:
    """Name to text: library versions, Python, processor, and prices and fleet with their hashes."""
    facts = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _LIBRARIES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = "not installed"
    facts["prices"] = scenario.market.source
    if scenario.market.sha256:
        facts["prices sha256"] = scenario.market.sha256
    table = scenario.spec.fleet.table
    if table is not None:
        facts["fleet"], facts["fleet sha256"] = table, file_sha256(Path(table))
    return facts
