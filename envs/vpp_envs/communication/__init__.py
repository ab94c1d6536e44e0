"""The way to the devices and back: who is reached, how late, and what the operator still sees."""
