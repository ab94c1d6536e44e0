"""Sample water heaters: tanks of common sizes, resistance or heat pump, and how much is used."""

import torch
from torch import Tensor

from vpp_envs.devices.water_heater import WaterHeaterParams
from vpp_envs.errors import InputError
from vpp_envs.flexible.water_heater_parts import WaterHeaterAgreement, WaterHeaterFleet
from vpp_envs.random import Purpose, normal, uniform

HOT_WATER_ARCHETYPES = 64
_LITRES = 3.7854
_FILLED = 0.9  # of its rating an electric tank holds (OCHRE)
_USUAL_UA = 1.15e-3  # of a tank without a heat pump [kW/K]
_BTU_PER_GAL_F = 8.2938 * 1.0007  # heat of water
_W_PER_K = 0.527527  # of a Btu an hour and degree Fahrenheit
# Rated gallons and their share (an assumption).
_SIZES = ((40.0, 0.25), (50.0, 0.50), (65.0, 0.10), (80.0, 0.15))
# Hot water of homes with one to five bedrooms over that with three, and their share (assumed).
_USES = ((46 / 69, 0.10), (57 / 69, 0.25), (1.0, 0.40), (79 / 69, 0.20), (91 / 69, 0.05))
# UA of heat pump water heaters by rated gallons (OCHRE). [kW/K]
_PUMP_UA = ((58.0, 1.90e-3), (73.0, 2.11e-3), (1e9, 2.48e-3))


def sample_water_heaters(
    seed: int,
    home: Tensor,
    present: Tensor,
    pump_share: float = 0.3,
    managed_share: float = 1.0,
    messages_share: float = 0.0,
    layered: bool = False,
) -> WaterHeaterFleet:
    """Sample water heaters, float64, (N,).

    UA of resistance tanks lognormal around 1.15 W/K; set-points 51.7 C; half of the homes have a
    mixing valve, behind which water may be stored at 60 C.

    Args:
        seed: Of the fleet.
        home: Ids, (N,) int64.
        present: Which homes have an electric tank, (N,) bool.
        pump_share: Of the tanks with a heat pump.
        managed_share: Of the owners who let others choose when it heats.
        messages_share: Of the tanks that hear CTA-2045 messages and take no power.
        layered: Whether the water is simulated in two layers.
    """

    def draw(purpose: int) -> Tensor:
        return uniform(seed, 0, home, 0, purpose)

    pump = present & (draw(Purpose.FLEET_WATER_PUMP) < pump_share)
    managed = present & (draw(Purpose.FLEET_WATER_MANAGED) < managed_share)
    messages = present & (draw(Purpose.FLEET_WATER_MESSAGES) < messages_share)
    params = _params(seed, home, present, pump)
    use = _pick(_USES, draw(Purpose.FLEET_WATER_USE))
    zero = torch.zeros_like(use)
    fleet = WaterHeaterFleet(
        params,
        torch.where(present, params.pump_kw + params.element_kw, zero),
        torch.where(present, use, zero),
        _agreement(seed, home, pump, use, managed),
        (draw(Purpose.FLEET_WATER_ARCHETYPE) * HOT_WATER_ARCHETYPES).to(torch.int64) * present,
        torch.where(managed, pump.to(torch.int64), torch.full_like(home, -1)),
        only_where_some(messages),
        only_where_some(present & layered),
    )
    check_water_heaters(fleet, "water heater of a sampled home")
    return fleet


def _pick(table: tuple[tuple[float, float], ...], share: Tensor) -> Tensor:
    """Numbers of a table of numbers and their probabilities at shares in [0, 1), (N,)."""
    numbers = torch.tensor(table, dtype=torch.float64)
    edges = numbers[:, 1].cumsum(0)[:-1]
    return numbers[torch.bucketize(share, edges, right=True), 0]


def _params(seed: int, home: Tensor, present: Tensor, pump: Tensor) -> WaterHeaterParams:
    """Constants of tanks, (N,); where there is none, of a litre that loses 1 kW/K."""
    gallons = _pick(_SIZES, uniform(seed, 0, home, 0, Purpose.FLEET_WATER_SIZE))
    loss = _USUAL_UA * torch.exp(0.20 * normal(seed, 0, home, 0, Purpose.FLEET_WATER_UA))
    ua = torch.where(pump, _ua_with_pump(gallons), loss)
    zero, one = torch.zeros_like(gallons), torch.ones_like(gallons)
    return WaterHeaterParams(
        torch.where(present, _FILLED * gallons * _LITRES, one),
        torch.where(present, ua, one),
        torch.where(pump, 0.5 * one, zero),
        4.2 * one,  # 1.1745 times a uniform energy factor of 3.6
        torch.where(present, 4.5 * one, zero),
    )


def _agreement(
    seed: int, home: Tensor, pump: Tensor, use: Tensor, managed: Tensor
) -> WaterHeaterAgreement:
    """Set-points around 51.7 C, and half of the homes with a mixing valve, (N,)."""
    one = torch.ones_like(use)
    score = normal(seed, 0, home, 0, Purpose.FLEET_WATER_SETTING)
    setting = (51.7 + 1.5 * score).clamp(49.0, 56.0)
    valve = uniform(seed, 0, home, 0, Purpose.FLEET_WATER_MIXING) < 0.5
    most = torch.where(valve, 60.0 * one, setting)
    return WaterHeaterAgreement(
        43.0 * one,
        most,
        setting,
        torch.where(pump, 8.17 * one, 5.56 * one).minimum(setting - 44.5),
        large_draw_kwh(use),
        managed.double(),
        most,
    )


def only_where_some(which: Tensor) -> Tensor | None:
    """A column of what few heaters are, 1 or 0; none where no heater is.

    Args:
        which: Of the heaters, (N,) bool.
    """
    return which.double() if bool(which.any()) else None


def large_draw_kwh(use: Tensor) -> Tensor:
    """Heat of a large draw in five minutes (q95), (N,). [kWh]

    Args:
        use: Hot water per that of a home of three bedrooms, (N,).
    """
    return 0.8 * use


def ua_of(volume_l: Tensor, pump: Tensor) -> Tensor:
    """UA of tanks of which no more is known, (N,). [kW/K]

    Args:
        volume_l: Of water, (N,). [L]
        pump: Which have a heat pump, (N,) bool.
    """
    usual = torch.full_like(volume_l, _USUAL_UA)
    return torch.where(pump, _ua_with_pump(volume_l / (_FILLED * _LITRES)), usual)


def _ua_with_pump(gallons: Tensor) -> Tensor:
    """UA of tanks with a heat pump by their rated gallons, (N,). [kW/K]"""
    limits = torch.tensor([row[0] for row in _PUMP_UA[:-1]], dtype=torch.float64)
    loss = torch.tensor([row[1] for row in _PUMP_UA], dtype=torch.float64)
    return loss[torch.bucketize(gallons, limits)]


def ua_from_uef(uniform_energy_factor: float, drawn_gal: float = 55.0) -> float:
    """UA of a resistance tank by its rating since 2017, as OCHRE derives it. [W/K]

    Args:
        uniform_energy_factor: Of the label.
        drawn_gal: In the test: 10, 38, 55 or 84 by first-hour rating. [gal]
    """
    heat_btu = drawn_gal * _BTU_PER_GAL_F * 67.0
    hours_f = 24.0 * 57.5 * (0.8 + 0.2 * (58.0 - 67.5) / 57.5)
    return heat_btu * (1.0 / uniform_energy_factor - 1.0) / hours_f * _W_PER_K


def ua_from_ef(energy_factor: float) -> float:
    """UA of a resistance tank by its rating until 2017, as OCHRE derives it. [W/K]"""
    heat_btu = 64.3 * _BTU_PER_GAL_F * 77.0
    return heat_btu * (1.0 / energy_factor - 1.0) / ((135.0 - 67.5) * 24.0) * _W_PER_K


def check_water_heaters(fleet: WaterHeaterFleet, where: str) -> None:
    """Refuse promises that a tank cannot keep.

    Args:
        fleet: (N,).
        where: Of the tank, for the error.

    Raises:
        InputError: The band is too narrow, or the thermostat lies outside it.
    """
    agreed, exists = fleet.agreement, fleet.rated_kw > 0
    narrow = exists & (agreed.most_c - agreed.least_c < 3.0)
    for home in torch.nonzero(narrow)[:1].flatten().tolist():
        raise InputError(
            f"{where} {home}: between the least ({float(agreed.least_c[home]):g} C) and the most "
            f"({float(agreed.most_c[home]):g} C) there must be 3 K; lower least_c or raise most_c."
        )
    outside = exists & ((agreed.set_c > agreed.most_c) | (agreed.set_c < agreed.least_c))
    for home in torch.nonzero(outside)[:1].flatten().tolist():
        raise InputError(
            f"{where} {home}: its thermostat at {float(agreed.set_c[home]):g} C is not between "
            f"{float(agreed.least_c[home]):g} and {float(agreed.most_c[home]):g} C; set it within."
        )
