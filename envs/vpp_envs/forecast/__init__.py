"""Causal price forecasts."""
