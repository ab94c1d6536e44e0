"""Sweeps: many trainings from one command, side by side, resumable."""
