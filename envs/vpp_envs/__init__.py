"""The world: homes, devices, grid signals, markets, and the Gymnasium environments."""
