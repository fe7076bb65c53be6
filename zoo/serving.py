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
from zoo.entry import Entry
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
        names = {tensor.name for tensor in self.model.inputs}
        fields = [f for f in encoder.fields if f.name in names]
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
        KeyError, ValueError: As `zoo.load`; the test split has fewer rows than a request, or is none of the zoo's.
        FileNotFoundError: The data set is missing. One line: what to fetch, from where to where.
    """
    name, seed, model, encoder, nets = _light(source)
    if made_up:
        return Served(name, model, _made_up(model, encoder, rows), "made-up rows", encoder, nets)
    data = entry_of(source, name, instead).plan(data_dir, seed).data
    test = data.test
    if len(test) < rows:
        raise ValueError(
            f"expected requests of at most {len(test)} rows, the test rows of {name}, received {rows}; ask for fewer"
            + (f", or {instead}" if instead else "")
        )
    return Served(name, model, inputs_of(model, test.x), f"{len(test):,} test rows", encoder, nets, data)


def entry_of(source: str | Path, name: Any, instead: str = "") -> Entry:
    """Return the entry that a preset or launch is of.

    Raises:
        ValueError: It is of none. One line.
    """
    try:
        return get_entry(str(name))
    except KeyError as error:
        raise ValueError(
            f"expected a net of an entry of the zoo, whose data set is known, received {source}, a preset of one's own"
            + (f"; {instead}" if instead else "")
        ) from error


def _light(source: str) -> tuple[str, int, keras.Model, str | None, Mapping[str, Any]]:
    """Return the name of the entry, the seed of its data, the net, its encoder, and what is known of all nets."""
    run = Path(source)
    if (run / METRICS).is_file():
        name, seed, nets = _launched(run / METRICS)
        encoder = (run / ENCODER).read_text(encoding="utf-8") if (run / ENCODER).is_file() else None
        model = unlisted(keras.models.load_model(run / LIGHT, compile=False))
        return name, seed, model, encoder, nets
    preset = open_preset(source)
    metadata = preset.metadata()
    encoder = preset.encoder() if ENCODER in metadata["files"] else None
    # A preset of one's own may have no name, and a seed of another thing.
    name, seed = str(metadata.get("name") or source), metadata.get("seed", 0)
    return name, seed if isinstance(seed, int) else 0, preset.light(), encoder, _known_nets(metadata)


def _launched(path: Path) -> tuple[str, int, Mapping[str, Any]]:
    """Return the entry, the seed and the nets of a launch."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return str(facts["entry"]), int(facts["seed"]), dict(facts["nets"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"expected the {METRICS} of a finished launch in {path.parent}, received something else "
            f"({type(error).__name__}: {error}); run rocket-keras launch again"
        ) from error


def _known_nets(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return scores and latency of the nets whose results a preset has: none of a preset of one's own."""
    results = metadata.get("results")
    names = {"base": "base", "light": metadata.get("method"), "booster": "booster"}
    found = {}
    for net, name in names.items():
        row = results.get(name) if isinstance(results, Mapping) else None
        if isinstance(row, Mapping) and isinstance(row.get("test"), Mapping):
            test = {metric: spread["mean"] for metric, spread in row["test"].items() if "mean" in spread}
            found[net] = {"test": test, "latency": row.get("latency")}
    return found


def _made_up(model: keras.Model, encoder: str | None, count: int) -> Any:
    """Return made-up rows, with ids from the whole vocabularies where they are known."""
    rows = made_up_rows(model, count)
    known = encoder_from_json(encoder) if encoder else None
    if isinstance(known, Encoder) and isinstance(rows, dict):
        rng = np.random.default_rng(0)
        sizes = {f.name: f.size for f in known.fields if hasattr(f, "size")}
        for name in set(rows) & set(sizes):
            rows[name] = rng.integers(0, sizes[name], rows[name].shape).astype(rows[name].dtype)
    return rows
