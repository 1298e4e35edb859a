"""Anybody's photograph, brought to a network's input by proportion, and what the network says of it cut out again.

Frames of a data set are read bit for bit as a guide reads them (`decode.py`); this is for pictures to look at.
"""

from __future__ import annotations

import struct
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from roadworthy.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG")
DAMAGED = (SyntaxError, ValueError, EOFError, IndexError, struct.error)  # what Pillow raises beside OSError

Box = tuple[int, int, int, int]  # left, top, right, bottom, as Pillow has it


def read(path: Path) -> Image.Image:
    """A JPEG or PNG in 8-bit RGB, upright as its camera was held; grey is made RGB, transparency is left out.

    Raises Problem naming the file when it cannot be read, is damaged or truncated, is no JPEG or PNG, or holds more
    than 8 bits of grey or more pixels than Pillow takes.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken notes of a camera, and of half as many pixels as are an error
            with Image.open(path, formats=FORMATS) as image:
                if image.mode.startswith(("I", "F")):
                    raise Problem(
                        f"{path}: holds grey of more than 8 bits ({image.mode}); a photograph has 8 a channel"
                    )
                image.load()
                upright = ImageOps.exif_transpose(image)
                opaque = upright.convert("RGBA") if upright.has_transparency_data else upright
                return opaque.convert("RGB")
    except UnidentifiedImageError:
        raise Problem(f"{path}: is no JPEG or PNG, or is damaged; a photograph is one of these") from None
    except Image.DecompressionBombError as error:
        raise Problem(f"{path}: is too large ({error})") from None
    except OSError as error:
        why = f"cannot be read ({error.strerror})" if error.strerror else f"is damaged or truncated ({error})"
        raise Problem(f"{path}: {why}; a photograph is a JPEG or PNG") from None
    except DAMAGED as error:
        raise Problem(f"{path}: is damaged or truncated ({error}); a photograph is a JPEG or PNG") from None


def fit(photograph: Image.Image, size: tuple[int, int]) -> tuple[NDArray[np.uint8], Box]:
    """The photograph as large as it gets in (height, width, 3) without another proportion, and the box it takes there.

    It lies in the middle; what is left over is of its mean colour. Resized by PIL BILINEAR, which is ERFNet's recipe.
    """
    height, width = size
    scale = min(width / photograph.width, height / photograph.height)
    across, down = max(1, round(photograph.width * scale)), max(1, round(photograph.height * scale))
    left, top = (width - across) // 2, (height - down) // 2
    resized = np.asarray(photograph.resize((across, down), Image.Resampling.BILINEAR))
    fitted = np.empty((height, width, 3), np.uint8)
    fitted[:] = resized.mean(axis=(0, 1)).round()
    fitted[top : top + down, left : left + across] = resized
    return fitted, (left, top, left + across, top + down)


def cut(classes: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The part of a class map (height, width) that is the photograph."""
    left, top, right, bottom = box
    return classes[top:bottom, left:right]
