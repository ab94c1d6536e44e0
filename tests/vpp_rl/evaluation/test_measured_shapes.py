"""What the folder of public data holds, in the form of the comparison."""

import numpy as np
import pytest

from vpp_envs.errors import InputError
from vpp_rl.evaluation.load_shapes import daily_kwh, mean_day, peak_hour
from vpp_rl.evaluation.measured_shapes import (
    ausgrid_home,
    citylearn_homes,
    sessions,
    sgsc_homes,
    taps,
    texan_houses,
    texan_weather,
)


def test_metered_homes_are_read_from_midnight_on(shared_data):
    for homes, shape, kwh in (
        (sgsc_homes(shared_data), (181 * 48, 6), 11.5),
        (ausgrid_home(shared_data), (184 * 48, 1), 15.3),
        (citylearn_homes(shared_data), (365 * 24, 10), 25.8),
    ):
        assert homes.power_kw.shape == shape
        assert daily_kwh(homes.days_kw).mean() == pytest.approx(kwh, abs=0.1)
        assert 3.0 <= float(mean_day(homes.days_kw).argmin()) * 24.0 / homes.slots < 6.0


def test_cars_in_garages_come_in_the_evening_and_at_work_in_the_morning(shared_data):
    garages = sessions(
        shared_data / "ev" / "norway_residential_sessions.csv.gz", "Europe/Oslo", "garages"
    )
    work = sessions(shared_data / "ev" / "acn_sessions.csv.gz", "America/Los_Angeles", "work")
    assert np.median(garages.arrival_h) > 15.0
    assert np.median(work.arrival_h) < 11.0
    for one in (garages, work):
        assert (one.stay_h > 0).all()
        assert (one.energy_kwh > 0).all()
        assert 1.0 < one.per_week < 10.0


def test_a_year_of_taps_and_of_weather(shared_data):
    assert taps(shared_data).litres.shape == (365, 24, 3)
    weather = texan_weather(shared_data)
    # At most 42.8 C at the end of an hour (MANIFEST.csv, Camp Mabry 2018).
    assert weather.air_c.max() == pytest.approx(42.8, abs=0.5)
    noon = weather.sun_kw_per_m2.reshape(365, 24).mean(0)
    assert noon.argmax() == 12
    houses = texan_houses(shared_data, 151, 91)
    assert houses.cooling_kw.shape == (91, 24, 3)
    assert houses.cooling_kw.mean() == pytest.approx(3.57, abs=0.01)
    assert 14.0 <= peak_hour(houses.air_c.mean(0)) <= 16.0


def test_an_empty_folder_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"citylearn2022_homes_hourly.parquet is not there; name"):
        citylearn_homes(tmp_path)
    with pytest.raises(InputError, match=r"sgsc_homes_30min.parquet"):
        sgsc_homes(tmp_path)
    with pytest.raises(InputError, match=r"TX_CampMabry_AMY2018.epw.gz is not there"):
        texan_weather(tmp_path)
