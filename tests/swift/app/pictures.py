"""Pictures of a screen, small enough for the documents."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST_BYTES, WIDEST_PX = 200_000, 1440
_COLOURS = (256, 128, 64, 32)


def save(frame: NDArray[np.uint8], path: Path) -> None:
    """Write a PNG with a palette, of as many colours as the size allows; what is wider than a page is made smaller."""
    picture = Image.fromarray(frame)
    if picture.width > WIDEST_PX:
        picture = picture.resize((WIDEST_PX, picture.height * WIDEST_PX // picture.width), Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    for colours in _COLOURS:
        packed = BytesIO()
        palette = picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        palette.save(packed, "PNG", optimize=True)
        if packed.tell() <= MOST_BYTES:
            break
    path.write_bytes(packed.getvalue())
