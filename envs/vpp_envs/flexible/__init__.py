"""Flexible loads of a home: tanks, thermostats, appliances and generators, one file a kind."""
