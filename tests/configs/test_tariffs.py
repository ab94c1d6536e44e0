"""The examples of tariffs are valid and say what they claim."""

from pathlib import Path

import numpy as np
import pytest

from vpp_envs.markets.tariff import tariff_prices
from vpp_envs.markets.tariff_file import read_tariff

FILES = sorted((Path(__file__).resolve().parents[2] / "configs" / "tariff").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_every_example_is_valid_says_that_it_is_one_and_where_its_numbers_come_from(file):
    text = file.read_text()
    assert text.startswith(f"# vpp tariff validate {file.stem}\n")
    assert "# Provenance: " in text
    assert "assumed" in text.lower()
    assert read_tariff(file).name.endswith("(example)")


def test_there_are_flat_time_of_use_net_billing_and_wholesale_examples():
    assert len(FILES) >= 6
    tariffs = {file.stem: read_tariff(file) for file in FILES}
    wholesale = {name for name, tariff in tariffs.items() if tariff.needs_wholesale}
    assert wholesale == {"wholesale_au", "dynamic_de", "dynamic_nl"}
    assert {tariff.currency for tariff in tariffs.values()} == {"AUD", "USD", "EUR"}


def test_the_net_billing_example_has_the_values_of_its_source():
    (file,) = [file for file in FILES if file.stem == "net_billing_us_ca"]
    tariff = read_tariff(file)

    def day(local_midnight_utc):
        start = np.datetime64(local_midnight_utc)
        return [prices.tolist() for prices in tariff_prices(tariff, start, 3600, 24)]

    july, _ = day("2026-07-01T07:00")
    assert july == [0.40] * 15 + [0.45] + [0.61] * 5 + [0.45] * 3
    january, _ = day("2026-01-15T08:00")
    assert january[16:21] == [0.38] * 5
    base = [0.055] * 17
    assert day("2026-08-05T07:00")[1] == [*base, 0.15, 0.35, 0.90, 0.60, *base[:3]]
    assert day("2026-09-02T07:00")[1] == [*base, 0.30, 1.20, 2.60, 1.60, *base[:3]]
    assert day("2026-09-05T07:00")[1] == [0.055] * 24  # a Saturday
    assert day("2026-04-15T07:00")[1] == [0.055] * 10 + [0.01] * 6 + [0.055] * 8
