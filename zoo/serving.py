"""A light net and the requests that it is measured with."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras.columns_by_name import unlisted
from rocket_keras.encoding import Encoder
from rocket_keras.export import made_up_rows
from rocket_keras.graph import inputs_of
from zoo.entries import get_entry
from zoo.image_scale import encoder_from_json
from zoo.loading import open_preset
from zoo.preset import ENCODER

METRICS, LIGHT = "metrics.json", "light.keras"


@dataclass(frozen=True)
class Served:
    """A light net with rows for it.

    Attributes:
        name: Name of its entry.
        model: The net.
        rows: Rows to make requests of.
        told: What the rows are, in words.
        encoder: JSON text of what turns raw values into its inputs, where it is known.
        nets: Scores and latencies of base, light and booster on the test split, where they are known: by net `test` and
            `latency`.
        data: The data set, where it was loaded.
    """

    name: str
    model: keras.Model
    rows: Any
    told: str
    encoder: str | None = None
    nets: Mapping[str, Any] = field(default_factory=dict)
    data: Any = None

    @property
    def sample(self) -> Any:
        """A few of the rows."""
        return keras.tree.map_structure(lambda column: column[:64], self.rows)

    def inputs_of_side(self, side: str, columns: Collection[str] = ()) -> tuple[str, ...]:
        """Return the names of the inputs that belong to a side, or are made of the named raw columns.

        Raises:
            ValueError: The net reads no raw columns by name, or not those that are named.
        """
        encoder = encoder_from_json(self.encoder) if self.encoder else None
        if not isinstance(encoder, Encoder):
            raise ValueError(
                f"expected a net over raw columns, received {self.name}; shape requests of click nets alone"
            )
        fields = [f for f in encoder.fields if f.name in self.model.input]
        unknown = sorted(set(columns) - {f.column for f in fields})
        chosen = tuple(f.name for f in fields if f.side == side or f.column in columns)
        if unknown:
            raise ValueError(
                f"expected raw columns of {self.name}, {sorted({f.column for f in fields})}, received {unknown[0]}; "
                "name them as in the original data"
            )
        return chosen


def served_light(source: str, data_dir: Path | None, made_up: bool, rows: int, instead: str = "") -> Served:
    """Return a light net and rows of its test split.

    Args:
        source: Name of an entry with weights, a preset folder or its URL, or the folder of a finished launch.
        data_dir: Folder of the downloads.
        made_up: Take made-up rows instead, for which no data are needed.
        rows: How many rows a request may have.
        instead: What to do, other than to ask for fewer rows, where the test split has fewer than a request.

    Raises:
        KeyError, ValueError: As `zoo.load`, or the test split has fewer rows than a request.
        FileNotFoundError: The data set is missing. One line: what to fetch, from where to where.
    """
    name, seed, model, encoder, nets = _light(source)
    if made_up:
        return Served(name, model, _made_up(model, encoder, rows), "made-up rows", encoder, nets)
    data = get_entry(name).plan(data_dir, seed).data
    test = data.test
    if len(test) < rows:
        raise ValueError(
            f"expected requests of at most {len(test)} rows, the test rows of {name}, received {rows}; ask for fewer"
            + (f", or {instead}" if instead else "")
        )
    return Served(name, model, inputs_of(model, test.x), f"{len(test):,} test rows", encoder, nets, data)


def _light(source: str) -> tuple[str, int, keras.Model, str | None, Mapping[str, Any]]:
    """Return the name of the entry, the seed of its data, the net, its encoder, and what is known of all nets."""
    run = Path(source)
    if (run / METRICS).is_file():
        facts = json.loads((run / METRICS).read_text(encoding="utf-8"))
        encoder = (run / ENCODER).read_text(encoding="utf-8") if (run / ENCODER).is_file() else None
        model = unlisted(keras.models.load_model(run / LIGHT, compile=False))
        return facts["entry"], facts["seed"], model, encoder, facts["nets"]
    preset = open_preset(source)
    metadata = preset.metadata()
    results, method = metadata["results"], metadata["method"]
    nets = {net: results[name] for net, name in (("base", "base"), ("light", method), ("booster", "booster"))}
    test = {
        net: {"test": {metric: spread["mean"] for metric, spread in row["test"].items()}, "latency": row["latency"]}
        for net, row in nets.items()
    }
    encoder = preset.encoder() if ENCODER in metadata["files"] else None
    return metadata["name"], metadata["seed"], preset.light(), encoder, test


def _made_up(model: keras.Model, encoder: str | None, count: int) -> Any:
    """Return made-up rows, with ids from the whole vocabularies where they are known."""
    rows = made_up_rows(model, count)
    known = encoder_from_json(encoder) if encoder else None
    if isinstance(known, Encoder):
        rng = np.random.default_rng(0)
        sizes = {f.name: f.size for f in known.fields if hasattr(f, "size")}
        for name in set(rows) & set(sizes):
            rows[name] = rng.integers(0, sizes[name], rows[name].shape).astype(rows[name].dtype)
    return rows
