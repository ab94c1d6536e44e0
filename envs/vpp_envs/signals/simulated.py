"""Synthetic prices as a market: a path of the calibrated process for each split."""

import numpy as np
import pandas as pd
import torch

from vpp_envs.errors import InputError
from vpp_envs.forecast.exact import exact_forecast
from vpp_envs.forecast.protocol import LEADS
from vpp_envs.signals.market import (
    DT_S,
    FIRST_DAY,
    TICKS_PER_DAY,
    TICKS_PER_ISSUE,
    MarketSignals,
    MarketSpec,
    assemble,
    forecaster_name,
)
from vpp_envs.signals.synthetic.prices import (
    clock_rows,
    price_model,
    quantile_map,
    simulate_prices,
)

# Path 2 was the test until November 2026, when it had been looked at while the curve was designed.
_EPISODE = {"train": 0, "validation": 1, "test": 3}


def simulated_signals(spec: MarketSpec, split: str) -> MarketSignals:
    """Simulate one split's path, with the exact conditional law as its forecast.

    Args:
        spec: Market without `prices`.
        split: "train", "validation" or "test".

    Raises:
        InputError: The forecaster is one for recorded prices, or the region is unknown.
    """
    model = price_model(spec.region)
    if forecaster_name(spec.forecaster, recorded=False) != "exact":
        raise InputError(
            f"market.forecaster={spec.forecaster!r} is for recorded prices; a synthetic market "
            "is forecast by its exact law: leave it at auto."
        )
    days = {
        "train": spec.train_days,
        "validation": spec.validation_days,
        "test": spec.test_days,
    }[split]
    midnight = pd.Timestamp(FIRST_DAY[split], tz=model.zone).tz_convert("UTC").tz_localize(None)
    start_utc = np.datetime64(midnight, "ms")
    ticks = days * TICKS_PER_DAY
    ahead = ticks + (LEADS + 1) * TICKS_PER_ISSUE
    stamps = start_utc + np.timedelta64(DT_S, "s") * np.arange(ahead)
    rows = clock_rows(stamps, model.zone)
    path = simulate_prices(model, rows[:ticks], spec.seed, _EPISODE[split], DT_S / 3600.0)
    issues = torch.arange(ticks // TICKS_PER_ISSUE)
    leads = issues.unsqueeze(-1) + 1 + torch.arange(LEADS)
    forecast = exact_forecast(path.factors[::TICKS_PER_ISSUE], rows[TICKS_PER_ISSUE * leads], model)
    return assemble(
        region=spec.region,
        currency=model.currency,
        zone=model.zone,
        source=f"synthetic {spec.region}, seed {spec.seed}",
        sha256="",
        start_utc=start_utc,
        price_per_mwh=path.price_per_mwh,
        forecast=forecast,
        price_scale=float(quantile_map(spec.region)[:, 5].abs().median()),
        day_starts=TICKS_PER_DAY * torch.arange(days),
        model=model,
        factors=path.factors,
        split_lines=(
            f"train {spec.train_days} days, validation {spec.validation_days} days, test "
            f"{spec.test_days} days: three paths of the process",
        ),
    )
