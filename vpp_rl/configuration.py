"""Configuration: where the Hydra files lie, how they compose, and what the door turns away.

Hydra stops here and in ``vpp_rl.cli``. Inside there are frozen dataclasses, which ``build`` makes
from the composed mapping by their own annotations: no ``_target_``, no class named by a file.
Whatever a person got wrong comes back as one sentence that names the key and what exists.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from vpp_envs.errors import InputError
from vpp_rl.suggestion import did_you_mean
from vpp_rl.typed_fields import convert

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

T = TypeVar("T", bound="DataclassInstance")


def config_dir() -> Path:
    """Return the folder of the packaged Hydra files: inside the wheel, or the checkout's.

    Raises:
        InputError: If neither exists, which means a damaged installation.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "configs", package.parent / "configs"):
        if folder.is_dir():
            return folder
    raise InputError(
        f"there is no folder 'configs' in {package} or beside it: install vpp-rl again, "
        "or run from a complete checkout"
    )


def compose(
    config_name: str, overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()
) -> DictConfig:
    """Compose one configuration with Hydra, resolved and without missing values.

    Args:
        config_name: Primary configuration, such as ``"train"``.
        overrides: In Hydra's syntax, such as ``["agent=ppo", "agent.learning_rate=1e-3"]``.
        config_dirs: A user's own folders of configuration, which add to the packaged one. They
            may not replace its files: ``agent=ppo`` is the same agent on every machine.

    Returns:
        The configuration; reading or writing a key that it lacks raises.

    Raises:
        InputError: For an override that cannot be read, an unknown key, group option or folder,
            a faulty file, or a value left open; the sentence names it and what exists.
    """
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    folders = _folders(config_dirs)
    options = _options(folders)
    if config_name not in options["."]:
        known = options["."]
        raise InputError(
            f"there is no configuration '{config_name}'{did_you_mean(config_name, known)}"
        )
    try:
        cfg = _compose(config_name, overrides, folders)
        open_keys = sorted(OmegaConf.missing_keys(cfg))
        if not open_keys:
            OmegaConf.resolve(cfg)
    except YAMLError as error:
        raise InputError(_yaml_sentence(error)) from None
    except OmegaConfBaseException as error:
        raise InputError(f"{config_name}.{error.full_key}: {_first_line(error)}") from None
    except (HydraException, ValueError) as error:
        sentence = _wrong_override(config_name, overrides, folders, options)
        raise InputError(sentence or _first_line(error)) from None
    if open_keys:
        raise InputError(
            f"{config_name} needs a value for '{open_keys[0]}': add {open_keys[0]}=..."
        )
    return cfg


def shipped_tariffs() -> dict[str, Path]:
    """Tariffs that come with the package, by name."""
    return {file.stem: file for file in sorted((config_dir() / "tariff").glob("*.yaml"))}


def build(kind: str, values: Mapping[str, Any], into: type[T]) -> T:
    """Build a frozen dataclass from a plain mapping, by the annotations of its fields.

    Fields may be bool, int, float, str, Path, Literal, tuples, mappings with text keys, other
    dataclasses, and unions of these with None. An int serves as a float; a whole float, such as
    ``1e6``, as an int; nothing else is converted.

    Args:
        kind: Dotted name of the mapping in the configuration, such as ``"agent"``, for errors.
        values: Field names and values; a ``DictConfig`` will do.
        into: The dataclass.

    Raises:
        InputError: For an unknown or missing key, or a value of the wrong type; the sentence
            names the key and what was expected. What the dataclass itself refuses passes through.
    """
    fields = {field.name: field for field in dataclasses.fields(into) if field.init}
    for key in values:
        if key not in fields:
            has = ", ".join(fields) or "no keys"
            raise InputError(
                f"{kind} has no key '{key}'{did_you_mean(str(key), fields)} ({kind} has {has})"
            )
    for field in fields.values():
        needed = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if needed and field.name not in values:
            raise InputError(
                f"{kind} needs a value for '{field.name}': add {kind}.{field.name}=..."
            )
    hints = get_type_hints(into)
    return into(
        **{key: convert(f"{kind}.{key}", value, hints[key], build) for key, value in values.items()}
    )


def _folders(config_dirs: Sequence[str | Path]) -> list[Path]:
    """Return every folder of configuration, the packaged one first."""
    own = [Path(folder) for folder in config_dirs]
    for folder in own:
        if not folder.is_dir():
            raise InputError(f"--config-dir {folder} is not a folder: name an existing one")
    return [config_dir(), *(folder.resolve() for folder in own)]


def _compose(config_name: str, overrides: Sequence[str], folders: Sequence[Path]) -> DictConfig:
    """Compose by Hydra, whose errors pass through."""
    import hydra

    top, *below = folders
    path = ",".join("'file://" + str(folder).replace("'", "\\'") + "'" for folder in below)
    search = [f"hydra.searchpath=[{path}]"] if below else []
    with hydra.initialize_config_dir(str(top), version_base="1.3"):
        return hydra.compose(config_name, [*search, *overrides])


def _options(folders: Sequence[Path]) -> dict[str, list[str]]:
    """Return the options of each group, by what files there are; ``"."`` has the primaries."""
    options: dict[str, list[str]] = {".": []}
    for folder in folders:
        for file in sorted(folder.glob("**/*.yaml")):
            group = file.parent.relative_to(folder).as_posix()
            names = options.setdefault(group, [])
            if file.stem in names:
                raise InputError(
                    f"{file} has the name of a configuration that exists already: rename it"
                )
            names.append(file.stem)
    return options


def _wrong_override(
    config_name: str,
    overrides: Sequence[str],
    folders: Sequence[Path],
    options: Mapping[str, Sequence[str]],
) -> str:
    """Return the sentence for the first override that cannot stand, or ``""``."""
    parsed = []
    for text in overrides:
        override = _parse(text)
        if isinstance(override, str):
            return override
        parsed.append(override)
    choices = [one for one in parsed if one.key_or_group in options]
    for choice in choices:
        sentence = _wrong_option(choice, options[choice.key_or_group])
        if sentence:
            return sentence
    return _wrong_key(config_name, parsed, choices, folders)


def _parse(text: str) -> Override | str:
    """Return the override, or the sentence that says why it cannot be read."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    unreadable = (
        f"cannot read the override '{text}': write key=value, and put a value with "
        "commas, brackets or = in quotes, as in 'market.prices=\"a=b.csv\"'"
    )
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException:
        return unreadable
    if not override.key_or_group:
        return unreadable
    if override.is_sweep_override():
        return (
            f"the override '{text}' holds several values: give one, "
            "or write a list as key=[first,second]"
        )
    return override


def _wrong_option(choice: Override, options: Sequence[str]) -> str:
    """Return the sentence for a group option that does not exist, or ``""``."""
    if choice.is_delete():
        return ""
    value = choice.value()
    for name in value if isinstance(value, list) else [value]:
        if str(name) not in options:
            group = choice.key_or_group
            return (
                f"{group} has no option '{name}'{did_you_mean(str(name), options)} "
                f"({group} may be {', '.join(options)})"
            )
    return ""


def _wrong_key(
    config_name: str,
    overrides: Sequence[Override],
    choices: Sequence[Override],
    folders: Sequence[Path],
) -> str:
    """Return the sentence for a key that the chosen groups do not have, or ``""``."""
    from hydra.errors import HydraException

    chosen = [str(choice.input_line) for choice in choices if not choice.is_add()]
    try:
        cfg = _compose(config_name, chosen, folders)
    except (HydraException, ValueError):
        return ""
    keys = _dotted_keys(cfg)
    for override in overrides:
        key = str(override.get_key_element()).lstrip("+~")
        if override.is_add() and key in keys:
            return f"{config_name} has the key '{key}' already: drop the + in front of it"
        # Hydra's own settings are legal everywhere, and no part of what it composes.
        if override in choices or key.split(".")[0] == "hydra":
            continue
        if not (override.is_add() or override.is_force_add()) and key not in keys:
            return _unknown_key(config_name, key, keys)
    return ""


def _unknown_key(config_name: str, key: str, keys: Sequence[str]) -> str:
    """Return the sentence for one unknown key: its nearest neighbour and its siblings."""
    parent = key.rpartition(".")[0]
    while parent and parent not in keys:
        parent = parent.rpartition(".")[0]
    siblings = [other for other in keys if other.rpartition(".")[0] == parent]
    has = ", ".join(name.rpartition(".")[2] for name in siblings) or "no keys of its own"
    return (
        f"{config_name} has no key '{key}'{did_you_mean(key, keys)} "
        f"({parent or config_name} has {has})"
    )


def override_value(text: str) -> Any:  # noqa: ANN401 - any value may be written
    """Return the value of one override, such as ``None`` for ``agent.seconds=null``.

    Raises:
        InputError: It cannot be read, or holds several values.
    """
    override = _parse(text)
    if isinstance(override, str):
        raise InputError(override)
    return override.value()


def with_values(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of a plain configuration with some values replaced.

    Args:
        config: As `resolved` returns it.
        overrides: In Hydra's syntax, of keys that it has.

    Raises:
        InputError: An override cannot be read.
    """
    changed = deepcopy(dict(config))
    for text in overrides:
        *groups, name = text.partition("=")[0].split(".")
        inside = changed
        for group in groups:
            inside = inside[group]
        inside[name] = override_value(text)
    return changed


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """A composed configuration as plain values, as a run's ``config.json`` holds it.

    Args:
        cfg: What `compose` returned, or Hydra hands to a job.
    """
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _dotted_keys(cfg: DictConfig) -> list[str]:
    """Return every key of a configuration, inner ones before their leaves."""
    from omegaconf import OmegaConf

    keys: list[str] = []

    def collect(node: object, prefix: str) -> None:
        if isinstance(node, dict):
            for name, child in node.items():
                keys.append(f"{prefix}{name}")
                collect(child, f"{prefix}{name}.")

    collect(OmegaConf.to_container(cfg, resolve=False), "")
    return keys


def _yaml_sentence(error: Exception) -> str:
    """Return file, line and problem of a file that is not YAML."""
    mark = getattr(error, "problem_mark", None)
    where = f"{mark.name} line {mark.line + 1}" if mark else "a configuration file"
    return f"{where} is not valid YAML: {getattr(error, 'problem', None) or _first_line(error)}"


def _first_line(error: Exception) -> str:
    """Return the first line of a library's message; the rest is its advice, not ours."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
