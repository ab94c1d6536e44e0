"""From a composed configuration to a typed training job."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from vpp_envs.errors import InputError
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.scenario import ScenarioSpec, split_homes
from vpp_envs.signals.market import MarketSpec
from vpp_rl.agents.registry import learner
from vpp_rl.configuration import build, shipped_tariffs
from vpp_rl.rollout import Windows
from vpp_rl.training.compiler import toolchain
from vpp_rl.training.settings import TrainingJob, TrainSettings

_GROUPS = ("scenario", "market", "fleet", "agent")
_SPLITS_OF_RECORDED_PRICES = (
    "train_share",
    "validation_share",
    "train_dates",
    "validation_dates",
    "test_dates",
)
_ABOUT_RECORDED_PRICES = ("gaps", "published_h", "zone")
_LONG_S = 300.0  # training that is worth two or three minutes of compiling


def scenario_from(cfg: Mapping[str, Any]) -> ScenarioSpec:
    """Build the scenario of a configuration with groups scenario, market and fleet."""
    values = _group(cfg, "scenario")
    values["market"] = _group(cfg, "market")
    values["fleet"] = _group(cfg, "fleet")
    # By name where it is one that comes with the package; the world knows files only.
    tariff = values.get("tariff")
    if isinstance(tariff, str) and tariff in shipped_tariffs():
        values["tariff"] = str(shipped_tariffs()[tariff])
    build("market", values["market"], MarketSpec)
    build("fleet", values["fleet"], FleetSpec)
    return build("scenario", values, ScenarioSpec)


def job_from(cfg: Mapping[str, Any]) -> TrainingJob:
    """Build the training job of ``configs/train.yaml``.

    Raises:
        InputError: A key or value cannot be trained with.
    """
    rest = {key: value for key, value in cfg.items() if key not in _GROUPS}
    settings = build("train", rest, TrainSettings)
    group = _group(cfg, "agent")
    agent = build("agent", group, learner(group.get("name", "")).settings)
    scenario = scenario_from(cfg)
    _refuse_what_nobody_reads(scenario.market)
    return TrainingJob(
        scenario=scenario,
        agent=agent,
        dispatch=settings.dispatch,
        seed=settings.seed,
        compile=_pays_to_compile(scenario, agent)
        if settings.compile == "auto"
        else settings.compile,
        threads=settings.threads,
        validations=settings.validations,
        validation=Windows(
            "validation",
            window_days=settings.validation_window_days,
            most=settings.validation_windows,
        ),
        checkpoint_every=settings.checkpoint_every,
    )


def _pays_to_compile(scenario: ScenarioSpec, agent: Any) -> bool:  # noqa: ANN401 - of any learner
    """Whether fused steps save more time than fusing them takes, and can be had at all.

    A step with flexible devices compiles for two or three minutes and then trains thirty times as
    fast (PPO with 256 rows of 64 homes on one core: 600 and 18,000 rows a second). Its gradient,
    which is all that a learner without steps of the environment needs, compiles for more than ten.
    """
    if not toolchain().complete:
        return False
    if split_homes(scenario, "train").flexible is None:
        return True
    long = agent.seconds is not None and agent.seconds >= _LONG_S
    return long and learner(agent.name).steps_env


def _group(cfg: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One group of a configuration."""
    group = cfg.get(name)
    if not isinstance(group, Mapping):
        raise InputError(f"the configuration needs its group '{name}', got {group!r}.")
    return dict(group)


def _refuse_what_nobody_reads(market: MarketSpec) -> None:
    """Refuse what is said of recorded prices where the prices are synthetic."""
    if market.prices is not None:
        return
    for field in fields(market):
        if getattr(market, field.name) == field.default:
            continue
        if field.name in _ABOUT_RECORDED_PRICES or field.name.startswith("prices_"):
            raise InputError(
                f"market.{field.name} is about recorded prices, and market.prices names none: name "
                f"their file, or leave market.{field.name} out."
            )
        if field.name in _SPLITS_OF_RECORDED_PRICES:
            raise InputError(
                f"market.{field.name} splits recorded prices, and market.prices names none: name "
                "their file, or split the synthetic market by market.train_days, "
                "market.validation_days and market.test_days."
            )
