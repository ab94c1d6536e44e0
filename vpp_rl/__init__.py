"""Those who act in the world: agents, rules, optimisers, evaluation, export."""

__version__ = "0.1.0"
