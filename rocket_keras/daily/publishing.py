"""The light net of a day: exported, judged against the one that serves, and put in its place, or not."""

import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras.daily.scores import day_scores
from rocket_keras.daily.settings import METRICS, Daily
from rocket_keras.encoding import Encoder
from rocket_keras.export import export_light
from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session
from rocket_keras.serving.artefact import read_artefact

CURRENT = "light.onnx"
UNDEFINED = {
    "auc": "its held-out rows are all clicked or all not clicked, so there is no auc",
    "gauc": "no user has both a clicked and another row among its held-out rows, so there is no gauc",
    "log_loss": "its held-out rows give no finite log_loss",
}
"""Why a score is not a number."""
Rows = Callable[[Encoder], Iterable[Any]]


def publish(
    light: keras.Model,
    encoder: Encoder,
    rows: Mapping[str, np.ndarray],
    held: Rows,
    folder: Path,
    day: str,
    serves: str | None,
    plan: Daily,
) -> dict[str, Any]:
    """Export the light net and let it serve, if it is not worse on held-out rows than the one that serves now.

    The export is compared with Keras on `rows` before anything else. `folder/light.onnx` is replaced in one step, and
    `folder/day-DAY.onnx` is kept beside it; a net that is worse, or that the day cannot judge, stays in
    `folder/refused-DAY.onnx`.

    Args:
        light: The light net after the day.
        encoder: Its preprocessing.
        rows: Inputs for the comparison.
        held: Gives the batches of the held-out rows, encoded by an encoder.
        folder: Where nets are published.
        day: Names the file.
        serves: The day of the net that serves now, whatever a call that was killed has put in its place; None for none.
        plan: Has the metric and the margin.

    Returns:
        `published` and `why`, one line; `new` and `old`, the scores of the two nets; `rows`, how many were held out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".draft-{day}.onnx"
    try:
        export_light(light, draft, rows, encoder, name=light.name)
        new, count = artefact_scores(draft, held, plan.group)
    except ArithmeticError as error:
        draft.unlink(missing_ok=True)
        return {"published": False, "why": f"the export differs from Keras: {error}", "rows": 0}
    told: dict[str, Any] = {"new": new, "old": None, "rows": count}
    if serves is not None:
        told["old"], _ = artefact_scores(folder / f"day-{serves}.onnx", held, plan.group)
    good, told["why"] = verdict(new, told["old"], plan.metric, plan.margin)
    told["published"] = good
    kept = folder / f"{'day' if good else 'refused'}-{day}.onnx"
    draft.replace(kept)
    if good:
        _put(kept)
    return told


def withdraw(folder: Path, day: str, serves: str | None) -> None:
    """Take back what a day that begins anew has published: the net of the day `serves` serves again, or none."""
    if (folder / f"day-{day}.onnx").exists():
        if serves is None:
            (folder / CURRENT).unlink(missing_ok=True)
        else:
            _put(folder / f"day-{serves}.onnx")
    _remove(folder, day)


def remove_old(folder: Path, days: Sequence[str], serves: str | None, keep: int) -> None:
    """Remove the nets of all days but the last ones, and but the one that serves.

    Args:
        folder: Where nets are published.
        days: Those that are done.
        serves: The day of the net that serves now.
        keep: How many of the last days keep theirs.
    """
    for day in days[:-keep]:
        if day != serves:
            _remove(folder, day)


def _remove(folder: Path, day: str) -> None:
    for kind in ("day", "refused"):
        (folder / f"{kind}-{day}.onnx").unlink(missing_ok=True)


def _put(net: Path) -> None:
    """Let a net serve: in one step, so that no reader finds half of it."""
    copy = net.with_name(f".{CURRENT}")
    shutil.copyfile(net, copy)
    copy.replace(net.with_name(CURRENT))


def verdict(new: Mapping[str, float], old: Mapping[str, float] | None, metric: str, margin: float) -> tuple[bool, str]:
    """Say whether a net with the scores `new` may take the place of one with `old`, and why in one line.

    A day whose held-out rows give no score, for lack of clicks or of rows without one, cannot judge: nothing changes.
    """
    value = new.get(metric, math.nan)
    if not math.isfinite(value):
        return False, f"the day cannot judge the net: {UNDEFINED[metric]}"
    if old is None:
        return True, "the first"
    before = old.get(metric, math.nan)
    loss = (before - value) * METRICS[metric]
    if math.isfinite(loss) and loss > margin:
        return False, f"{metric} {value:.5f} is worse than the published net's {before:.5f} by more than {margin:g}"
    return True, f"{metric} {value:.5f}, the published net's {before:.5f}"


def artefact_scores(path: Path, held: Rows, group: str | None) -> tuple[dict[str, float], int]:
    """The scores of an exported net on rows that its own encoder encodes, and how many rows there were."""
    session = onnx_session(path)
    artefact = read_artefact(session, path)
    assert artefact.encoder is not None  # publish writes it

    def predict(x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"light": onnx_run(session, onnx_feed(session, dict(x)))[:, 0]}

    scores, rows = day_scores(held(Encoder.from_json(artefact.encoder)), predict, group)
    return scores.get("light", {}), rows
