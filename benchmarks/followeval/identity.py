"""HOTA and IDF1 of one path as a single track against the truth, by the library that the field's tables are made with."""

import contextlib
import io
from typing import Any

import numpy as np
from trackeval.metrics import HOTA, Identity

from followeval.judge import Judged
from followeval.reference import Floats, Reference, iou_xywh


def hota_and_idf1(
    reference: Reference, target: str, path_xywh: Floats, judged: Judged
) -> tuple[float, float]:
    """Both in 0..1, over the frames on which he is seen or known to be absent."""
    truth = reference.boxes_xywh[reference.index(target)]
    counted = np.flatnonzero(judged.seen | judged.absent)
    his = [np.zeros(int(judged.seen[k]), int) for k in counted]
    given = [np.zeros(int(not np.isnan(path_xywh[k, 0])), int) for k in counted]
    overlap = iou_xywh(truth, path_xywh)
    data: dict[str, Any] = {
        "gt_ids": his,
        "tracker_ids": given,
        "similarity_scores": [
            np.full((len(a), len(b)), overlap[k]) for k, a, b in zip(counted, his, given, strict=True)
        ],
        "num_gt_ids": 1,
        "num_tracker_ids": 1,
        "num_gt_dets": sum(map(len, his)),
        "num_tracker_dets": sum(map(len, given)),
        "num_timesteps": len(counted),
    }
    with contextlib.redirect_stdout(io.StringIO()):  # It prints its settings.
        hota = float(np.mean(HOTA().eval_sequence(data)["HOTA"]))
        idf1 = float(Identity().eval_sequence(data)["IDF1"])
    return round(hota, 4), round(idf1, 4)
