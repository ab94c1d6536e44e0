"""Sun position, clear sky, decomposition and transposition against pvlib's."""

import numpy as np
import pandas as pd
import pytest
import torch

from vpp_envs.signals.sunlight import (
    Sun,
    clear_sky_w_per_m2,
    on_tilted_plane,
    split_sunlight,
    sun_position,
)

pvlib = pytest.importorskip("pvlib", reason="pvlib is in the extra `weather`")
pytestmark = pytest.mark.reference

SITES = [(-34.93, 138.60), (30.27, -97.74), (-27.47, 153.03)]
STAMPS = pd.date_range("2023-01-01", "2023-12-31 23:00", freq="h", tz="UTC")


def our_sun(latitude: float, longitude: float) -> Sun:
    day = torch.tensor(STAMPS.day_of_year.to_numpy(), dtype=torch.float64)
    hour = torch.tensor(STAMPS.hour.to_numpy(), dtype=torch.float64)
    return sun_position(day, hour, latitude, longitude)


@pytest.mark.parametrize(("latitude", "longitude"), SITES)
def test_sun_stands_within_1_4_degrees_of_the_nrel_algorithm(latitude: float, longitude: float):
    ours = our_sun(latitude, longitude)
    theirs = pvlib.solarposition.get_solarposition(STAMPS, latitude, longitude)
    elevation, azimuth = np.radians(theirs[["elevation", "azimuth"]].to_numpy()).T
    same = (
        ours.east.numpy() * np.cos(elevation) * np.sin(azimuth)
        + ours.north.numpy() * np.cos(elevation) * np.cos(azimuth)
        + ours.up.numpy() * np.sin(elevation)
    )
    # Cooper's declination is off by up to 1.3 degrees near the equinoxes.
    assert np.degrees(np.arccos(same.clip(-1, 1))).max() < 1.4


def test_clear_sky_equals_haurwitz():
    up = np.linspace(0.01, 1.0, 100)
    zenith = pd.Series(np.degrees(np.arccos(up)))
    theirs = pvlib.clearsky.haurwitz(zenith)["ghi"].to_numpy()
    np.testing.assert_allclose(clear_sky_w_per_m2(torch.tensor(up)).numpy(), theirs, atol=1e-6)


def test_split_and_tilt_equal_erbs_and_isotropic():
    sun = our_sun(*SITES[0])
    zenith = np.degrees(np.arccos(sun.up.numpy()))
    azimuth = np.degrees(np.arctan2(sun.east.numpy(), sun.north.numpy())) % 360.0
    ground = clear_sky_w_per_m2(sun.up) * torch.linspace(0.1, 1.0, len(STAMPS)).double()
    light = split_sunlight(ground.unsqueeze(-1), sun)
    extra = pvlib.irradiance.get_extra_radiation(STAMPS.day_of_year.to_numpy())
    theirs = pvlib.irradiance.erbs(ground.numpy(), zenith, STAMPS.day_of_year.to_numpy())
    # The strength outside the atmosphere follows another series there: 0.5 % at most.
    np.testing.assert_allclose(sun.extraterrestrial_w_per_m2.numpy(), extra, rtol=5e-3)
    high = zenith < 85.0
    np.testing.assert_allclose(
        light.diffuse_w_per_m2.squeeze(-1).numpy()[high], theirs["dhi"][high], atol=8.0
    )
    tilt, facing = torch.tensor([25.0]).double(), torch.tensor([300.0]).double()
    ours = on_tilted_plane(light, sun, tilt, facing).squeeze(-1).numpy()
    beam = light.beam_w_per_m2.squeeze(-1).numpy()
    diffuse = light.diffuse_w_per_m2.squeeze(-1).numpy()
    plane = pvlib.irradiance.get_total_irradiance(
        25.0, 300.0, zenith, azimuth, beam, ground.numpy(), diffuse, albedo=0.2
    )["poa_global"]
    np.testing.assert_allclose(ours, plane, atol=1e-6)
