"""The world: homes, devices, grid signals, markets, and the Gymnasium environments."""

from vpp_envs.registration import register_environments

register_environments()
