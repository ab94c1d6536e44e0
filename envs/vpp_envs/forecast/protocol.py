"""What a price forecast is: the mean price within bins of probability, by lead."""

from typing import NamedTuple

from torch import Tensor

LEADS = 48  # half hours ahead: one day
LEAD_H = 0.5
# The bins are finer in the upper tail, where a spiky market earns a third of its mean.
NODE_WEIGHTS = (0.04, 0.08, 0.12, 0.16, 0.20, 0.16, 0.12, 0.07, 0.03, 0.015, 0.005)
MEDIAN_NODE = 4  # probability 0.40 to 0.60


class PriceForecast(NamedTuple):
    """Price forecasts of I half-hourly issues.

    Issue i is made at the start of half hour i and knows every price up to and including
    the five-minute interval that starts there. Its lead h, counted from 0, is half hour
    i + 1 + h.
    """

    nodes_per_mwh: Tensor  # mean price within each bin, rising along Q, (I, H, Q)
    weights: Tensor  # probability of each bin, (Q,)
