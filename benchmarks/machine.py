"""On what a figure was measured: it belongs beside every figure, since other work on the machine moves them all."""

import os


def described() -> str:
    """The machine's processors, and its load at the end of the measurement."""
    return f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end"
