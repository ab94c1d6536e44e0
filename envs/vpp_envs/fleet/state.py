"""What of a fleet changes from step to step."""

from typing import NamedTuple

from torch import Tensor

from vpp_envs.devices.ev import EvState
from vpp_envs.flexible.kinds import FlexibleState
from vpp_envs.people.residents import Residents


class FleetState(NamedTuple):
    """State of all homes, (..., N) each."""

    energy_kwh: Tensor  # stored in the batteries [kWh]
    ev: EvState | None = None  # of the cars; none: no home has one
    flexible: FlexibleState | None = None  # of flexible devices; none: no home has one
    residents: Residents | None = None  # the owners; none: nobody is asked
