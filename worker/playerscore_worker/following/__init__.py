"""Following one chosen person: the follower proposes, encounters are decided as a whole.

entities     the target and his neighbours, each with a constant-velocity Kalman filter
appearance   torso colours and the target's template
assignment   who is which detection: one assignment problem for all
scene        the frames of a segment, with everything that is computed once per frame
shots        where the picture was cut
joint        one step of the follower, which proposes a way frame by frame
tracklets    everybody who was detected, cut into stretches that are plainly of one person
linking      which stretches belong to one person: one exact assignment, and how sure each step is
segment      propose, decide, follow again where the decision differs, and put the way together
"""
