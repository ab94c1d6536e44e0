"""``vpp tariff``: check a retail tariff, and bill meter readings with it."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from vpp_envs.markets.bill import Bill
    from vpp_envs.markets.tariff import Rate, Tariff

ABOUT = """usage: vpp tariff list
       vpp tariff template FILE [like=NAME]
       vpp tariff validate TARIFF
       vpp tariff bill TARIFF READINGS [--zone ZONE]

Write, check and apply retail tariffs. TARIFF is a file in YAML or the name of an example.

  list      the examples that come with vpp-rl
  template  write a commented tariff to start from; a file that exists is left alone
  validate  name everything that is wrong with a tariff, or show its prices on a weekday and a
            weekend of January and July
  bill      print the bill of a meter, line by line and month by month, to hold against an invoice

READINGS is a CSV file with one row an interval, without gaps:

  time,import_kwh,export_kwh
  2026-07-01T00:00:00+09:30,0.21,0
  2026-07-01T00:30:00+09:30,0.18,0

time is the start of the interval. Instead of import_kwh (and export_kwh) there may be net_kwh or
net_kw, import positive; tariffs that pass the wholesale price on need wholesale_per_mwh as well.
Stamps without a UTC offset need --zone, of a clock that does not change while the readings last:
Etc/GMT-10 is UTC+10 all year.

  vpp tariff template mine.yaml
  vpp tariff template mine.yaml like=net_billing_us_ca
  vpp tariff validate mine.yaml
  vpp tariff bill mine.yaml readings.csv
  vpp tariff bill flat_au readings.csv --zone Etc/GMT-10"""

_TEMPLATE = "tou_feed_in_au"
_DAYS = (("Jan weekday", 0, 0), ("Jan weekend", 0, 1), ("Jul weekday", 6, 0), ("Jul weekend", 6, 1))


def run(argv: Sequence[str]) -> int:
    """Run ``vpp tariff``."""
    from vpp_rl.cli.words import run_verb

    if not argv or any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0 if argv else 2
    verbs = {"list": _list, "template": _template, "validate": _validate, "bill": _bill}
    return run_verb("tariff", verbs, argv)


def tariff_file(name: str) -> Path:
    """Return the file of a tariff: a path as it stands, or an example by its name.

    Args:
        name: What the person wrote.

    Raises:
        InputError: There is no example of this name, and it is no path either.
    """
    from vpp_envs.errors import InputError
    from vpp_rl.configuration import shipped_tariffs
    from vpp_rl.suggestion import did_you_mean

    path, examples = Path(name), shipped_tariffs()
    if path.suffix or path.exists() or len(path.parts) > 1:
        return path
    if name not in examples:
        raise InputError(
            f"there is no example '{name}'{did_you_mean(name, examples)} (vpp tariff list shows "
            "them; a file is named with its ending .yaml)"
        )
    return examples[name]


def _list(words: Sequence[str]) -> int:
    from vpp_envs.markets.tariff_file import read_tariff
    from vpp_rl.cli.console import console
    from vpp_rl.cli.words import read_words
    from vpp_rl.configuration import shipped_tariffs

    read_words("tariff list", words, "", ())
    examples = shipped_tariffs()
    width = max(map(len, examples))
    for name, file in examples.items():
        console().print(f"{name:{width}}  {read_tariff(file).name}")
    return 0


def _template(words: Sequence[str]) -> int:
    from vpp_envs.errors import InputError
    from vpp_rl.cli.console import console
    from vpp_rl.cli.words import read_words
    from vpp_rl.files import refuse_to_overwrite, write_text

    asked = read_words("tariff template", words, "FILE", ("like",))
    path = Path(asked["FILE"])
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path}: a tariff is a YAML file; name it {path.name}.yaml.")
    refuse_to_overwrite(path)
    name = asked.get("like", _TEMPLATE)
    text = tariff_file(name).read_text()
    write_text(path, text.replace(f"vpp tariff validate {name}", f"vpp tariff validate {path}"))
    console().print(f"wrote {path}\nnext: edit it, then vpp tariff validate {path}")
    return 0


def _validate(words: Sequence[str]) -> int:
    from vpp_envs.markets.tariff_file import read_tariff
    from vpp_rl.cli.console import console
    from vpp_rl.cli.words import read_words

    path = tariff_file(read_words("tariff validate", words, "TARIFF", ())["TARIFF"])
    tariff = read_tariff(path)
    out = console()
    out.print(f"[bold]{tariff.name}[/]\n{path.name} is valid: one price at any time of the year.")
    out.print(f"Clock of {tariff.zone}, daily charge {tariff.daily_charge:.4g} {tariff.currency}.")
    for charge in tariff.demand:
        out.print(
            f"Demand, {charge.name}: {charge.per_kw:.4g} {tariff.currency} a kW of the month's "
            f"highest average over {charge.interval_s // 60} minutes."
        )
    out.print(f"Holidays: {_holidays(tariff)}.\n")
    out.print(_price_table("Import", tariff.imports, tariff.currency))
    out.print(_price_table("Export", tariff.exports, tariff.currency))
    return 0


def _holidays(tariff: "Tariff") -> str:
    yearly = [f"{month:02d}-{day:02d}" for month, day in tariff.yearly_holidays]
    return ", ".join([*yearly, *map(str, tariff.holidays)]) or "none listed"


def _price_table(title: str, rate: "Rate", currency: str) -> "Table":
    """Prices of four days, hours with the same prices in one row."""
    import numpy as np

    from vpp_envs.markets.coverage import clock_span
    from vpp_rl.cli.console import number_table

    days = np.stack([rate.per_kwh[month, kind] for _, month, kind in _DAYS])
    edges = [0, *(np.flatnonzero(np.diff(days, axis=1).any(axis=0)) + 1).tolist(), days.shape[1]]
    low, high = float(rate.per_kwh.min()), float(rate.per_kwh.max())
    over = f" ({low:.4g} to {high:.4g} over the year)" * (low < high)
    wholesale = f", plus {rate.wholesale_factor:g} x wholesale" * bool(rate.wholesale_factor)
    table = number_table(("hours", *(name for name, _, _ in _DAYS)))
    table.title = f"{title}, {currency}/kWh{wholesale}{over}"
    for start, end in pairwise(edges):
        table.add_row(clock_span(start, end), *(f"{price:.4f}" for price in days[:, start]))
    return table


def _bill(words: Sequence[str]) -> int:
    from vpp_envs.errors import InputError
    from vpp_envs.markets.bill import bill
    from vpp_envs.markets.tariff_file import read_tariff
    from vpp_envs.signals.readers.meter import read_meter
    from vpp_rl.cli.console import console
    from vpp_rl.cli.words import read_words

    asked = read_words("tariff bill", words, "TARIFF READINGS", ("--zone",))
    tariff = read_tariff(tariff_file(asked["TARIFF"]))
    meter = read_meter(asked["READINGS"], asked.get("--zone"))
    if tariff.needs_wholesale and meter.wholesale_per_mwh is None:
        raise InputError(
            f"{meter.source}: the tariff '{tariff.name}' passes the wholesale price on; add a "
            f"column wholesale_per_mwh in {tariff.currency}/MWh."
        )
    owed = bill(
        tariff,
        meter.start_utc,
        meter.dt_s,
        meter.import_kwh,
        meter.export_kwh,
        meter.wholesale_per_mwh,
    )
    out = console()
    out.print(
        f"[bold]{tariff.name}[/]\n{len(meter.import_kwh):,} intervals of {meter.dt_s // 60} "
        f"minutes from {meter.start_utc} UTC, {meter.source}\n"
    )
    out.print(_bill_table(owed))
    return 0


def _bill_table(owed: "Bill") -> "Table":
    from vpp_rl.cli.console import number_table

    table = number_table(("line", "quantity", "unit", "rate", owed.currency))
    for month in owed.months:
        part = owed.of(month)
        table.add_row(month, style="bold")
        for line in part.lines:
            quantity, rate = f"{line.quantity:,.3f}", f"{line.rate:.5f}"
            table.add_row(line.label, quantity, line.unit, rate, f"{line.rounded:,}")
        table.add_row(f"Total {month}", "", "", "", f"{part.total:,}", style="bold")
        table.add_section()
    if len(owed.months) > 1:
        table.add_row("Total", "", "", "", f"{owed.total:,}", style="bold")
    return table
