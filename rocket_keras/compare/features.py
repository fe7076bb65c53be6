"""What the groups of two nets have in common: linear CKA, and their activation maps side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rocket_keras.extras import require
from rocket_keras.plots import INK

ORDER = {"base": "base", "light": "light (rocket)", "booster": "booster"}


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Linear centred kernel alignment of two features of the same rows, from 0 to 1.

    0 says that they have nothing in common, 1 that they are the same but for rotation and scale. It is
    `|b'a|^2 / (|a'a| |b'b|)` with Frobenius norms, of the features flattened to (rows, values) and centred. It is
    computed from the rows' scalar products, which needs memory for rows x rows numbers. Few rows with many values give
    a number that is too high: use some hundreds.

    Args:
        a, b: Shapes (rows, ...), which may differ but for the rows.

    Raises:
        ValueError: The numbers of rows differ, or there are fewer than two.

    References: Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(
            f"linear_cka expected two features of the same rows, two or more, received shapes {a.shape} and {b.shape}; "
            "pass both nets the same batch"
        )
    first, second = _products(a), _products(b)
    norms = np.linalg.norm(first) * np.linalg.norm(second)
    # A feature that is the same on all rows has nothing in common with another.
    return float((first * second).sum() / norms) if norms > 0 else 0.0


def _products(feature: np.ndarray) -> np.ndarray:
    """Scalar products of the rows after centring, shape (rows, rows)."""
    flat = np.asarray(feature, "float64").reshape(len(feature), -1)
    flat = flat - flat.mean(axis=0)
    return flat @ flat.T


def group_figure(
    images: np.ndarray, maps: Mapping[str, Sequence[np.ndarray]], groups: Sequence[Mapping[str, Any]]
) -> Any:
    """Figure of the mean absolute activation of each group of each net, a row for each image.

    Each map has its own scale from its lowest to its highest value: what is compared is where a net looks.

    Args:
        images: The images, shape (n, h, w, channels) with 1 or 3 channels.
        maps: By net, `"base"`, `"light"` and `"booster"`: one array (n, h, w, channels) a group.
        groups: Of each group its `"name"`, and under `"cka"` the linear CKA of each net to the booster.

    Raises:
        ValueError: A net has not one map a group.
        ImportError: matplotlib is not installed.

    References: Zhou et al., Rocket Launching, AAAI 2018, figure of the groups' features.
    """
    nets = [net for net in ORDER if net in maps]
    for net in nets:
        if len(maps[net]) != len(groups):
            raise ValueError(
                f"group_figure expected {len(groups)} maps of {net}, received {len(maps[net])}; pass one map a group"
            )
    matplotlib_figure = require("matplotlib.figure", extra="launch")
    columns, count = 1 + len(nets) * len(groups), len(images)
    # A narrow empty column between the groups.
    widths = [1.0] + [width for _ in groups for width in (0.18, *[1.0] * len(nets))]
    figure = matplotlib_figure.Figure(figsize=(1.05 * columns + 0.6, 1.08 * count + 0.9), facecolor="white")
    grid = figure.add_gridspec(
        count, len(widths), width_ratios=widths, wspace=0.06, hspace=0.06, left=0.02, right=0.98, bottom=0.03,
        top=1 - 0.8 / (1.08 * count + 0.9),
    )  # fmt: skip
    for row in range(count):
        _picture(figure.add_subplot(grid[row, 0]), _displayed(images[row]), "image" if row == 0 else "", "gray")
        for index, group in enumerate(groups):
            for place, net in enumerate(nets):
                panel = figure.add_subplot(grid[row, 2 + index * (len(nets) + 1) + place])
                activation = np.abs(np.asarray(maps[net][index][row])).mean(axis=-1)
                _picture(panel, activation, _heading(group, net) if row == 0 else "", "viridis")
    return figure


def _heading(group: Mapping[str, Any], net: str) -> str:
    similar = group["cka"].get(net)
    return f"{group['name']}\n{ORDER[net]}\n" + ("" if similar is None else f"CKA {similar:.2f}")


def _picture(panel: Any, values: np.ndarray, title: str, colours: str) -> None:
    panel.imshow(values, cmap=colours, interpolation="nearest")
    panel.set_axis_off()
    if title:
        panel.set_title(title, fontsize=8, color=INK, pad=3)


def _displayed(image: np.ndarray) -> np.ndarray:
    """An image of any range between 0 and 1; one channel without its axis."""
    image = np.asarray(image, "float64")
    image = (image - image.min()) / (np.ptp(image) or 1.0)
    return image[..., 0] if image.shape[-1] == 1 else image
