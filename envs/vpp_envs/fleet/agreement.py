"""What a homeowner agreed to: the limits that no command may break."""

from typing import NamedTuple

from torch import Tensor


class Agreement(NamedTuple):
    """The agreements of a fleet, one column per home, (N,)."""

    reserve_kwh: Tensor  # energy kept for the owner's own backup [kWh]
    import_limit_kw: Tensor  # most that the site may draw from the grid [kW]
    export_limit_kw: Tensor  # most that the site may inject, positive [kW]
    homeowner_share: Tensor  # share of the devices' market money paid to the owner [0 to 1]


class EvAgreement(NamedTuple):
    """What the drivers agreed to, one column per home, (N,)."""

    target_kwh: Tensor  # stored at the declared departure, wherever that can be reached [kWh]
    minimum_kwh: Tensor  # never discharged below, and charged to at once [kWh]
    managed: Tensor  # 1: others choose when it charges; 0: its driver's habit, whatever they say
