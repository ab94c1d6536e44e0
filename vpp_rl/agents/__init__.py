"""Learners and the networks they train."""
