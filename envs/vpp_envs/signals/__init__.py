"""Grid and weather signals: recorded and synthetic."""
