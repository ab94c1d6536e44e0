"""What a scenario says of its weather: a file, and what to do where the file has none."""

from dataclasses import dataclass

from vpp_envs.errors import InputError

FILL_RULES = ("interpolate", "previous_day")
CALENDARS = ("typical_year",)


@dataclass(frozen=True)
class WeatherSpec:
    """Where sun and air come from."""

    file: str | None = None  # EPW, TMY3 or NSRDB; none: the region's climate, simulated
    fill: str | None = None  # rule for missing hours and values; none: they are refused
    # typical_year: month, day and hour of the file serve any year; none: the file's own years do.
    calendar: str | None = None

    def __post_init__(self) -> None:
        """Refuse rules that do not exist, and rules without a file."""
        for key, known in (("fill", FILL_RULES), ("calendar", CALENDARS)):
            value = getattr(self, key)
            if value is None:
                continue
            if value not in known:
                raise InputError(
                    f"scenario.weather.{key} must be null or {' or '.join(known)}, got {value!r}."
                )
            if self.file is None:
                raise InputError(
                    f"scenario.weather.{key}={value} is about a weather file, and "
                    f"scenario.weather.file names none; name one, or leave {key} out."
                )
