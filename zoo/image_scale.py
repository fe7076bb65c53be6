"""From the pixels of the original files to the images that a net reads."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rocket_keras.encoding import Encoder

FORMAT = "rocket-keras image scale 1"
_AT_ONCE = 1024  # images in float64


@dataclass(frozen=True)
class ImageScale:
    """Standardises pixels: `(pixel - mean) / std`.

    Args:
        mean, std: One a channel, in the units of the original pixels.
        shape: Height, width and channels.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    shape: tuple[int, int, int]

    def encode(self, raw: Any) -> np.ndarray:
        """Return `(rows, *shape)` float32 images.

        Args:
            raw: `(rows, *shape)` pixels as in the original files; the axis of one channel may be left out.

        Raises:
            ValueError: Images of another shape.
        """
        images = np.asarray(raw)
        if self.shape[-1] == 1 and images.shape[1:] == self.shape[:-1]:
            images = images[..., None]
        if images.shape[1:] != self.shape:
            raise ValueError(
                f"expected images of shape (rows, {', '.join(map(str, self.shape))}), received {images.shape}; "
                "resize them, channels last"
            )
        scaled = np.empty(images.shape, np.float32)
        for start in range(0, len(images), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            scaled[rows] = (images[rows] - np.asarray(self.mean)) / np.asarray(self.std)
        return scaled

    def to_json(self) -> str:
        """Return the scale as JSON text, which `encoder_from_json` reads."""
        return json.dumps({"format": FORMAT, **asdict(self)})


def encoder_from_json(text: str) -> Encoder | ImageScale:
    """Return the encoder of a click log, or the scale of images, that `to_json` wrote.

    Raises:
        ValueError: It is neither. One line.
    """
    try:
        content = json.loads(text)
        if content["format"] == FORMAT:
            return ImageScale(*(tuple(content[name]) for name in ("mean", "std", "shape")))
    except (KeyError, TypeError, ValueError):
        pass  # Encoder's own line says what was received.
    return Encoder.from_json(text)
