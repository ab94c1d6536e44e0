"""What a result came from: versions, machine, data."""

import platform
from importlib.metadata import PackageNotFoundError, version

from vpp_envs.scenario import Scenario

_LIBRARIES = (
    *("vpp-rl", "torch", "numpy", "pandas", "gymnasium"),
    *("stable-baselines3", "ray", "highspy"),
)


def provenance(scenario: Scenario) -> dict[str, str]:
    """Name to text: library versions, Python, processor, and the prices with their hash."""
    facts = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _LIBRARIES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = "not installed"
    facts["prices"] = scenario.market.source
    if scenario.market.sha256:
        facts["prices sha256"] = scenario.market.sha256
    return facts
