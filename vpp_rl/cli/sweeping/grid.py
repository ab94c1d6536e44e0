"""Every combination of the values, as Hydra's own sweeper has them."""

from collections.abc import Mapping
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from vpp_rl.cli.sweeping.launching import JobSweeper, sweep


class GridSweeper(JobSweeper):
    """Run all combinations; a failed one is told of at the end and does not stop the others."""

    def __init__(self, max_batch_size: int | None, params: Mapping[str, Any] | None) -> None:
        self.max_batch_size = max_batch_size  # jobs given to the launcher at once; None: all
        self.params = dict(params or {})  # overrides beside those of the command line

    def sweep(self, arguments: list[str]) -> None:
        """Run the sweep that the overrides span."""
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        always = [f"{key}={value}" for key, value in self.params.items()]
        overrides = parser.parse_overrides([*always, *arguments])
        batches = BasicSweeper.split_arguments(overrides, self.max_batch_size)
        keys = [one.get_key_element() for one in overrides if one.is_sweep_override()]
        total = sum(map(len, batches))
        with sweep(self.config, self.launcher, self.job, keys, total) as run:
            first = 0
            for batch in batches:
                run(batch, first)
                first += len(batch)
