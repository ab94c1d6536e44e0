"""Who earned what, how sure that is, and how it is shown: statistics, scoreboard, report."""
