"""How well the confirmed player is followed: the measures of `benchmarks/following.py`, each in its own file."""
