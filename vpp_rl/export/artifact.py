"""Write a trained policy as an artifact: controller, manifest, golden pairs, model card."""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, Cohort
from vpp_envs.forecast.protocol import LEAD_H, LEADS, NODE_WEIGHTS
from vpp_rl.export.card import model_card
from vpp_rl.export.controller import (
    SET_POINT_COLUMNS,
    SIGNAL_ENTRIES,
    TELEMETRY_COLUMNS,
    Controller,
)
from vpp_rl.export.golden import golden_pairs
from vpp_rl.export.manifest import (
    CARD,
    CONTROLLER,
    GOLDEN,
    MANIFEST,
    SCHEMA_VERSION,
    CohortRecord,
    Field,
    FileRecord,
    Manifest,
)
from vpp_rl.export.script import save_script, script
from vpp_rl.files import file_sha256
from vpp_rl.training.checkpoint import PolicyFacts, load_policy

_MEANING = {
    "energy_kwh": "stored energy now",
    "load_kw": "base load of the home now",
    "solar_available_kw": "solar output now if not curtailed",
    "solar_kw": "AC rating of the solar system, 0 without",
    "capacity_kwh": "usable energy between empty and full; 1 without a battery",
    "charge_kw": "AC limit when charging; 0 without a battery",
    "discharge_kw": "AC limit when discharging, positive; 0 without a battery",
    "one_way_eff": "square root of the round-trip efficiency; 1 without a battery",
    "standing_loss_kw": "constant draw of battery and inverter",
    "wear_per_kwh": "cost of wear per kWh discharged",
    "reserve_kwh": "energy kept for the owner",
    "import_limit_kw": "most that the site may draw",
    "export_limit_kw": "most that the site may inject, positive",
    "price_per_mwh": "price of the interval that starts now",
    "previous_per_mwh": "price of the interval before",
    "day_mean_per_mwh": "mean price of the last 24 hours",
    "day_std_per_mwh": "standard deviation of the price over the last 24 hours",
    "hour": "hour of the market's day, with fraction",
    "day_of_year": "1 to 366 on the market's clock",
    "weekend": "1 on Saturday and Sunday, else 0",
    "battery_kw": "set-point of the battery, charging positive",
    "solar_limit_kw": "most that the solar system may produce",
    "low_kw": "lower edge of the battery's envelope",
    "high_kw": "upper edge of the battery's envelope",
    "valid": "1 if the home took part, 0 if its telemetry lacked a number",
}


def controller_of(folder: Path) -> tuple[Controller, PolicyFacts]:
    """Assemble the controller of a run, in process.

    Raises:
        InputError: The run is damaged, or its dispatch mode fits one fleet only.
    """
    network, facts = load_policy(folder)
    return (
        Controller(
            network.float(),
            facts.dispatch,
            known_cohorts(facts.cohorts),
            facts.price_scale,
            facts.control_dt_s / 3600.0,
        ).eval(),
        facts,
    )


def known_cohorts(names: Sequence[str]) -> tuple[Cohort, ...]:
    """Cohorts by name, in order.

    Raises:
        InputError: This version does not know a name.
    """
    table = {cohort.name: cohort for cohort in BATTERY_COHORTS}
    for name in names:
        if name not in table:
            raise InputError(f"cohort '{name}' is unknown here: known are {', '.join(table)}.")
    return tuple(table[name] for name in names)


def export_run(run: Path, out: Path) -> Path:
    """Write the artifact of a run, whole or not at all.

    Args:
        run: Folder of a finished run.
        out: Folder to write. An older artifact there is replaced; anything else is left alone.

    Raises:
        InputError: The run is damaged, or `out` holds something else.
    """
    controller, facts = controller_of(run)
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise InputError(f"{out} holds something that is no artifact: choose another out=FOLDER.")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _write(temporary, controller, facts)
        if out.exists():
            old = out.with_name(f".{out.name}.old.{os.getpid()}")
            os.replace(out, old)
            os.replace(temporary, out)
            shutil.rmtree(old)
        else:
            os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    out.chmod(0o755)
    return out


def _write(folder: Path, controller: Controller, facts: PolicyFacts) -> None:
    """Write all files of an artifact."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    metadata = {"created_utc": created, "region": facts.region, "dispatch": facts.dispatch}
    save_script(script(controller), folder / CONTROLLER, json.dumps(metadata))
    with torch.no_grad():
        pairs: dict[str, Any] = golden_pairs(controller)
    np.savez_compressed(folder / GOLDEN, **pairs)
    (folder / CARD).write_text(model_card(facts, created))
    files = tuple(
        FileRecord(
            name=name, bytes=(folder / name).stat().st_size, sha256=file_sha256(folder / name)
        )
        for name in (CONTROLLER, GOLDEN, CARD)
    )
    manifest = _manifest(facts, created, files)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")


def _manifest(facts: PolicyFacts, created: str, files: tuple[FileRecord, ...]) -> Manifest:
    """Describe an artifact."""
    return Manifest(
        schema_version=SCHEMA_VERSION,
        package_version=version("vpp-rl"),
        torch_version=torch.__version__,
        created_utc=created,
        scenario=facts.scenario,
        region=facts.region,
        currency=facts.currency,
        zone=facts.zone,
        control_dt_s=facts.control_dt_s,
        dispatch=facts.dispatch,
        agent=facts.agent,
        seed=facts.seed,
        train_s=facts.train_s,
        train_steps=facts.train_steps,
        validation_profit_per_home_year=facts.validation_profit_per_home_year,
        price_scale=facts.price_scale,
        cohorts=tuple(CohortRecord(**c._asdict()) for c in known_cohorts(facts.cohorts)),
        hidden=facts.hidden,
        squash=facts.squash,
        telemetry=_fields(TELEMETRY_COLUMNS, facts.currency),
        signals=_fields(SIGNAL_ENTRIES, facts.currency),
        forecast_leads=LEADS,
        forecast_lead_h=LEAD_H,
        forecast_weights=NODE_WEIGHTS,
        set_points=_fields(SET_POINT_COLUMNS, facts.currency),
        observation_names=facts.observation_names,
        action_names=facts.action_names,
        files=files,
    )


def _fields(columns: tuple[tuple[str, str], ...], currency: str) -> tuple[Field, ...]:
    ranges = {"one_way_eff": (0.1, 1.0), "hour": (0.0, 24.0), "day_of_year": (1.0, 366.0)}
    ranges |= {"weekend": (0.0, 1.0), "valid": (0.0, 1.0)}
    signed = {"battery_kw", "low_kw", "high_kw", "price_per_mwh", "previous_per_mwh"}
    fields = []
    for name, unit in columns:
        low, high = ranges.get(name, (None if name in signed | {"day_mean_per_mwh"} else 0.0, None))
        fields.append(
            Field(
                name=name,
                unit=unit.replace("currency", currency),
                meaning=_MEANING[name],
                low=low,
                high=high,
            )
        )
    return tuple(fields)
