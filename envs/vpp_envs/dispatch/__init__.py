"""Envelopes, and the ways to command a fleet inside them."""
