"""The manifest: what an exported controller expects, answers, and was made from."""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vpp_envs.errors import InputError
from vpp_envs.fleet.cohorts import Cohort, EvCohort
from vpp_rl.export.columns import Column

SCHEMA_VERSION = 1
CONTROLLER, MANIFEST, GOLDEN, CARD = "controller.pt", "manifest.json", "golden.npz", "README.md"
FILES = (CONTROLLER, GOLDEN, CARD)  # that a manifest vouches for


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Field(_Record):
    """One column or entry; a number outside its range is refused, or its home left alone."""

    name: str
    unit: str
    low: float
    high: float
    meaning: str


def fields(columns: Iterable[Column], currency: str) -> tuple[Field, ...]:
    """Describe columns, in the market's currency."""
    return tuple(
        Field(**{**column._asdict(), "unit": column.unit.replace("currency", currency)})
        for column in columns
    )


class FileRecord(_Record):
    """One file of the artifact."""

    name: str
    bytes: int
    sha256: str


class CohortRecord(_Record):
    """One cohort that the controller knows; homes of others are left alone."""

    name: str
    duration_h: float
    one_way_eff: float
    wear_per_kwh: float

    def cohort(self) -> Cohort:
        """As the world knows it."""
        return Cohort(self.name, self.duration_h, self.one_way_eff, self.wear_per_kwh)


class CarRecord(_Record):
    """One class of cars that the controller knows; others charge at once."""

    name: str
    discharges: bool
    one_way_eff: float
    wear_per_kwh: float

    def cohort(self) -> EvCohort:
        """As the world knows it."""
        return EvCohort(self.name, self.discharges, self.one_way_eff, self.wear_per_kwh)


class Manifest(_Record):
    """Everything that a deployer must know, in one file."""

    schema_version: int
    package_version: str
    torch_version: str
    created_utc: str
    sign_convention: str = "load convention: power above 0 draws from the grid, below 0 injects"
    scenario: str
    region: str
    currency: str
    zone: str
    prices: str  # that it was trained on: a file's name, or the generator's
    prices_sha256: str  # of that file; empty for a generator
    # That it was trained with: "exact" is the law of synthetic prices, the others stand in
    # `vpp_envs.forecast.naive`. None: the run did not keep its configuration, or an older export.
    forecaster: str | None = None
    control_dt_s: int
    dispatch: str
    agent: str
    seed: int
    train_s: float
    train_steps: int
    validation_profit_per_home_year: float
    price_scale: float
    cohorts: tuple[CohortRecord, ...]
    # None: it was trained on homes without cars, and has no columns for them.
    cars: tuple[CarRecord, ...] | None = None
    hidden: tuple[int, ...]
    squash: bool
    telemetry: tuple[Field, ...]  # columns of the telemetry matrix, in order
    signals: tuple[Field, ...]  # entries of the signal vector, in order
    forecast: Field  # one more entry of the signals: a matrix of leads by bins
    forecast_leads: int
    forecast_lead_h: float
    forecast_weights: tuple[float, ...]  # probability of each bin, in order
    set_points: tuple[Field, ...]  # columns of the answer, in order
    observation_names: tuple[str, ...]
    action_names: tuple[str, ...]
    files: tuple[FileRecord, ...]

    @property
    def telemetry_names(self) -> tuple[str, ...]:
        """Names of the columns of the telemetry matrix, in order."""
        return tuple(field.name for field in self.telemetry)

    def contents(self) -> str:
        """All but the files, as JSON: it travels inside the controller's file as well.

        What is not known is left out, as by an export that did not know the field.
        """
        return self.model_dump_json(exclude={"files"}, exclude_none=True)


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of an artifact.

    Raises:
        InputError: It is missing, no manifest, or of an unknown schema.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{path} is missing: give the folder that `vpp export` wrote.")
    try:
        values = json.loads(path.read_text())
        version = values.get("schema_version")
        if version != SCHEMA_VERSION:
            raise InputError(
                f"{path} has schema_version {version}, this vpp-rl reads {SCHEMA_VERSION}: "
                "export the run again with this version."
            )
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {key}: {first['msg']}; export the run again.") from None
    except (ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a manifest ({error}): export the run again.") from None
    named = sorted(record.name for record in manifest.files)
    if named != sorted(FILES):
        raise InputError(f"{path}: files are {named}, expected {sorted(FILES)}; export it again.")
    return manifest
