"""Measured cycles of appliances, each as mean power by block of five minutes.

Known are a table of cycles on one clock (column sec, then a column a cycle, kW), the tidy table of
tracebase plugs (device, time, power_w), and tracebase's own traces (stamp; mean of 1 s; mean of
8 s, in W, without a header).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.csv_rows import file_bytes, text_lines
from vpp_envs.signals.readers.frame import PARQUET, frame_of, numbers_of, stamps_of

BLOCK_S = 300.0
_ON_KW = 0.005  # less is standby
_TRACE_FORM = "%d/%m/%Y %H:%M:%S"
_TIDY_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True)
class Cycle:
    """One run of a machine from its first to its last power."""

    name: str
    block_kw: np.ndarray  # mean power of each block; the last is filled up with nothing, (K,) [kW]
    length_s: float
    peak_kw: float  # of the file's own means
    block_s: float = BLOCK_S

    @property
    def energy_kwh(self) -> float:
        """Drawn by the whole cycle."""
        return float(self.block_kw.sum()) * self.block_s / 3600.0


def read_cycles(path: str | Path, pause_s: float = 900.0, least_kwh: float = 0.03) -> list[Cycle]:
    """Read all cycles of a file.

    A plug's trace is cut where the machine draws nothing to speak of for longer than a pause. A
    value stands until the next stamp, for a minute at most: what a plug did not report is nothing.

    Args:
        path: Of any known layout, plain or gzipped.
        pause_s: Longest pause within a cycle. [s]
        least_kwh: What draws less is no cycle. [kWh]

    Returns:
        Cycles in the file's order, those of a plug by time.

    Raises:
        InputError: Another layout, or a cell is neither a number nor a stamp.
    """
    path = Path(path)
    raw = file_bytes(path)
    first = "" if raw.startswith(PARQUET) else next(iter(text_lines(path.name, raw)), "")
    if first.count(";") == 2 and first[:1].isdigit():
        return _cut(path.stem, *_trace(path.name, raw), pause_s, least_kwh)
    frame = frame_of(path.name, raw)
    if list(frame.columns[:1]) == ["sec"] and len(frame.columns) > 1:
        second = numbers_of(path.name, frame["sec"])
        return [
            _cycle(str(name), second, _positive(numbers_of(path.name, frame[name])))
            for name in frame.columns[1:]
        ]
    missing = [name for name in ("device", "time", "power_w") if name not in frame.columns]
    if missing:
        raise InputError(
            f"{path.name}: no column {missing[0]}; known are 'sec' with a column a cycle, "
            "'device, time, power_w', and traces 'dd/mm/yyyy HH:MM:SS;W;W'."
        )
    return _of_plugs(path.name, frame, pause_s, least_kwh)


def _of_plugs(name: str, frame: pd.DataFrame, pause_s: float, least_kwh: float) -> list[Cycle]:
    time = frame["time"]
    if time.dtype.kind == "M":
        stamp = time.to_numpy().astype("datetime64[s]")
    else:
        stamp = stamps_of(name, time, _TIDY_FORMS, "2012-05-15 14:55:40")
    second = stamp.astype(np.int64).astype(np.float64)
    power_kw = _positive(numbers_of(name, frame["power_w"]) / 1000.0)
    device = frame["device"].to_numpy()
    cycles: list[Cycle] = []
    for plug in dict.fromkeys(device):
        own = device == plug
        cycles += _cut(str(plug), second[own], power_kw[own], pause_s, least_kwh)
    return cycles


def _trace(name: str, raw: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and power of tracebase's own layout, (T,) each."""
    cells = [line.strip().split(";") for line in text_lines(name, raw) if line.strip()]
    broken = [row for row, of_row in enumerate(cells, 1) if len(of_row) != 3]
    if broken:
        raise InputError(
            f"{name}, row {broken[0]}: expected 'dd/mm/yyyy HH:MM:SS;W;W'; mend or drop the row."
        )
    table = pd.DataFrame(cells, columns=["stamp", "w", "w8"], index=range(1, len(cells) + 1))
    stamp = stamps_of(name, table["stamp"], (_TRACE_FORM,), "15/05/2012 14:55:47")
    power_kw = _positive(numbers_of(name, table["w"]) / 1000.0)
    return stamp.astype(np.int64).astype(np.float64), power_kw


def _positive(power_kw: np.ndarray) -> np.ndarray:
    power: np.ndarray = np.nan_to_num(power_kw, nan=0.0).clip(min=0.0)
    return power


def _cut(
    name: str, second: np.ndarray, power_kw: np.ndarray, pause_s: float, least_kwh: float
) -> list[Cycle]:
    """Cut a trace into cycles, numbered by time from 1."""
    order = second.argsort(kind="stable")
    second, power_kw = second[order], power_kw[order]
    on = np.flatnonzero(power_kw > _ON_KW)
    if not len(on):
        return []
    edges = np.flatnonzero(np.diff(second[on]) > pause_s)
    begins, ends = on[np.append(0, edges + 1)], on[np.append(edges, len(on) - 1)]
    parts = [slice(begin, end + 1) for begin, end in zip(begins, ends, strict=True)]
    whole = [_cycle(name, second[part], power_kw[part]) for part in parts]
    kept = [cycle for cycle in whole if cycle.energy_kwh >= least_kwh]
    return [
        Cycle(f"{name}/{number}", one.block_kw, one.length_s, one.peak_kw)
        for number, one in enumerate(kept, 1)
    ]


def _cycle(name: str, second: np.ndarray, power_kw: np.ndarray) -> Cycle:
    """Fold a run into blocks from its first to its last power."""
    on = np.flatnonzero(power_kw > _ON_KW)
    if not len(on):
        raise InputError(f"{name} draws no power at all; drop it.")
    begin, end = int(on[0]), int(on[-1]) + 1
    second, power_kw = second[begin:end], power_kw[begin:end]
    usual_s = float(np.median(np.diff(second))) if len(second) > 1 else 1.0
    held_s = np.append(np.diff(second).clip(0.0, 60.0), usual_s)
    drawn_kwh = np.append(0.0, (power_kw * held_s / 3600.0).cumsum())
    # Energy rises within what a value is held for, and stays between.
    from_s = second - second[0]
    edge_s = np.stack([from_s, from_s + held_s], 1).ravel()
    edge_kwh = np.stack([drawn_kwh[:-1], drawn_kwh[1:]], 1).ravel()
    length_s = float(from_s[-1] + usual_s)
    blocks = max(1, int(np.ceil(length_s / BLOCK_S - 1e-9)))
    at_kwh = np.interp(BLOCK_S * np.arange(blocks + 1), edge_s, edge_kwh)
    block_kw = np.diff(at_kwh) * 3600.0 / BLOCK_S
    return Cycle(name, block_kw, length_s, float(power_kw.max()))
