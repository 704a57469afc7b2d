"""Metres: the camera calibrated on a pitch, the player's places on it, and what he did there. Pure but for `lines`.

Pictures are in pixels from the picture's middle, x to the right and y down. The pitch is in metres from its middle,
x to the right and y away from the main camera, z up; `spec.pitch` and all that is told count from the top left.
"""
