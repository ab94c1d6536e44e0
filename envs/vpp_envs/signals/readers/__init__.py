"""Readers of the files that market operators publish."""
