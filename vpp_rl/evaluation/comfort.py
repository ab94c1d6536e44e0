"""What people feel and what engines burn under each policy: named, and never part of the profit."""

import html

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

# Column of the windows, and its words; all per home and day.
_SHOWN = (
    ("discomfort_k_h", "K h beyond 1 K from set-points"),
    ("hvac_short_k_h", "K h outside the band, machine at its limit"),
    ("water_cold_kwh", "kWh missing to hot water"),
    ("appliance_late_jobs", "late jobs"),
    ("generator_co2_kg", "kg CO2 of engines"),
)


def comfort_of(frame: pd.DataFrame) -> pd.DataFrame | None:
    """Mean of each measure per home and day, a row a policy in the order of discomfort.

    Args:
        frame: A row a window.

    Returns:
        None where no home has a device whose owner could feel it.
    """
    names = [name for name, _ in _SHOWN]
    if not set(names) <= set(frame.columns):
        return None
    # A bound is a plan: what it would feel like is that of its play, which its money is not.
    played = frame[frame["kind"] != "bound"]
    sums = played.assign(home_days=played["homes"] * played["days"]).groupby("policy", sort=False)
    table = sums[names].sum().div(sums["home_days"].sum(), axis=0)
    return table.sort_values(names[0], kind="stable")


def comfort_table(comfort: pd.DataFrame) -> Table:
    """Lay the measures out for a terminal.

    Args:
        comfort: From `comfort_of`.
    """
    table = Table(title="Comfort, per home and day", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("policy")
    for _, words in _SHOWN:
        table.add_column(words, justify="right", max_width=14)
    for policy, row in comfort.iterrows():
        table.add_row(escape(str(policy)), *(f"{number:.3g}" for number in row))
    return table


def comfort_section(comfort: pd.DataFrame | None) -> str:
    """The same as a part of the report's page; nothing where there is nothing to tell.

    Args:
        comfort: From `comfort_of`.
    """
    if comfort is None:
        return ""
    head = "".join(f'<th scope="col">{html.escape(words)}</th>' for _, words in _SHOWN)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(str(policy))}</th>'
        + "".join(f"<td>{number:.3g}</td>" for number in row)
        + "</tr>"
        for policy, row in comfort.iterrows()
    )
    return (
        '<h2>Comfort</h2><p class="soft">Per home and day, the least discomfort first. None of it '
        "is in the money above.</p>"
        f'<div class="wide" tabindex="0"><table><thead><tr><th scope="col">policy</th>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )
