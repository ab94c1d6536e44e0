"""The whole controller as one artifact: written, verified, loaded.

Importing `load` brings in neither the training libraries nor the simulator's environment.
"""

from vpp_rl.export.load import LoadedController, load
from vpp_rl.export.telemetry import SetPointTable

__all__ = ["LoadedController", "SetPointTable", "load"]
