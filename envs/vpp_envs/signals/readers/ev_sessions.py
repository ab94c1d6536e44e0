"""Charging sessions of electric vehicles, one row each, and what was dropped of the files.

Known are ACN-Data (Caltech, JPL) as a tidy table in UTC, the tidy table of Norwegian apartment
garages in local time, and the publisher's own report of Trondheim (";", decimal comma).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.csv_rows import file_bytes
from vpp_envs.signals.readers.frame import frame_of, numbers_of

# Columns of the table of sessions; the last two are empty where a file does not have them.
COLUMNS = (
    "charger_id",
    "plug_in_utc",
    "plug_out_utc",
    "energy_kwh",
    "requested_kwh",
    "declared_departure_utc",
)
_NORWAY = "Europe/Oslo"


class _Layout(NamedTuple):
    """Where a publisher's file says what; none: it does not."""

    charger: str
    plug_in: str
    plug_out: str
    energy: str
    requested: str | None
    departure: str | None
    zone: str | None  # of the stamps; none: they carry an offset
    form: str
    comma: bool


_LAYOUTS = (
    _Layout(
        charger="station_id",
        plug_in="arrival_utc",
        plug_out="departure_utc",
        energy="delivered_kwh",
        requested="requested_kwh",
        departure="estimated_departure_utc",
        zone=None,
        form="%Y-%m-%d %H:%M:%S%z",
        comma=False,
    ),
    _Layout(
        charger="user_id",
        plug_in="plugin_local",
        plug_out="plugout_local",
        energy="energy_kwh",
        requested=None,
        departure=None,
        zone=_NORWAY,
        form="%Y-%m-%d %H:%M:%S",
        comma=False,
    ),
    _Layout(
        charger="User_ID",
        plug_in="Start_plugin",
        plug_out="End_plugout",
        energy="El_kWh",
        requested=None,
        departure=None,
        zone=_NORWAY,
        form="%d.%m.%Y %H:%M",
        comma=True,
    ),
)


@dataclass(frozen=True)
class SessionReport:
    """How many sessions a file has, and how many of them were dropped and why."""

    source: str
    sessions: int  # in the file
    without_plug_out: int
    without_duration: int  # plug-out at or before plug-in
    without_energy: int  # none stated, or not above zero
    skipped_hours: int  # a local stamp that the zone's clock skips in March

    @property
    def kept(self) -> int:
        """Sessions in the table."""
        dropped = (
            self.without_plug_out + self.without_duration + self.without_energy + self.skipped_hours
        )
        return self.sessions - dropped

    def __str__(self) -> str:
        """As a user reads it."""
        return (
            f"{self.source}: {self.kept} of {self.sessions} sessions; dropped "
            f"{self.without_plug_out} without plug-out, {self.without_duration} with zero or "
            f"negative duration, {self.without_energy} without energy, {self.skipped_hours} in an "
            "hour that the clock skips"
        )


def read_ev_sessions(path: str | Path) -> tuple[pd.DataFrame, SessionReport]:
    """Read a file of charging sessions, recognised by its columns.

    Args:
        path: CSV, plain or gzipped.

    Returns:
        Sessions in the order of their plug-in with `COLUMNS` (energy in kWh, stamps in UTC without
        a zone, charger or user as the file names it), and what was dropped. Of an hour that the
        local clock shows twice in October, stamps are taken as the first, of summer time, unless
        the session would then not end after it began.

    Raises:
        InputError: Columns of no known publisher, or a cell that is neither stamp nor number.
    """
    path = Path(path)
    frame = frame_of(path.name, file_bytes(path))
    layout = _layout(path.name, frame)
    begin = _instants(path.name, frame[layout.plug_in], layout, first=True)
    end = _instants(path.name, frame[layout.plug_out], layout, first=True)
    late = _instants(path.name, frame[layout.plug_out], layout, first=False)
    end = end.where(end > begin, late)
    energy_kwh = numbers_of(path.name, frame[layout.energy], comma=layout.comma)
    stated = frame[layout.plug_out].str.strip().isin(["", "NA"])
    # Each session counts once, under the first fault that it has.
    open_ = stated.to_numpy()
    skipped = ~open_ & (begin.isna() | end.isna()).to_numpy()
    timeless = ~open_ & ~skipped & ~(end > begin).to_numpy()
    empty = ~open_ & ~skipped & ~timeless & ~(energy_kwh > 0.0)
    report = SessionReport(
        path.name,
        len(frame),
        without_plug_out=int(open_.sum()),
        without_duration=int(timeless.sum()),
        without_energy=int(empty.sum()),
        skipped_hours=int(skipped.sum()),
    )
    sessions = pd.DataFrame(
        {
            "charger_id": frame[layout.charger].astype(str),
            "plug_in_utc": begin,
            "plug_out_utc": end,
            "energy_kwh": energy_kwh,
            "requested_kwh": _optional_kwh(path.name, frame, layout),
            "declared_departure_utc": _optional_instants(path.name, frame, layout),
        }
    )
    kept = sessions[~(open_ | skipped | timeless | empty)]
    return kept.sort_values("plug_in_utc", kind="stable", ignore_index=True), report


def _layout(name: str, frame: pd.DataFrame) -> _Layout:
    for layout in _LAYOUTS:
        if {layout.charger, layout.plug_in, layout.plug_out, layout.energy} <= set(frame.columns):
            return layout
    known = "; ".join(f"{known.plug_in}, {known.plug_out}, {known.energy}" for known in _LAYOUTS)
    raise InputError(
        f"{name} is no file of charging sessions that is known here: expected the columns {known}."
    )


def _instants(name: str, column: pd.Series, layout: _Layout, first: bool) -> pd.Series:
    """UTC without a zone; NaT where a cell is empty or the clock skips its hour.

    Args:
        name: File, for sentences.
        column: Of stamps as text.
        layout: Of the file.
        first: Which of two equal hours a stamp in October means.
    """
    text = column.str.strip()
    aware = layout.zone is None
    stamps = pd.to_datetime(text, format=layout.form, errors="coerce", utc=aware)
    bad = (stamps.isna() & ~text.isin(["", "NA"])).to_numpy()
    if bad.any():
        at = int(bad.argmax())
        raise InputError(
            f"{name}, row {column.index[at]}, column {column.name}: '{column.iloc[at]}' is not a "
            f"stamp of the form {layout.form}."
        )
    if layout.zone is not None:
        dst = np.full(len(stamps), first)
        stamps = stamps.dt.tz_localize(layout.zone, ambiguous=dst, nonexistent="NaT")
    return stamps.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[s]")


def _optional_kwh(name: str, frame: pd.DataFrame, layout: _Layout) -> np.ndarray:
    if layout.requested is None:
        return np.full(len(frame), np.nan)
    return numbers_of(name, frame[layout.requested], comma=layout.comma)


def _optional_instants(name: str, frame: pd.DataFrame, layout: _Layout) -> pd.Series:
    if layout.departure is None:
        return pd.Series(np.datetime64("NaT"), index=frame.index, dtype="datetime64[s]")
    return _instants(name, frame[layout.departure], layout, first=True)
