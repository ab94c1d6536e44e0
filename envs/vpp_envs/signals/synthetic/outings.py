"""Outings of drivers day by day: when they go and come, how far, and whether they plug in.

A day has one main outing (to work and back, or elsewhere) and up to two errands after it, each of
which makes a short stay at home of the time before it. Where a number comes from stands beside it
in `Driving`; the errands' were chosen so that weekday stays look like those of EVI-Pro. Draws are
keyed by the day since 1970, the archetype and the outing's place in its day.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.random import Purpose, normal, uniform
from vpp_envs.signals.synthetic.strata import strata

_OUTINGS = 3  # of a day at most: the main one and two errands


class Driving(NamedTuple):
    """How residential drivers drive.

    "EVI-Pro" is `BEV_level_2.csv` of OCHRE 0.9.2: 15,257 stays at home chargers on weekdays in San
    Francisco and Oakland, none shorter than 1 h or longer than 25 h; 18 % last less than 6 h. Hours
    are local; three of them are a mean and its deviations between drivers and between days.
    """

    # Workdays: 70 %, 7.5 +- 1.2 h and 18.0 +- 2.5 h are an assumption about commuters.
    commuter_share: float = 0.7  # drivers who work elsewhere on weekdays [0 to 1]
    work_leaves_h: tuple[float, float, float] = (7.5, 1.0, 0.6)  # off to work [h]
    work_back_h: tuple[float, float, float] = (18.0, 2.2, 1.2)  # back from work [h]
    # All other days, of the others and on weekends: back at any hour of the day, an assumption
    # (with errands it is from 9 h to 22 h); an hour later off than to work, another.
    free_leaves_h: tuple[float, float, float] = (8.5, 1.0, 2.0)  # off for the first time [h]
    free_back_h: tuple[float, float] = (8.0, 20.0)  # back for the first time, uniformly [h]
    rest_share: float = 0.1  # days on which the car stays where it is (assumption) [0 to 1]
    # Errands: chosen so that as many stays are short as in EVI-Pro, where half of those below 6 h
    # last less than 2.7 h, and the next begins 2.3 h after their end; lognormal.
    work_errand_share: float = 0.15  # returns from work that are followed by one [0 to 1]
    free_errand_share: float = 0.5  # all other returns that are followed by one [0 to 1]
    errand_at_home_h: tuple[float, float] = (2.7, 0.6)  # stay before it, median and log's sigma [h]
    errand_away_h: tuple[float, float] = (2.0, 0.6)  # its length, median and log's sigma [h]
    errand_km_share: float = 0.2  # part of the day's distance (assumption) [0 to 1]
    last_back_h: float = 23.5  # who would be back later does not go (assumption) [h]
    # Distances: an assumption; 36 miles on average, as American cars drive about 30 to 37.
    median_km: float = 27.0 * 1.609  # a day's distance, lognormal [km]
    km_log_sigma: float = 0.75  # of its logarithm
    most_km: float = 200.0 * 1.609  # at most [km]
    plugs_in_share: tuple[float, float] = (0.7, 0.9)  # returns of a driver (assumption) [0 to 1]
    # Charging elsewhere: shares published with GMLC's grid services
    # (`electric_vehicles_fleet/config.ini`); that half of the way is then left is an assumption.
    at_work_share: float = 0.17  # drivers who charge at work whenever they go there [0 to 1]
    elsewhere_share: float = 0.02  # outings of all on which they charge somewhere [0 to 1]
    left_after_charging: float = 0.5  # part of the distance for the charger at home [0 to 1]
    # Mornings on which a driver leaves before the word given are an assumption.
    early_share: float = 0.02  # mornings on which it does [0 to 1]
    early_h: tuple[float, float] = (0.5, 3.0)  # before it, least and most [h]


RESIDENTIAL = Driving()


class Outings(NamedTuple):
    """Outings by day, archetype and place in the day, (D, K, J), float64 or bool."""

    goes: np.ndarray  # whether there is one, bool
    leaves_h: np.ndarray  # local hour [h]
    back_h: np.ndarray  # local hour, after it leaves and before the next [h]
    km: np.ndarray  # driven, less what was charged on the way [km]
    plugs: np.ndarray  # whether it is plugged in afterwards, bool
    early_h: np.ndarray  # before the word given [h]


def outings(days: Tensor, seed: int, archetypes: int, driving: Driving = RESIDENTIAL) -> Outings:
    """Draw the outings of archetypes of drivers.

    Args:
        days: Since 1970, local, (D,) int64.
        seed: Of the draws.
        archetypes: Number of habits, K.
        driving: How they drive.
    """
    draws = _Draws(seed, days, archetypes)
    habits = _habits(archetypes, driving)
    weekday = ((days.numpy() + 3) % 7 < 5)[:, None]  # 1970 began on a Thursday
    commutes = weekday & habits.commutes
    goes = draws.share(Purpose.DRIVE_REST_DAY, 1)[..., 0] >= driving.rest_share
    goes, leaves_h, back_h = _with_errands(
        draws, goes, commutes, *_main(draws, habits, commutes, driving), driving
    )
    least_h, most_h = driving.early_h
    by_h = least_h + (most_h - least_h) * draws.share(Purpose.DRIVE_EARLY_BY, 1)
    early = draws.share(Purpose.DRIVE_EARLY, 1) < driving.early_share
    errands_h = np.zeros((*early.shape[:-1], _OUTINGS - 1))  # who goes soon, goes as said
    return Outings(
        goes,
        leaves_h,
        back_h,
        _distances(draws, goes, commutes, habits, driving),
        draws.share(Purpose.DRIVE_PLUG_IN) < habits.plugs_in[:, None],
        np.concatenate([np.where(early, by_h, 0.0), errands_h], -1),
    )


class _Draws(NamedTuple):
    """Draws by day, archetype and place in the day, (D, K, J)."""

    seed: int
    days: Tensor
    archetypes: int

    def share(self, purpose: int, places: int = _OUTINGS) -> np.ndarray:
        """Uniform in [0, 1) for the first places of a day."""
        drawn: np.ndarray = uniform(*self._words(places), purpose).numpy()
        return drawn

    def bell(self, purpose: int, places: int = _OUTINGS) -> np.ndarray:
        """Standard normal for the first places of a day."""
        drawn: np.ndarray = normal(*self._words(places), purpose).numpy()
        return drawn

    def _words(self, places: int) -> tuple[int, int, Tensor, Tensor]:
        name = torch.arange(self.archetypes).unsqueeze(-1) * _OUTINGS + torch.arange(places)
        return self.seed, 0, name.unsqueeze(0), self.days.view(-1, 1, 1)


class _Habits(NamedTuple):
    """What distinguishes archetypes, (K,); no draws, so no seed changes it."""

    commutes: np.ndarray  # bool
    at_work: np.ndarray  # charges there, bool
    leave: np.ndarray  # normal score of the hours at which they leave
    back: np.ndarray  # normal score of the hours at which they are back
    plugs_in: np.ndarray  # share of returns [0 to 1]


def _habits(archetypes: int, driving: Driving) -> _Habits:
    """Habits of archetypes, spread evenly over each trait."""

    def spread(step: float) -> Tensor:
        return strata(archetypes, step)

    def scores(step: float) -> np.ndarray:
        drawn: np.ndarray = torch.special.ndtri(spread(step).clamp(0.01, 0.99)).numpy()
        return drawn

    # Of the steps tried, the one by which commuters differ in their hours as everybody does.
    works = spread(math.sqrt(11.0) - 3.0).numpy()
    least, most = driving.plugs_in_share
    return _Habits(
        works < driving.commuter_share,
        # Stratum by stratum of those who commute: the other traits are spread over them evenly.
        works < driving.at_work_share,
        scores(math.sqrt(3.0) - 1.0),
        scores(math.sqrt(5.0) - 2.0),
        least + (most - least) * spread(math.sqrt(2.0) - 1.0).numpy(),
    )


def _main(
    draws: _Draws, habits: _Habits, commutes: np.ndarray, driving: Driving
) -> tuple[np.ndarray, np.ndarray]:
    """Local hours at which the main outing of each day leaves and is back, (D, K). [h]"""
    leave = draws.bell(Purpose.DRIVE_DEPARTURE, 1)[..., 0]
    leaves_h = np.where(
        commutes,
        _around(driving.work_leaves_h, habits.leave, leave),
        _around(driving.free_leaves_h, habits.leave, leave),
    ).clip(4.0, 14.0)
    first_h, last_h = driving.free_back_h
    back_h = np.where(
        commutes,
        _around(driving.work_back_h, habits.back, draws.bell(Purpose.DRIVE_ARRIVAL, 1)[..., 0]),
        first_h + (last_h - first_h) * draws.share(Purpose.DRIVE_FREE_ARRIVAL, 1)[..., 0],
    )
    return leaves_h, np.maximum(back_h, leaves_h + 0.5).clip(max=driving.last_back_h)


def _around(
    law: tuple[float, float, float], of_driver: np.ndarray, of_day: np.ndarray
) -> np.ndarray:
    """Hours of a mean, and deviations between drivers and days, by their normal scores. [h]"""
    mean_h, between_h, daily_h = law
    drawn: np.ndarray = mean_h + between_h * of_driver + daily_h * of_day
    return drawn


def _with_errands(
    draws: _Draws,
    goes: np.ndarray,
    commutes: np.ndarray,
    leaves_h: np.ndarray,
    back_h: np.ndarray,
    driving: Driving,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether there is an outing, when it leaves and is back, by place in the day, (D, K, J)."""
    wanted = np.where(commutes, driving.work_errand_share, driving.free_errand_share)
    wants = draws.share(Purpose.DRIVE_ERRAND) < wanted[..., None]
    at_home_h = _lognormal(draws.bell(Purpose.DRIVE_ERRAND_AFTER), driving.errand_at_home_h)
    away_h = _lognormal(draws.bell(Purpose.DRIVE_ERRAND_LENGTH), driving.errand_away_h)
    exists, leaves, back = [goes], [leaves_h], [back_h]
    for place in range(1, _OUTINGS):
        leaves.append(back[-1] + at_home_h[..., place])
        back.append(leaves[-1] + away_h[..., place])
        exists.append(exists[-1] & wants[..., place] & (back[-1] <= driving.last_back_h))
    return np.stack(exists, -1), np.stack(leaves, -1), np.stack(back, -1)


def _lognormal(bell: np.ndarray, law: tuple[float, float]) -> np.ndarray:
    """Hours of a median and a sigma of their logarithm, a quarter at least. [h]"""
    median_h, sigma = law
    drawn: np.ndarray = (median_h * np.exp(sigma * bell)).clip(min=0.25)
    return drawn


def _distances(
    draws: _Draws, exists: np.ndarray, commutes: np.ndarray, habits: _Habits, driving: Driving
) -> np.ndarray:
    """Distance of each outing that the charger at home must make up for, (D, K, J). [km]"""
    day_km = driving.median_km * np.exp(
        driving.km_log_sigma * draws.bell(Purpose.DRIVE_DISTANCE, 1)
    )
    part = np.full(exists.shape, driving.errand_km_share)
    part[..., 0] = 1.0 - driving.errand_km_share * exists[..., 1:].sum(-1)
    charged = draws.share(Purpose.DRIVE_ELSEWHERE) < driving.elsewhere_share
    charged[..., 0] |= commutes & habits.at_work
    left = np.where(charged, driving.left_after_charging, 1.0)
    km: np.ndarray = day_km.clip(max=driving.most_km) * part * left
    return km
