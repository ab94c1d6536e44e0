"""The command line: one command, ``vpp``, and the only modules that print."""
