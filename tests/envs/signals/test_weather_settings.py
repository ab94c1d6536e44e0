import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.weather_settings import WeatherSpec


def test_no_file_is_the_default():
    assert WeatherSpec() == WeatherSpec(file=None, fill=None, calendar=None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"file": "a.epw", "fill": "guess"}, "fill must be null or interpolate or previous_day"),
        ({"file": "a.epw", "calendar": "any"}, "calendar must be null or typical_year"),
        ({"fill": "interpolate"}, "fill=interpolate is about a weather file"),
        ({"calendar": "typical_year"}, "calendar=typical_year is about a weather file"),
    ],
)
def test_rules_that_mean_nothing_are_refused(values, words):
    with pytest.raises(InputError, match=rf"^scenario\.weather\.{words}"):
        WeatherSpec(**values)
