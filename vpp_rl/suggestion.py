"""What a person probably meant by a name that does not exist."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known name nearest to ``name``, or ``""``."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if not near:
        # A key without its prefix is the commonest slip: `rate` for `agent.rate`.
        near = [other for other in names if other.rpartition(".")[2] == name.rpartition(".")[2]]
    return f"; did you mean '{near[0]}'?" if near else ""
