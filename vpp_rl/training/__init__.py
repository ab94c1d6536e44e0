"""Training runs: folders, checkpoints, progress."""
