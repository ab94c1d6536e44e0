"""Columns of flexible devices: what an owner or installer knows, and what a blank cell means.

A house is known by its floor and insulation, from which the balance of its heat follows as in
`hvac_sampling`; whoever has measured more writes that instead. Names are those of the constants.
"""

from vpp_envs.fleet.appliance_sampling import APPLIANCE_ARCHETYPES
from vpp_envs.fleet.column import (
    Column,
    archetype_column,
    power_column,
    share_column,
    truth_column,
)
from vpp_envs.fleet.hvac_sampling import LEVELS, OCCUPANCY_ARCHETYPES
from vpp_envs.fleet.water_heater_sampling import HOT_WATER_ARCHETYPES
from vpp_envs.flexible.appliance_parts import APPLIANCES, ApplianceType
from vpp_envs.signals.synthetic.hot_water import DRAW_KINDS

# Of a home of three bedrooms, whose draws are simulated. [L]
DAY_L = sum(kind.day_l for kind in DRAW_KINDS)
HEATING = ("gas", "heat pump", "resistance", "none")
FUELS = ("gas", "diesel")  # in the order of `GENERATOR_COHORTS`
INSULATION = tuple(level[0] for level in LEVELS)

_BY_HOUSE = "by floor and insulation"
_FAHRENHEIT = "looks like Fahrenheit; write C, such as {}"
_COLD = "is colder than anybody has it; write C, such as {}"


def _celsius(
    name: str,
    meaning: str,
    bounds: tuple[float, float],
    usual: tuple[float, float],
    such_as: float,
    default: float | None = None,
    without: str = "needed",
) -> Column:
    slip, low = _FAHRENHEIT.format(such_as), _COLD.format(such_as)
    least, most = bounds
    return Column(name, meaning, default, without, least, most, usual=usual, slip=slip, low=low)


def _kelvin(name: str, meaning: str, default: float | None, usual: float, most: float) -> Column:
    slip = "is more than people put up with; write a difference in K, such as 2"
    return Column(name, meaning, default, most=most, usual=(0.0, usual), slip=slip)


def _conductance(name: str, meaning: str, usual: tuple[float, float], without: str) -> Column:
    slip = "looks like W/K; write kW/K, such as 0.4"
    return Column(name, meaning, None, without, zero=False, usual=usual, slip=slip)


def _capacity(name: str, meaning: str, usual: tuple[float, float]) -> Column:
    slip = "looks like kJ/K; write kWh/K, such as 1.8"
    return Column(name, meaning, None, _BY_HOUSE, zero=False, usual=usual, slip=slip)


def _cop(name: str, meaning: str, default: float) -> Column:
    slip = "looks like SEER, EER or HSPF; divide it by 3.41"
    low = "is less than resistance heat gives; write heat over electricity, such as 3.5"
    usual = (1.5, 7.0)
    return Column(name, meaning, default, least=1.0, most=12.0, usual=usual, slip=slip, low=low)


def _hours(name: str, meaning: str, default: float, usual: float) -> Column:
    slip = "looks like minutes; write hours, such as 0.25"
    return Column(name, meaning, default, most=24.0, usual=(0.0, usual), slip=slip)


def _by_rule(column: Column, without: str) -> Column:
    return column._replace(default=None, without=without)


_MANAGED = truth_column("managed", "yes: others choose when it runs, within what is promised", 1.0)

_WATER_HEATER = (
    Column(
        "volume_l",
        "water in the tank, nine tenths of the rated volume",
        least=20.0,
        most=2000.0,
        usual=(75.0, 500.0),
        slip="looks like mL; write L, such as 180",
        low="looks like gallons; write L, such as 180",
    ),
    _conductance(
        "ua_kw_per_k",
        "heat lost per kelvin to what is around it",
        (3e-4, 0.01),
        "0.00115; with a heat pump 0.0019 to 0.0025 by volume",
    )._replace(slip="looks like W/K; write kW/K, such as 0.00115"),
    power_column("element_kw", "resistance element, 0 without", 20.0, default=4.5),
    truth_column("heat_pump", "yes: it has a heat pump beside or instead of the element", 0.0),
    _by_rule(
        power_column("heat_pump_kw", "electricity of the compressor", 5.0, zero=False),
        "0.5 with a heat pump",
    ),
    _cop("heating_cop", "heat over electricity of the heat pump at its rating point", 4.2),
    _celsius("setpoint_c", "of its own thermostat", (30.0, 90.0), (45.0, 65.0), 52, 51.7),
    _celsius("least_c", "promised: the water is never colder", (20.0, 80.0), (38.0, 55.0), 43, 43),
    _celsius(
        "most_c",
        "never hotter: above the set-point only behind a mixing valve",
        (30.0, 95.0),
        (45.0, 70.0),
        60,
        without="setpoint_c",
    ),
    _by_rule(
        _kelvin("deadband_k", "it starts so far below its set-point", None, 12.0, 30.0),
        "5.56, 8.17 with a heat pump; less where that is below least_c",
    )._replace(zero=False),
    Column(
        "draw_l_per_day",
        "hot water at the taps, mixed to 40.6 C",
        DAY_L,
        usual=(20.0, 1000.0),
        slip="looks like the litres of a week or a month; write those of a day, such as 260",
        low="looks like gallons or m3; write L a day, such as 260",
    ),
    truth_column("layered", "yes: its water is simulated in two layers, else in one", 0.0),
    truth_column("messages_only", "yes: it hears CTA-2045 messages and takes no power", 0.0),
    _MANAGED,
    archetype_column(HOT_WATER_ARCHETYPES, "hot water"),
)

_HOUSE = (
    Column(
        "floor_m2",
        "heated and cooled floor",
        162.58,
        least=10.0,
        most=2000.0,
        usual=(50.0, 500.0),
        slip="looks like ft2; write m2, such as 160",
        low="is less than a room; write m2, such as 160",
    ),
    Column(
        "insulation",
        "of the house",
        float(INSULATION.index("normal")),
        form="choice",
        choices=INSULATION,
    ),
    _conductance("ua_kw_per_k", "air to outdoors", (0.02, 2.0), _BY_HOUSE),
    _conductance("mass_kw_per_k", "air to walls, floors and furniture", (0.5, 20.0), _BY_HOUSE),
    _conductance("mass_ua_kw_per_k", "walls, roof and floor to outdoors", (0.01, 3.0), _BY_HOUSE),
    _capacity("air_kwh_per_k", "heat kept by the air and what follows it at once", (0.05, 3.0)),
    _capacity("mass_kwh_per_k", "heat kept by walls, floors and furniture", (0.2, 15.0)),
    Column(
        "aperture_m2",
        "sun through windows per sun on the horizontal",
        without=_BY_HOUSE,
        usual=(0.0, 20.0),
        slip="looks like the area of the windows; write a sixth of it, such as 3",
    ),
    _by_rule(power_column("gain_kw", "mean heat of people and appliances", 3.0), "by floor"),
)
_MACHINE = (
    _by_rule(
        power_column("cooling_kw", "heat that it removes at its rating, 0: none", 100.0),
        "by the rule of sizing at 37 C",
    ),
    Column("heating", "what heats the home", 0.0, form="choice", choices=HEATING),
    _by_rule(
        power_column("heating_kw", "heat of the heat pump at its rating", 100.0),
        "cooling_kw with a heat pump, else 0",
    ),
    _by_rule(
        power_column("auxiliary_kw", "resistance heat, alone or beside a heat pump", 60.0),
        "1.2 times what 20 K take; with gas and none 0",
    ),
    _by_rule(
        power_column("rated_kw", "most electricity that it draws", 100.0, zero=False),
        "at 37 and 0 C outdoors, by the sizes",
    ),
    _cop("cooling_cop", "heat over electricity at its rating, fan included", 3.5),
    _cop("heating_cop", "the same of the heat pump", 3.0),
    share_column("latent_share", "heat of drying over that of cooling", 0.3, 0.0)._replace(
        zero=True
    ),
    _hours("min_down_h", "a compressor stays off at least so long", 5.0 / 60.0, 0.5),
    _hours("min_up_h", "and on", 3.0 / 60.0, 0.5),
    _kelvin("deadband_k", "of the thermostat, both sides together", 1.0, 3.0, 10.0)._replace(
        zero=False
    ),
)
_COMFORT = (
    _celsius("cool_setpoint_c", "of the thermostat", (15.0, 40.0), (20.0, 30.0), 24, 24.4),
    _celsius("heat_setpoint_c", "of the thermostat", (5.0, 30.0), (14.0, 24.0), 20, 20.3),
    _kelvin("setback_k", "promised: no more above the one and below the other", 2.0, 6.0, 15.0),
    _kelvin("prepare_k", "it may cool or heat so far beyond its set-point before", 1.5, 4.0, 10.0),
    _kelvin("away_k", "how much more while nobody is at home", 2.5, 8.0, 20.0),
    _kelvin("margin_k", "kept inside the band for what comes next", 0.2, 1.0, 3.0),
)
_HVAC = (*_HOUSE, *_MACHINE, *_COMFORT, _MANAGED, archetype_column(OCCUPANCY_ARCHETYPES, "day"))


def _with_cycle(kind: ApplianceType) -> tuple[Column, ...]:
    """A machine that runs through a cycle: its type's profile, stretched in time and in power."""
    blocks_h = kind.block_h * len(kind.block_kw)
    least_kwh, most_kwh = kind.energy_kwh
    return (
        Column(
            "cycle_kwh",
            "energy of a job",
            sum(kind.block_kw) * kind.block_h,
            most=20.0,
            zero=False,
            usual=(0.5 * least_kwh, 2.0 * most_kwh),
            slip="looks like Wh; write kWh, such as 1.2",
        ),
        Column(
            "cycle_h",
            "length of a job",
            blocks_h,
            least=0.1,
            most=10.0,
            usual=(0.5 * kind.length_h[0], 2.0 * kind.length_h[1]),
            slip="looks like minutes; write hours, such as 1.5",
            low="is no job; write hours, such as 1.5",
        ),
        _MANAGED,
        archetype_column(APPLIANCE_ARCHETYPES, "household"),
    )


_POOL_PUMP = (
    power_column("pump_kw", "of the pump while it runs", 5.0, zero=False),
    Column(
        "hours_per_day",
        "it runs; the day's hours are done by midnight",
        least=0.1,
        most=14.0,
        usual=(1.0, 12.0),
        slip="cannot be done between the timer's morning hour and midnight; write at most 14",
        low="is no job; write hours, such as 6",
    ),
    _MANAGED,
    archetype_column(APPLIANCE_ARCHETYPES, "timer"),
)

_GENERATOR = (
    power_column("rated_kw", "output at full load", 200.0, zero=False),
    _by_rule(
        power_column("least_kw", "least load at which it runs", 200.0, zero=False),
        "0.3 of rated_kw",
    ),
    Column("fuel", "gas from a pipe, or diesel from a tank", 0.0, form="choice", choices=FUELS),
    Column("idle_l_per_h", "fuel at no load, gas in litres, too", without="by fuel and rated_kw"),
    Column("fuel_l_per_kwh", "rise of fuel with load", without="by fuel", zero=False),
    Column(
        "tank_l",
        "of diesel",
        without="24 h at half load",
        zero=False,
        usual=(5.0, 5000.0),
        slip="is more than stands beside a home; check it",
    ),
    Column("fuel_price_per_l", "in the market's currency", without="diesel 1.4, gas 0.00055"),
    Column(
        "upkeep_per_kwh",
        "of the engine, in the market's currency",
        0.025,
        usual=(0.0, 0.5),
        slip="looks like cents, or like a price of a MWh; write currency a kWh, such as 0.025",
    ),
    Column(
        "start_cost",
        "fuel and wear of a start, in the market's currency",
        5.0,
        usual=(0.0, 100.0),
        slip="looks like cents; write currency, such as 5",
    ),
    truth_column("permitted_for_dr", "yes: its permit allows it to run for others", 0.0),
    Column(
        "cap_h_per_year",
        "hours that it may run while the grid is there",
        100.0,
        most=8760.0,
        usual=(0.0, 1000.0),
        slip="is most of a year; write what the permit says, such as 100",
    ),
    _hours("min_up_h", "once started it runs at least so long", 0.5, 8.0),
    _hours("min_down_h", "once stopped it rests at least so long", 0.25, 8.0),
)

FLEXIBLE_COLUMNS: dict[str, tuple[Column, ...]] = {
    "water_heater": _WATER_HEATER,
    "hvac": _HVAC,
    **{
        name: _POOL_PUMP if name == "pool_pump" else _with_cycle(kind)
        for name, kind in APPLIANCES.items()
    },
    "generator": _GENERATOR,
}
