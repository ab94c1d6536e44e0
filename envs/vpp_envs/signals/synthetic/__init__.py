"""Calibrated synthetic signals."""
