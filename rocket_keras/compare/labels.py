"""Labels of points that overlap neither each other nor the points."""

import math
from collections.abc import Sequence
from typing import Any

from rocket_keras.plots import INK

RINGS = (7, 14, 24, 36, 50, 66, 84, 104, 126, 150)
DIRECTIONS = 16
POINT = 5
FAR = 20
LINE = "#9CA3AF"


def place_labels(figure: Any, panel: Any, points: Sequence[tuple[float, float]], texts: Sequence[str]) -> None:
    """Write each text beside its point, at the nearest place that is free; one that is far off gets a thin line.

    The panel's limits must be final.

    Args:
        figure: The figure, laid out by this call.
        panel: The axes.
        points: Of each label the point, in data coordinates.
        texts: The labels.
    """
    figure.draw_without_rendering()
    # A layout computed again would move the panel, not the labels' distances to each other.
    figure.set_layout_engine("none")
    scale = figure.dpi / 72
    centres = [tuple(panel.transData.transform(point)) for point in points]
    taken = [_box(x, y, 2 * POINT * scale, 2 * POINT * scale) for x, y in centres]
    inside = panel.get_window_extent().extents
    for point, centre, text in zip(points, centres, texts, strict=True):
        # White below the text, so that a line to another label does not run through it.
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        style = {"fontsize": 8, "color": INK, "ha": "center", "va": "center", "bbox": white, "zorder": 2}
        label = panel.annotate(text, point, xytext=(0, 0), textcoords="offset points", **style)
        extent = label.get_window_extent()
        x, y = _free_place(centre, (extent.width, extent.height), taken, inside, scale)
        taken.append(_box(x, y, extent.width, extent.height))
        offset = ((x - centre[0]) / scale, (y - centre[1]) / scale)
        label.set_position(offset)
        if math.hypot(max(0, abs(offset[0]) - extent.width / scale / 2), offset[1]) > FAR:
            line = {"arrowstyle": "-", "color": LINE, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 2}
            panel.annotate("", point, xytext=offset, textcoords="offset points", arrowprops=line, zorder=1)


def _free_place(
    centre: tuple[float, float],
    size: tuple[float, float],
    taken: list[tuple[float, float, float, float]],
    inside: Sequence[float],
    scale: float,
) -> tuple[float, float]:
    """Centre of a label in pixels: of the free places on rings about the point the first, else the least covered."""
    places = []
    for ring in RINGS:
        for step in range(DIRECTIONS):
            angle = 2 * math.pi * step / DIRECTIONS
            # The label's nearest edge, not its centre, lies on the ring.
            x = centre[0] + math.cos(angle) * (ring * scale + size[0] / 2)
            y = centre[1] + math.sin(angle) * (ring * scale + size[1] / 2)
            box = _box(x, y, *size)
            outside = max(inside[0] - box[0], inside[1] - box[1], box[2] - inside[2], box[3] - inside[3])
            cost = sum(_overlap(box, other) for other in taken) + (1e6 if outside > 0 else 0)
            if cost == 0:
                return x, y
            places.append((cost, x, y))
    return min(places)[1:]


def _box(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Common area of two boxes."""
    width, height = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
