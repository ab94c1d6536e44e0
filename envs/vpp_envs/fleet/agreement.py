"""What a homeowner agreed to: the limits that no command may break."""

from typing import NamedTuple

from torch import Tensor


class Agreement(NamedTuple):
    """The agreements of a fleet, one column per home, (N,)."""

    reserve_kwh: Tensor  # energy kept for the owner's own backup [kWh]
    import_limit_kw: Tensor  # most that the site may draw from the grid [kW]
    export_limit_kw: Tensor  # most that the site may inject, positive [kW]
    homeowner_share: Tensor  # share of the battery's market money paid to the owner [0 to 1]
