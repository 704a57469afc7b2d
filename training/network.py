"""The embedded detector's network: small enough for one CPU core, at a quarter of the picture's size.

Each cell of the output answers five numbers: how sure it is to be the middle of a person, where that
middle lies from the cell's own (in cells), and his width and height (as powers of e of 16 and 40 px).
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 4
WIDTH_UNIT_PX, HEIGHT_UNIT_PX = 16.0, 40.0
GREY, SPREAD = 114.0, 64.0
"""What a pixel value is reduced and divided by before the first layer."""
CHANNELS = (16, 24, 48, 80)


def _plain(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1, *, folded: bool) -> list[nn.Module]:  # fmt: skip
    """Return a convolution and what normalises it; folded, as in the shipped form, it does so itself."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=folded)
    return [conv, nn.Identity() if folded else nn.BatchNorm2d(channels_out)]


def _conv(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1, *, folded: bool) -> nn.Sequential:  # fmt: skip
    layers = _plain(channels_in, channels_out, kernel, stride, folded=folded)
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, channels: int, folded: bool) -> None:
        super().__init__()
        self.first = _conv(channels, channels, folded=folded)
        self.second = nn.Sequential(*_plain(channels, channels, folded=folded))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class Detector(nn.Module):
    """Fully convolutional, down to a sixteenth of the picture and back up to a quarter.

    ``folded`` is the form for going on from shipped weights, whose normalisation lies in the convolutions.
    """

    def __init__(self, channels: tuple[int, int, int, int] = CHANNELS, folded: bool = False) -> None:
        super().__init__()
        c2, c4, c8, c16 = channels
        conv, residual = partial(_conv, folded=folded), partial(Residual, folded=folded)
        self.stem = nn.Sequential(conv(3, c2, 3, 2), conv(c2, c4, 3, 2), residual(c4))
        self.down8 = nn.Sequential(conv(c4, c8, 3, 2), residual(c8), residual(c8))
        self.down16 = nn.Sequential(conv(c8, c16, 3, 2), residual(c16), residual(c16))
        self.narrow16, self.merge8 = conv(c16, c8, 1), conv(c8, c8)
        self.narrow8, self.merge4 = conv(c8, c4, 1), conv(c4, c4)
        self.head, self.answer = conv(c4, 32), nn.Conv2d(32, 5, 1)
        nn.init.normal_(self.answer.weight, std=0.01)
        with torch.no_grad():
            self.answer.bias.zero_()
            self.answer.bias[0] = -4.0  # nearly every cell is empty, and says so from the start

    def forward(self, x: Tensor) -> Tensor:
        """Return raw answers (n, 5, h/4, w/4) for normalised pictures (n, 3, h, w), sides divisible by 16."""
        at4 = self.stem(x)
        at8 = self.down8(at4)
        at16 = self.down16(at8)
        up8 = self.merge8(at8 + functional.interpolate(self.narrow16(at16), scale_factor=2.0, mode="nearest"))
        up4 = self.merge4(at4 + functional.interpolate(self.narrow8(up8), scale_factor=2.0, mode="nearest"))
        answers: Tensor = self.answer(self.head(up4))
        return answers


class Deployed(nn.Module):
    """The detector as it is shipped: plain pixels in; only local peaks keep their probability."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, 5, h/4, w/4): probability, dx, dy in cells, width / 16 px, height / 40 px.

        ``x`` (n, 3, h, w) is red, green, blue, 0..255, as float.
        """
        raw = self.detector((x - GREY) * (1.0 / SPREAD))
        probability = torch.sigmoid(raw[:, :1])
        peak = functional.max_pool2d(probability, 3, 1, 1)
        probability = probability * (probability >= peak).float()
        return torch.cat([probability, raw[:, 1:3], torch.exp(raw[:, 3:5].clamp(-3, 3))], 1)
