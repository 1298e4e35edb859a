"""A photograph and its label -> one crop of both, by a generator of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

IGNORED = 255


@dataclass(frozen=True)
class Cut:
    """How crops are made: `crop` (height, width), the short side before the cut between two sizes, share blurred."""

    crop: tuple[int, int]
    short: tuple[int, int]
    blur: float

    def __call__(
        self, image: NDArray[np.uint8], label: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A crop of `image` (H, W, 3) and of its `label` (H, W): brought to a random size, cut, mirrored, blurred.

        Where the frame is smaller than the crop, the photograph is padded with black and the label with ignored
        pixels, below and to the right. Only what the crop shows is resized. Source: the training guide's script.
        """
        height, width = label.shape
        short = int(rng.integers(self.short[0], self.short[1] + 1))
        scaled = tuple(max(1, round(side * short / min(height, width))) for side in (height, width))
        shown = tuple(min(a, b) for a, b in zip(scaled, self.crop, strict=True))
        top, left = (int(rng.integers(a - b + 1)) for a, b in zip(scaled, shown, strict=True))
        down, across = height / scaled[0], width / scaled[1]
        box = (left * across, top * down, (left + shown[1]) * across, (top + shown[0]) * down)
        photograph = Image.fromarray(image).resize(shown[::-1], Image.Resampling.BILINEAR, box)
        truth = Image.fromarray(label).resize(shown[::-1], Image.Resampling.NEAREST, box)
        if rng.random() < 0.5:
            photograph, truth = (part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for part in (photograph, truth))
        pixels = np.zeros((*self.crop, 3), np.uint8)
        ids = np.full(self.crop, IGNORED, np.uint8)
        pixels[: shown[0], : shown[1]], ids[: shown[0], : shown[1]] = np.asarray(photograph), np.asarray(truth)
        if rng.random() < self.blur:
            pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.random())))
        return pixels, ids
