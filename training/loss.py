"""What training asks of the network: a peak in the middle of each person, and a box that fits.

The heat loss is the penalty-reduced focal loss of keypoint detectors (CornerNet, CenterNet): cells near
a middle are asked for less emptiness, unless they are as near to the middle of somebody else: two who touch
are two peaks with a saddle between. The box loss is the generalised IoU with a small pull on the sizes'
logarithms, weighted by how near a cell is to the middle.
"""

from dataclasses import dataclass

import torch
from network import HEIGHT_UNIT_PX, STRIDE, WIDTH_UNIT_PX
from torch import Tensor

from playerscore_clips.windows import IGNORE, PERSON


@dataclass(frozen=True)
class Losses:
    heat_people: Tensor
    heat_empty: Tensor
    box: Tensor
    size: Tensor
    iou: Tensor
    """Mean overlap of the boxes, for the log only."""

    @property
    def total(self) -> Tensor:
        return self.heat_people + self.heat_empty + 1.5 * self.box + 0.5 * self.size


def losses(raw: Tensor, boxes: Tensor) -> Losses:
    """Judge raw answers (n, 5, g, g) against boxes (n, k, 5) in pixels; rows of zeros are no box."""
    count, _, grid, _ = raw.shape
    answers = raw.float().reshape(count, 5, -1)
    centre = _cell_centres(grid)
    nearness = _nearness(centre, boxes)
    (nearest, rival), owner = _nearest_two(nearness)
    people = boxes[..., 4] == PERSON
    peaks = _peaks(boxes, people, grid)
    probability = torch.sigmoid(answers[:, 0]).clamp(1e-5, 1 - 1e-5)
    asked = ~_ignored(centre, boxes)
    total = peaks.sum() + 1
    found = -(peaks * (1 - probability) ** 2 * torch.log(probability)).sum() / total
    undisputed = nearest - rival
    empty = (1 - peaks) * (1 - undisputed) ** 4 * probability**2 * torch.log(1 - probability) * asked
    weight = undisputed * (nearest > 0.3)
    wanted = torch.gather(boxes, 1, owner[..., None].expand(-1, -1, 5))
    box, size, iou = _box_losses(answers, centre, wanted, weight)
    return Losses(found, -empty.sum() / total, box, size, iou)


def _cell_centres(grid: int) -> Tensor:
    """Return the middle of each cell in pixels, (g * g, 2)."""
    rows, columns = torch.meshgrid(torch.arange(grid) + 0.5, torch.arange(grid) + 0.5, indexing="ij")
    return torch.stack([columns.reshape(-1), rows.reshape(-1)], 1) * STRIDE


def _nearness(centre: Tensor, boxes: Tensor) -> Tensor:
    """Return (n, k, cells): 1 in the middle of a person, falling with the distance in his own size."""
    width, height = boxes[..., 2:3].clamp(min=1), boxes[..., 3:4].clamp(min=1)
    across = (centre[:, 0] - boxes[..., 0:1]) / (0.2 * width).clamp(min=2.6)
    down = (centre[:, 1] - boxes[..., 1:2]) / (0.13 * height).clamp(min=2.6)
    return torch.exp(-0.5 * (across**2 + down**2)) * (boxes[..., 4:5] == PERSON)


def _nearest_two(nearness: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return how near the nearest and the second person are to each cell (n, cells), and who is the first."""
    values, owners = nearness.topk(2, dim=1)
    return (values[:, 0], values[:, 1]), owners[:, 0]


def _ignored(centre: Tensor, boxes: Tensor) -> Tensor:
    """Return which cells (n, cells) lie on somebody too hidden to ask for."""
    across = (centre[:, 0] - boxes[..., 0:1]).abs() < boxes[..., 2:3] / 2 + 2
    down = (centre[:, 1] - boxes[..., 1:2]).abs() < boxes[..., 3:4] / 2 + 2
    return (across & down & (boxes[..., 4:5] == IGNORE)).any(1)


def _peaks(boxes: Tensor, people: Tensor, grid: int) -> Tensor:
    cells = (boxes[..., :2] / STRIDE).long().clamp(0, grid - 1)
    peaks = torch.zeros(len(boxes), grid * grid)
    return peaks.scatter_reduce_(1, cells[..., 1] * grid + cells[..., 0], people.float(), "amax")


def _box_losses(answers: Tensor, centre: Tensor, wanted: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return the box loss, the size loss and the mean IoU over cells near a person."""
    near = weight > 0
    given, weights = answers.permute(0, 2, 1)[near], weight[near]
    middle = centre.expand(len(answers), -1, -1)[near] + given[:, 1:3] * STRIDE
    size = torch.exp(given[:, 3:5].clamp(-3, 3)) * torch.tensor([WIDTH_UNIT_PX, HEIGHT_UNIT_PX])
    middle_true, size_true = wanted[near][:, :2], wanted[near][:, 2:4]
    iou, generalised = _overlap(middle, size, middle_true, size_true)
    off = (middle - middle_true).abs().div(size_true.clamp(min=4)).sum(1)
    off = off + torch.log(size / size_true.clamp(min=1)).abs().sum(1)
    total = weights.sum()
    mean_iou = (iou * weights).sum() / (total + 1e-6)
    return ((1 - generalised) * weights).sum() / (total + 1), (off * weights).sum() / (total + 1), mean_iou


def _overlap(middle_a: Tensor, size_a: Tensor, middle_b: Tensor, size_b: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU and generalised IoU of boxes given as middles and sizes (m, 2)."""
    upper = (middle_a - size_a / 2, middle_b - size_b / 2)
    lower = (middle_a + size_a / 2, middle_b + size_b / 2)
    shared = (torch.minimum(*lower) - torch.maximum(*upper)).clamp(min=0).prod(1)
    union = size_a.prod(1) + size_b.prod(1) - shared
    hull = (torch.maximum(*lower) - torch.minimum(*upper)).prod(1)
    iou = shared / union
    return iou, iou - (hull - union) / hull
