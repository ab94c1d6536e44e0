"""Fleets of homes: parameters, agreements, sampling."""
