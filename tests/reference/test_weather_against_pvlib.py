"""A year of solar energy from a weather file against pvlib's own PVWatts chain on the same file."""

import gzip
import io

import numpy as np
import pandas as pd
import pytest

from vpp_envs.signals.synthetic.weather import SolarArchetypes, solar_archetypes
from vpp_envs.signals.weather import Sky, rooftop_pu
from vpp_envs.signals.weather_settings import WeatherSpec

pvlib = pytest.importorskip("pvlib", reason="pvlib is in the extra `weather`")
pytestmark = pytest.mark.reference

FILES = {
    "Sacramento": "USA_CA_Sacramento.Metro.AP.724839_TMY3.epw",
    "Austin": "USA_TX_Austin-Camp.Mabry.722544_TMY3.epw.gz",
    "Austin in 2018": "TX_CampMabry_AMY2018.epw.gz",
}
SYSTEMS = 24
LIGHT = ["ghi", "dni", "dhi"]


def hours_of(path):
    """The file as pvlib reads it, by the middles of its hours in UTC of 2018."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("latin-1")
    data, place = pvlib.iotools.read_epw(io.StringIO(text), coerce_year=2018)
    data.index = data.index.tz_convert("UTC") + pd.Timedelta(minutes=30)
    return data[[*LIGHT, "temp_air"]].astype(float), place


def five_minutes_of(hours, place):
    """Hours by Haurwitz' clear sky, with the means of the file: pandas and pvlib alone."""
    starts = hours.index - pd.Timedelta(minutes=30)
    stamps = pd.date_range(starts[0], periods=12 * len(hours), freq="5min")
    stamps = stamps + pd.Timedelta(seconds=150)
    sun = pvlib.solarposition.get_solarposition(stamps, place["latitude"], place["longitude"])
    clear = pvlib.clearsky.haurwitz(sun["apparent_zenith"])["ghi"]
    up = np.cos(np.radians(sun["apparent_zenith"])).clip(lower=1e-9)
    number = np.arange(len(stamps)) // 12
    fine = pd.DataFrame(index=stamps)
    for column, shape in zip(LIGHT, (clear, clear / up, clear), strict=True):
        of_hour = shape.groupby(number).transform("mean")
        share = (shape / of_hour).where(of_hour > 1e-9, 1.0)
        fine[column] = hours[column].to_numpy().repeat(12) * share
    middles = (stamps - hours.index[0]).total_seconds() / 3600.0
    fine["temp_air"] = np.interp(middles, np.arange(len(hours)), hours["temp_air"])
    return fine


def pvwatts_kwh(weather, place, systems: SolarArchetypes) -> np.ndarray:
    """Energy of a year per kW of AC rating, by system: position, isotropic sky, SAPM, PVWatts."""
    sun = pvlib.solarposition.get_solarposition(
        weather.index, place["latitude"], place["longitude"]
    )
    mounting = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]["close_mount_glass_glass"]
    kept = 1.0 - pvlib.pvsystem.pvwatts_losses() / 100.0
    energy = []
    for tilt, azimuth, ratio in zip(*(part.tolist() for part in systems), strict=True):
        plane = pvlib.irradiance.get_total_irradiance(
            tilt,
            azimuth,
            sun["apparent_zenith"],
            sun["azimuth"],
            weather["dni"],
            weather["ghi"],
            weather["dhi"],
            albedo=0.2,
            model="isotropic",
        )["poa_global"]
        cell_c = pvlib.temperature.sapm_cell(plane, weather["temp_air"], 1.0, **mounting)
        dc = pvlib.pvsystem.pvwatts_dc(plane, cell_c, ratio, -0.0035) * kept
        power = pvlib.inverter.pvwatts(dc, 1.0 / 0.96).clip(lower=0.0)
        energy.append(power.sum() * 8760.0 / len(weather))
    return np.array(energy)


@pytest.fixture(scope="module", params=FILES)
def year(request, shared_data):
    """A file's energy by system here, with its hours and place as pvlib reads them."""
    path = shared_data / "weather" / "original" / FILES[request.param]
    hours, place = hours_of(path)
    start = (hours.index[0] - pd.Timedelta(minutes=30)).tz_localize(None).to_datetime64()
    weather = WeatherSpec(str(path), None, "typical_year")
    ours = rooftop_pu(Sky(weather, None, 0, start, 12 * 8760), SYSTEMS).double().sum(0) / 12.0
    return request.param, ours.numpy(), hours, place, solar_archetypes(place["latitude"], SYSTEMS)


def test_a_years_energy_is_within_a_thousandth_of_pvlibs_chain(year):
    _, ours, hours, place, systems = year
    theirs = pvwatts_kwh(five_minutes_of(hours, place), place, systems)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    # Measured: 2e-6, 8e-6 and 9e-5, by where the twilight of hours without sun lies.
    np.testing.assert_allclose(ours, theirs, rtol=2e-4)


def test_a_chain_by_the_hour_differs_by_what_an_hour_hides(year):
    """With the sun of mid-hour for all of it: measured 0.00 to 0.05, 0.06 to 0.12, 0.09 to 0.20 %.

    It is most in the file of 2018, whose beam and diffuse miss its global sunlight by 6 W/m2 on
    average (measured); those of the typical years by less than 1 W/m2.
    """
    name, ours, hours, place, systems = year
    off = ours / pvwatts_kwh(hours, place, systems) - 1.0
    bound = {"Sacramento": 1e-3, "Austin": 1.5e-3, "Austin in 2018": 2.5e-3}[name]
    assert np.abs(off).max() < bound, f"{name}: {100 * off.min():.3f} to {100 * off.max():.3f} %"
