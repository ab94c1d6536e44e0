"""When the grid is away: interruptions of feeders, and homes that go on alone."""
