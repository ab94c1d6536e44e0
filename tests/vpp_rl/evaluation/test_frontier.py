"""Money against comfort: hulls, leads and tuning whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from vpp_rl.evaluation.frontier import IDLE, picture, rules_at, summarise_frontier
from vpp_rl.evaluation.windows import WINDOW_COLUMNS

HOMES, DAYS, WINDOWS = 4, 7.0, 6
HOME_DAYS = HOMES * DAYS


def rows(policy, family, price, profit, discomfort, seed=-1):
    """Windows of a policy that earns and feels the same in all, per home-day."""
    blank = {name: 0.0 for name in WINDOW_COLUMNS}
    starts = pd.date_range("2025-01-01", periods=WINDOWS, freq="14D").strftime("%Y-%m-%d")
    frame = pd.DataFrame([blank] * WINDOWS).assign(
        policy=policy,
        kind="learned" if family == "learned" else "rule",
        seed=seed,
        window=range(WINDOWS),
        start=starts,
        quarter=[1, 1, 1, 1, 1, 1],
        days=DAYS,
        homes=HOMES,
        capacity_kwh=10.0,
        profit=profit * HOME_DAYS + np.arange(WINDOWS),  # all share the luck of a window
        discomfort_k_h=discomfort * HOME_DAYS,
        family=family,
        comfort_per_k_h=price,
    )
    if family == "learned":
        frame = frame.assign(train_s=1.0, train_steps=1.0)
    else:
        frame = frame.assign(train_s=np.nan, train_steps=np.nan)
    return frame


@pytest.fixture
def frame():
    parts = [
        rows(IDLE, "", np.nan, 0.0, 0.0),
        rows("rules, 0 a K h", "rules", 0.0, 0.40, 4.0),
        rows("rules, 0.1 a K h", "rules", 0.1, 0.30, 1.0),
        rows("rules, 0.5 a K h", "rules", 0.5, 0.10, 0.0),
    ]
    for seed, more in enumerate((0.00, 0.02)):
        parts.append(rows("apg, 0 a K h", "learned", 0.0, 0.50 + more, 3.0, seed))
        parts.append(rows("apg, 0.1 a K h", "learned", 0.1, 0.30 + more, 0.5, seed))
        parts.append(rows("apg, 0.5 a K h", "learned", 0.5, 0.05 + more, 0.1, seed))
    return pd.concat(parts, ignore_index=True)


def test_gain_discomfort_and_lead_are_means_a_home_year_and_a_home_day(frame):
    summary = summarise_frontier(frame).set_index("policy")
    learned = summary.loc["apg, 0.1 a K h"]
    assert learned.gain_per_home_year == pytest.approx(0.31 * 365)
    assert learned.discomfort_k_h_per_home_day == pytest.approx(0.5)
    assert learned.seeds == 2
    # Worth: 0.31 - 0.1 x 0.5 against 0.30 - 0.1 x 1.0, the luck of the windows cancels.
    assert learned.lead_per_home_year == pytest.approx((0.26 - 0.20) * 365)
    assert learned.lead_per_home_year_low == pytest.approx((0.25 - 0.20) * 365)
    assert learned.lead_per_home_year_high == pytest.approx((0.27 - 0.20) * 365)
    # At the highest price it is worse than the rules: -0.06 + 0.02 / 2 - 0.5 x 0.1.
    assert summary.loc["apg, 0.5 a K h"].lead_per_home_year == pytest.approx(-0.09 * 365)
    assert np.isnan(summary.loc["rules, 0 a K h"].lead_per_home_year)


def test_a_mixture_of_rules_lies_on_their_upper_hull():
    points = [(0.0, 10.0), (1.0, 30.0), (2.0, 29.0), (2.5, 31.0), (4.0, 40.0)]
    summary = pd.DataFrame(
        {
            "family": "rules",
            "discomfort_k_h_per_home_day": [x for x, _ in points],
            "gain_per_home_year": [y for _, y in points],
        }
    )
    at = rules_at(np.array([-1.0, 0.0, 0.5, 1.0, 2.5, 4.0, 9.0]), summary)
    # (2, 29) and (2.5, 31) lie under the line from (1, 30) to (4, 40).
    np.testing.assert_allclose(at, [np.nan, 10.0, 20.0, 30.0, 35.0, 40.0, 40.0])


def test_the_picture_names_every_policy(frame):
    summary = summarise_frontier(frame)
    drawn = picture(summary, "AUD").axes[0]
    words = [text.get_text() for text in drawn.texts]
    assert sorted(words) == sorted(["0", "0.1", "0.5"] * 2 + [IDLE])
    assert "AUD" in drawn.get_ylabel()
