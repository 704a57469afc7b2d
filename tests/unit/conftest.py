"""Properties have no deadline of wall-clock time: a busy machine may stop for longer than one example takes."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
