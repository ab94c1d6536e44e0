"""The people who own the devices: what they agreed to, what they put up with, what they get."""
