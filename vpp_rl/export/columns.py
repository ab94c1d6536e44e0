"""What a controller reads and answers: columns with their units and valid ranges, in order."""

from typing import NamedTuple

# No home and no price comes near these: they bound what would otherwise be any number.
_MOST = 1e5
_MOST_PRICE = 1e7  # in any currency


class Column(NamedTuple):
    """One column of a matrix, or one entry of a vector."""

    name: str
    unit: str  # "currency" stands for the market's
    low: float
    high: float
    meaning: str


class Columns(NamedTuple):
    """What a controller reads of each home, and what it answers."""

    telemetry: tuple[Column, ...]
    set_points: tuple[Column, ...]


# The first three change every interval. A home with a number outside its range, or with a reserve
# above its capacity, is left alone.
TELEMETRY_COLUMNS = (
    Column("energy_kwh", "kWh", -_MOST, _MOST, "stored energy now"),
    Column("load_kw", "kW", -_MOST, _MOST, "base load of the home now"),
    Column("solar_available_kw", "kW", -_MOST, _MOST, "solar output now if not curtailed"),
    Column("solar_kw", "kW", 0.0, _MOST, "AC rating of the solar system; 0 without one"),
    Column(
        "capacity_kwh", "kWh", 0.0, _MOST, "usable energy from empty to full; 1 without a battery"
    ),
    Column("charge_kw", "kW", 0.0, _MOST, "AC limit when charging; 0 without a battery"),
    Column("discharge_kw", "kW", 0.0, _MOST, "AC limit when discharging; 0 without a battery"),
    Column(
        "one_way_eff",
        "1",
        0.1,
        1.0,
        "square root of the round-trip efficiency; 1 without a battery",
    ),
    Column("standing_loss_kw", "kW", 0.0, _MOST, "constant draw of battery and inverter"),
    Column("wear_per_kwh", "currency/kWh", 0.0, _MOST, "cost of wear per kWh discharged"),
    Column("reserve_kwh", "kWh", 0.0, _MOST, "energy kept for the owner"),
    Column("import_limit_kw", "kW", 0.0, _MOST, "most that the site may draw"),
    Column("export_limit_kw", "kW", 0.0, _MOST, "most that the site may inject, positive"),
)
SIGNAL_ENTRIES = (
    Column(
        "price_per_mwh",
        "currency/MWh",
        -_MOST_PRICE,
        _MOST_PRICE,
        "price of the interval that starts now",
    ),
    Column(
        "previous_per_mwh",
        "currency/MWh",
        -_MOST_PRICE,
        _MOST_PRICE,
        "price of the interval before",
    ),
    Column(
        "day_mean_per_mwh",
        "currency/MWh",
        -_MOST_PRICE,
        _MOST_PRICE,
        "mean price of the last 24 hours",
    ),
    Column(
        "day_std_per_mwh",
        "currency/MWh",
        0.0,
        _MOST_PRICE,
        "deviation of the last 24 hours' prices",
    ),
    Column("hour", "h", 0.0, 24.0, "hour of the market's day, with fraction"),
    Column("day_of_year", "1", 1.0, 366.0, "day of the year on the market's clock"),
    Column("weekend", "1", 0.0, 1.0, "1 on Saturday and Sunday, else 0"),
)
NODES = Column(
    "nodes_per_mwh",
    "currency/MWh",
    -_MOST_PRICE,
    _MOST_PRICE,
    "latest forecast: mean price within each bin of probability, by half hour ahead",
)
SET_POINT_COLUMNS = (
    Column("battery_kw", "kW", -_MOST, _MOST, "set-point of the battery, charging positive"),
    Column(
        "solar_limit_kw",
        "kW",
        0.0,
        _MOST,
        "most that the solar system may produce; NaN where even its rating is not known",
    ),
    Column("low_kw", "kW", -_MOST, _MOST, "lower edge of the battery's envelope"),
    Column("high_kw", "kW", -_MOST, _MOST, "upper edge of the battery's envelope"),
    Column(
        "valid",
        "1",
        0.0,
        1.0,
        "1, or 0: do not command it, for a number of its telemetry is missing or out of range, or "
        "reserve_kwh is above capacity_kwh",
    ),
)

# They follow the others, where the policy was trained on homes with cars; the first two change
# every interval. A home whose target is above its car's capacity, or below its minimum, is left
# alone as well.
EV_TELEMETRY_COLUMNS = (
    Column("ev_energy_kwh", "kWh", -_MOST, _MOST, "stored energy of the car now"),
    Column(
        "ev_hours_left",
        "h",
        0.0,
        _MOST,
        "from the start of the interval to the declared departure; 0 while the car is away",
    ),
    Column(
        "ev_capacity_kwh", "kWh", 0.0, _MOST, "usable energy from empty to full; 1 without a car"
    ),
    Column(
        "ev_charge_kw",
        "kW",
        0.0,
        _MOST,
        "AC limit when charging: the lesser of car and charger; 0 without a car",
    ),
    Column("ev_discharge_kw", "kW", 0.0, _MOST, "AC limit of vehicle-to-grid; 0 without"),
    Column(
        "ev_least_charge_kw",
        "kW",
        0.0,
        _MOST,
        "charging runs at this power or not at all (6 A); 0 without a car",
    ),
    Column("ev_charge_eff", "1", 0.1, 1.0, "stored over drawn energy; 1 without a car"),
    Column("ev_discharge_eff", "1", 0.1, 1.0, "injected over taken energy; 1 without a car"),
    Column(
        "ev_taper_fill",
        "1",
        0.0,
        1.0,
        "fill from which charging slows down, in proportion to what is left; 1 without a car",
    ),
    Column(
        "ev_wear_per_kwh",
        "currency/kWh",
        0.0,
        _MOST,
        "cost of wear per kWh discharged into the grid",
    ),
    Column("ev_target_kwh", "kWh", 0.0, _MOST, "promised to the driver for the departure"),
    Column("ev_minimum_kwh", "kWh", 0.0, _MOST, "never discharged below, and charged to at once"),
    Column(
        "ev_managed",
        "1",
        0.0,
        1.0,
        "1: the controller chooses when it charges; 0: it charges at once, and there is no car",
    ),
)
EV_SET_POINT_COLUMNS = (
    Column(
        "ev_kw",
        "kW",
        -_MOST,
        _MOST,
        "set-point of the car, charging positive: 0, or no less than it can charge at; "
        "NaN where valid is 0: a car that nobody commands charges at once",
    ),
    Column("ev_low_kw", "kW", -_MOST, _MOST, "lower edge of the car's envelope; NaN like ev_kw"),
    Column("ev_high_kw", "kW", -_MOST, _MOST, "upper edge of the car's envelope; NaN like ev_kw"),
)
_VALID = SET_POINT_COLUMNS[-1]
WITHOUT_CARS = Columns(TELEMETRY_COLUMNS, SET_POINT_COLUMNS)
WITH_CARS = Columns(
    TELEMETRY_COLUMNS + EV_TELEMETRY_COLUMNS,
    (
        *SET_POINT_COLUMNS[:-1],
        _VALID._replace(
            meaning=_VALID.meaning + ", or ev_target_kwh is above ev_capacity_kwh or below "
            "ev_minimum_kwh"
        ),
        *EV_SET_POINT_COLUMNS,
    ),
)


def columns_of(cars: bool) -> Columns:
    """Columns of a controller.

    Args:
        cars: Whether it was trained on homes with cars.
    """
    return WITH_CARS if cars else WITHOUT_CARS
