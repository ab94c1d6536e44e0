"""Write a trained policy as an artifact: controller, manifest, golden pairs, model card."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, EV_COHORTS, Cohort, EvCohort
from vpp_envs.fleet.fleet import AT_ONCE
from vpp_envs.fleet.table import read_fleet
from vpp_envs.forecast.protocol import LEAD_H, LEADS, NODE_WEIGHTS
from vpp_envs.people.events import EVENT_FEATURES
from vpp_envs.signals.market import forecaster_name
from vpp_rl.export.card import model_card
from vpp_rl.export.columns import NODES, SIGNAL_ENTRIES, columns_of
from vpp_rl.export.controller import Controller
from vpp_rl.export.folder import write_folder
from vpp_rl.export.golden import golden_pairs
from vpp_rl.export.load import check_artifact
from vpp_rl.export.manifest import (
    CARD,
    CONTROLLER,
    FILES,
    GOLDEN,
    MANIFEST,
    SCHEMA_VERSION,
    CarRecord,
    CohortRecord,
    FileRecord,
    Manifest,
    fields,
)
from vpp_rl.export.script import load_script, save_script, script
from vpp_rl.export.verify import PARITY, replay
from vpp_rl.files import file_sha256
from vpp_rl.training.checkpoint import PolicyFacts, load_policy

T = TypeVar("T")


def controller_of(folder: Path) -> tuple[Controller, PolicyFacts]:
    """Assemble the controller of a run, in process.

    Raises:
        InputError: The run is damaged, its dispatch mode fits one fleet only, or its homes stand
            behind a tariff, are called to events, share connections, or have devices or habits
            that controllers do not know yet.
    """
    network, facts = load_policy(folder)
    # What names the second price: runs whose configuration is gone tell it too.
    if "price/export" in facts.observation_names:
        raise InputError(
            f"{folder}: scenario '{facts.scenario}' has a tariff, and exported controllers do not "
            "know the second price that it pays for export yet; expected a run on a wholesale "
            "market: train with scenario.tariff=null to export."
        )
    if set(EVENT_FEATURES) & set(facts.observation_names):
        raise InputError(
            f"{folder}: scenario '{facts.scenario}' has a programme that calls events, and "
            "exported controllers are not told of them yet; expected a run without: train with "
            "scenario.people.event_days=0 to export."
        )
    if any(name.endswith("/alone") for name in facts.observation_names):
        raise InputError(
            f"{folder}: scenario '{facts.scenario}' has water heaters, thermostats, machines or "
            "engines, and exported controllers do not read their telemetry yet; expected a run "
            "with batteries and cars alone: train with fleet=mixed or fleet=ev to export."
        )
    if _shares_connections(folder):
        raise InputError(
            f"{folder}: scenario '{facts.scenario}' has homes or vehicles that share a connection, "
            "and exported controllers do not know what it guarantees to each yet; expected a run "
            "with fleet.depot_share=0 and fleet.transformer_homes=0."
        )
    if _waits_unmanaged(folder):
        raise InputError(
            f"{folder}: scenario '{facts.scenario}' has drivers who let nobody choose and wait for "
            "midnight or for the last moment, and exported controllers take it that such cars "
            "charge at once; expected a run with fleet.managed_share=1 (managed yes in a table), "
            "or without fleet.ev_midnight_share and fleet.ev_last_moment_share (habit)."
        )
    return (
        Controller(
            network.float(),
            facts.dispatch,
            known_cohorts(facts.cohorts),
            facts.price_scale,
            facts.control_dt_s / 3600.0,
            known_cars(facts.cars),
        ).eval(),
        facts,
    )


def known_cohorts(names: Sequence[str]) -> tuple[Cohort, ...]:
    """Cohorts by name, in order.

    Raises:
        InputError: This version does not know a name.
    """
    table = {cohort.name: cohort for cohort in BATTERY_COHORTS}
    return tuple(_known("cohort", name, table) for name in names)


def known_cars(names: Sequence[str] | None) -> tuple[EvCohort, ...] | None:
    """Classes of cars by name, in order; None of a policy that was trained without cars.

    Raises:
        InputError: This version does not know a name.
    """
    if names is None:
        return None
    table = {cohort.name: cohort for cohort in EV_COHORTS}
    return tuple(_known("class of cars", name, table) for name in names)


def _known(what: str, name: str, table: Mapping[str, T]) -> T:
    """Look up a name."""
    if name not in table:
        raise InputError(f"{what} '{name}' is unknown here: known are {', '.join(table)}.")
    return table[name]


def _shares_connections(run: Path) -> bool:
    """Whether homes of a run share connections, as far as its folder says."""
    try:
        fleet = json.loads((run / "config.json").read_text())["fleet"]
        return bool(fleet.get("depot_share", 0.0) > 0 or fleet.get("transformer_homes", 0) > 0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _waits_unmanaged(run: Path) -> bool:
    """Whether any car of a run waits by its driver's habit alone, as far as its folder says."""
    try:
        fleet = json.loads((run / "config.json").read_text())["fleet"]
        if fleet.get("table") is not None:
            ev = read_fleet(fleet["table"]).ev
            if ev is None or ev.habit is None:
                return False
            return bool(((ev.habit != AT_ONCE) & (ev.agreement.managed <= 0)).any())
        waits = fleet.get("ev_midnight_share", 0.0) + fleet.get("ev_last_moment_share", 0.0)
        return bool(waits > 0 and fleet.get("managed_share", 1.0) < 1)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
        return False


def forecaster_of(run: Path) -> str | None:
    """Name of the forecaster that a run was trained with; None if its folder does not say."""
    try:
        market = json.loads((run / "config.json").read_text())["market"]
        name, prices = str(market["forecaster"]), market["prices"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return forecaster_name(name, recorded=prices is not None)


def export_run(run: Path, out: Path | None = None) -> Path:
    """Write the artifact of a run, whole or not at all, and replay it before it appears.

    Args:
        run: Folder of a finished run.
        out: Folder to write, by default ``export`` in the run's. An older artifact there is
            replaced in one step; anything else is left alone.

    Raises:
        InputError: The run is damaged, `out` holds something else, or cannot be written.
    """
    controller, facts = controller_of(run)
    return write_folder(
        out or run / "export",
        (*FILES, MANIFEST),
        lambda folder: _write(folder, controller, _manifest(run, facts)),
    )


def _write(folder: Path, controller: Controller, manifest: Manifest) -> None:
    """Write all files of an artifact."""
    save_script(script(controller), folder / CONTROLLER, manifest.contents())
    with torch.no_grad():
        pairs: dict[str, Any] = golden_pairs(controller)
    np.savez_compressed(folder / GOLDEN, **pairs)
    (folder / CARD).write_text(model_card(manifest))
    files = tuple(
        FileRecord(
            name=name, bytes=(folder / name).stat().st_size, sha256=file_sha256(folder / name)
        )
        for name in FILES
    )
    manifest = manifest.model_copy(update={"files": files})
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2, exclude_none=True) + "\n")
    check_artifact(folder)
    with torch.no_grad():
        error = replay(load_script(folder / CONTROLLER), folder / GOLDEN)
    if not error <= PARITY:
        raise AssertionError(f"the exported controller differs from its source by {error:.1e}")


def _manifest(run: Path, facts: PolicyFacts) -> Manifest:
    """Describe the artifact of a run, but for its files."""
    prices, prices_sha256 = _prices(run)
    cars = known_cars(facts.cars)
    columns = columns_of(cars is not None)
    return Manifest(
        schema_version=SCHEMA_VERSION,
        package_version=version("vpp-rl"),
        torch_version=torch.__version__,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        scenario=facts.scenario,
        region=facts.region,
        currency=facts.currency,
        zone=facts.zone,
        prices=prices,
        prices_sha256=prices_sha256,
        forecaster=forecaster_of(run),
        control_dt_s=facts.control_dt_s,
        dispatch=facts.dispatch,
        agent=facts.agent,
        seed=facts.seed,
        train_s=facts.train_s,
        train_steps=facts.train_steps,
        validation_profit_per_home_year=facts.validation_profit_per_home_year,
        price_scale=facts.price_scale,
        cohorts=tuple(CohortRecord(**c._asdict()) for c in known_cohorts(facts.cohorts)),
        cars=None if cars is None else tuple(CarRecord(**c._asdict()) for c in cars),
        hidden=facts.hidden,
        squash=facts.squash,
        telemetry=fields(columns.telemetry, facts.currency),
        signals=fields(SIGNAL_ENTRIES, facts.currency),
        forecast=fields((NODES,), facts.currency)[0],
        forecast_leads=LEADS,
        forecast_lead_h=LEAD_H,
        forecast_weights=NODE_WEIGHTS,
        set_points=fields(columns.set_points, facts.currency),
        observation_names=facts.observation_names,
        action_names=facts.action_names,
        files=(),
    )


def _prices(run: Path) -> tuple[str, str]:
    """Name and hash of the prices that a run was trained on, as it noted them."""
    try:
        noted = json.loads((run / "provenance.json").read_text())
        return str(noted["prices"]), str(noted.get("prices sha256", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "not noted by the run", ""
