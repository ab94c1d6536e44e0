"""The table of tasks: environment id and scenario; both faces of the environment."""

import gymnasium as gym

ENVIRONMENTS: dict[str, str] = {
    "vpp/NemArbitrage-v0": "nem_arbitrage",
    "vpp/EvHomes-v0": "ev_homes",
    "vpp/Depots-v0": "depots",
    "vpp/SolarHomes-v0": "solar_homes",
    "vpp/Suburb-v0": "suburb",
}


def register_environments() -> None:
    """Register every task with Gymnasium; importing `vpp_envs` does it."""
    for env_id, scenario in ENVIRONMENTS.items():
        if env_id not in gym.registry:
            gym.register(
                id=env_id,
                entry_point="vpp_envs.env:FleetEnv",
                vector_entry_point="vpp_envs.vector_env:FleetVectorEnv",
                kwargs={"scenario": scenario},
            )
