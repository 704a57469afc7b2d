"""Following one chosen person: the parts of the joint follower.

entities     the target and his neighbours, each with a constant-velocity Kalman filter
appearance   torso colours and the target's template
assignment   who is which detection: one assignment problem for all
scene        the frames of a segment, with everything that is computed once per frame
shots        where the picture was cut
joint        one step of the follower
refind       after a loss: which of the people in the picture is he, or abstain
check        follow back, compare, and follow again when the way back leads elsewhere
"""
