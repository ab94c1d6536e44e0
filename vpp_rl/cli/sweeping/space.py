"""A search space, written in Hydra's override syntax."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vpp_envs.errors import InputError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from optuna.distributions import BaseDistribution

_INSIDE = 0.382  # a point of an interval that is no round number, as draws are none
_STEP = 0.1  # of a dimension from end to end, to what is beside a value


@dataclass(frozen=True)
class Dimension:
    """One value that is searched for."""

    key: str  # as an override names it
    values: tuple[Any, ...] = ()  # of a choice, as text, or of a range in rising order
    low: float = 0.0  # of an interval
    high: float = 0.0
    log: bool = False

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if not self.values:
            return FloatDistribution(self.low, self.high, log=self.log)
        first, second, last = self.values[0], self.values[1], self.values[-1]
        if isinstance(first, str):
            return CategoricalDistribution(self.values)
        if isinstance(first, int):
            return IntDistribution(first, last, log=self.log, step=second - first)
        return FloatDistribution(first, last, step=round(second - first, 12))

    def override(self, drawn: Any) -> str:  # noqa: ANN401 - as the distribution has it
        """The drawn value as an override of a job."""
        if self.values and isinstance(drawn, float):
            # Sums of steps end in ...0004: what a person wrote is what a job gets.
            drawn = min(self.values, key=lambda value: abs(value - drawn))
        return f"{self.key}={drawn}"

    def at(self, unit: float) -> Any:  # noqa: ANN401 - as `distribution` draws
        """The value at a point of the dimension, so that equal parts are equally likely.

        Args:
            unit: From 0 at the lower end to 1 at the upper one.
        """
        if self.values and not self.log:
            return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]
        low, high = self._ends
        point = low * (high / low) ** unit if self.log else low + unit * (high - low)
        if self.values:
            return round(point)
        # Six digits say it all, and can be read.
        return min(max(float(f"{point:.6g}"), low), high)

    def beside(self, value: Any, up: bool) -> Any:  # noqa: ANN401 - as `distribution` draws
        """A value a tenth of the dimension away, or the next one there is; never the same.

        Args:
            value: Of the dimension.
            up: Towards its upper end, unless that is too near.
        """
        here, step = self._unit(value), _STEP
        there = value
        while there == value:
            point = here + step if up else here - step
            if not 0.0 <= point <= 1.0:
                point = here - step if up else here + step
            there = self.at(min(max(point, 0.0), 1.0))
            step *= 2.0
        return there

    @property
    def _ends(self) -> tuple[float, float]:
        return (self.values[0], self.values[-1]) if self.values else (self.low, self.high)

    def _unit(self, value: Any) -> float:  # noqa: ANN401 - as `distribution` draws
        """Where a value stands, so that `at` gives it back."""
        if self.values and not self.log:
            return (self.values.index(value) + 0.5) / len(self.values)
        low, high = self._ends
        if self.log:
            return math.log(value / low) / math.log(high / low)
        return float((value - low) / (high - low))

    def probes(self) -> list[str]:
        """Overrides that show whether a job can be made of every value."""
        if self.values and isinstance(self.values[0], str):
            return [self.override(value) for value in self.values]
        if self.values:
            middle = self.values[len(self.values) // 2]
            return [self.override(value) for value in (self.values[0], middle, self.values[-1])]
        inside = self.low + _INSIDE * (self.high - self.low)
        return [self.override(value) for value in (self.low, inside, self.high)]


def search_space(overrides: Sequence[str]) -> tuple[list[str], list[Dimension]]:
    """Split overrides into those that every job has and those that span the space.

    Args:
        overrides: In Hydra's syntax: ``agent=apg,ppo``, ``seed=range(5)``,
            ``agent.learning_rate=tag(log, interval(1e-4, 1e-2))``.

    Raises:
        InputError: There is nothing to search, or a dimension has fewer than two values.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    fixed, space = [], []
    for text in overrides:
        try:
            parsed = parser.parse_override(text)
        except HydraException:
            fixed.append(text)  # the check of the first job says what is wrong with it
            continue
        if parsed.is_sweep_override():
            space.append(_dimension(text, parsed))
        else:
            fixed.append(text)
    if not space:
        raise InputError(
            "there is nothing to search: give one or more keys several values, "
            "such as 'agent.learning_rate=tag(log, interval(1e-4, 1e-2))'"
        )
    return fixed, space


def probing_jobs(overrides: Sequence[str]) -> Iterator[list[str]]:
    """Jobs that show, before the first is run, whether the space holds what cannot be trained.

    Args:
        overrides: As for `search_space`.

    Yields:
        Overrides of one job each: every dimension at both its ends (or at each choice) and once
        in between, while the others stand at their first value.
    """
    fixed, space = search_space(overrides)
    probes = [dimension.probes() for dimension in space]
    first = [each[0] for each in probes]
    yield [*fixed, *first]
    for index, each in enumerate(probes):
        for probe in each[1:]:
            yield [*fixed, *first[:index], probe, *first[index + 1 :]]


def _dimension(text: str, parsed: "Override") -> Dimension:
    from hydra.core.override_parser.types import IntervalSweep, RangeSweep, Sweep

    swept = parsed.value()
    key = parsed.get_key_element()
    log = isinstance(swept, Sweep) and _is_log(text, swept.tags)
    if isinstance(swept, IntervalSweep):
        low, high = float(swept.start or 0.0), float(swept.end or 0.0)
        dimension = Dimension(key, low=low, high=high, log=log)
        single = not low < high
    else:
        if isinstance(swept, RangeSweep):
            # Hydra adds up steps of a tenth to 0.30000000000000004.
            values = tuple(sorted(round(value, 12) for value in swept.range()))
        else:
            values = tuple(dict.fromkeys(parsed.sweep_string_iterator()))
        dimension = Dimension(key, values, log=log)
        single = len(values) < 2
    if single:
        raise InputError(
            f"the search space '{text}' holds fewer than two values: give it more, or one value "
            f"alone as {key}=..."
        )
    if log:
        _check_log(text, dimension)
    return dimension


def _is_log(text: str, tags: set[str]) -> bool:
    if strange := sorted(tags - {"log"}):
        raise InputError(f"'{text}' has the tag '{strange[0]}': the only tag is log.")
    return "log" in tags


def _check_log(text: str, dimension: Dimension) -> None:
    """Refuse a logarithmic scale where there is none."""
    values = dimension.values
    if values:
        steps = isinstance(values[0], int) and values[1] - values[0] == 1
        fits = steps and values[0] > 0
    else:
        fits = dimension.low > 0
    if fits:
        return
    raise InputError(
        f"'{text}' cannot have the tag log: it takes an interval above 0, or a range of whole "
        "numbers above 0 in steps of 1."
    )
