"""A light net and the requests that it is measured with."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from rocket_keras.export import made_up_rows
from rocket_keras.graph import inputs_of
from zoo.entries import get_entry
from zoo.loading import open_preset

METRICS, LIGHT = "metrics.json", "light.keras"


@dataclass(frozen=True)
class Served:
    """A light net with rows for it.

    Attributes:
        name: Name of its entry.
        model: The net.
        rows: Rows to make requests of.
        told: What the rows are, in words.
    """

    name: str
    model: keras.Model
    rows: Any
    told: str

    @property
    def sample(self) -> Any:
        """A few of the rows."""
        return keras.tree.map_structure(lambda column: column[:64], self.rows)


def served_light(source: str, data_dir: Path | None, made_up: bool, rows: int) -> Served:
    """Return a light net and rows of its test split.

    Args:
        source: Name of an entry with weights, a preset folder or its URL, or the folder of a finished launch.
        data_dir: Folder of the downloads.
        made_up: Take made-up rows instead, for which no data are needed.
        rows: How many rows a request may have.

    Raises:
        KeyError, ValueError: As `zoo.load`, or the test split has fewer rows than a request.
        FileNotFoundError: The data set is missing. One line: what to fetch, from where to where.
    """
    name, seed, model = _light(source)
    if made_up:
        return Served(name, model, made_up_rows(model, rows), "made-up rows")
    test = get_entry(name).plan(data_dir, seed).data.test
    if len(test) < rows:
        raise ValueError(
            f"expected requests of at most {len(test)} rows, the test rows of {name}, received {rows}; ask for fewer, "
            "or take --made-up"
        )
    return Served(name, model, inputs_of(model, test.x), f"{len(test):,} test rows")


def _light(source: str) -> tuple[str, int, keras.Model]:
    """Return the name of the entry, the seed of its data, and the net."""
    run = Path(source)
    if (run / METRICS).is_file():
        facts = json.loads((run / METRICS).read_text(encoding="utf-8"))
        return facts["entry"], facts["seed"], keras.models.load_model(run / LIGHT, compile=False)
    preset = open_preset(source)
    metadata = preset.metadata()
    return metadata["name"], metadata["seed"], preset.light()
