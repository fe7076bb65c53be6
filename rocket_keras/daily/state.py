"""What a daily training knows at the end of a day: whole on disk, or not there."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.daily.learners import Learner
from rocket_keras.encoding import Encoder
from rocket_keras.json_file import write_json


@dataclass
class State:
    """A daily training between two days.

    Attributes:
        days: Those that are done, in their order.
        encoder: The preprocessing.
        sizes: Rows of the tables by field.
        last_seen: By field, the number of the day on which each id was last seen, `(size,)` int32.
        published: The day whose light net serves; None for none.
        nets: By training what `describe_net` says of its nets; empty in folders of older versions.
    """

    encoder: Encoder
    days: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    last_seen: dict[str, np.ndarray] = field(default_factory=dict)
    published: str | None = None
    nets: dict[str, Any] = field(default_factory=dict)


@dataclass
class Morning:
    """What is known of a day before it is trained on.

    Attributes:
        day: Its name.
        scores: Of the nets on it, by net.
        rows: How many good ones it has.
        encoder, last_seen: As in `State`, the day's own values counted.
        freed: By field the ids that belong to another value now.
        added: By field how many values are new.
        seconds: What took how long.
        files: The fingerprint of its files.
        log: What was read: `files` and `bytes`, `bad` rows by their `reasons`, `empty` files.
    """

    day: str
    scores: dict[str, dict[str, float]]
    rows: int
    encoder: Encoder
    last_seen: dict[str, np.ndarray]
    freed: dict[str, np.ndarray]
    added: dict[str, int]
    seconds: dict[str, float] = field(default_factory=dict)
    files: str = ""
    log: dict[str, Any] = field(default_factory=dict)


def save_morning(folder: Path, morning: Morning) -> None:
    """Write what is known of the day that begins; its JSON file is moved into place last."""
    folder.mkdir(parents=True, exist_ok=True)
    forget_morning(folder)
    (folder / "morning.encoder.json").write_text(morning.encoder.to_json(), encoding="utf-8")
    arrays = {f"seen/{name}": days for name, days in morning.last_seen.items()}
    arrays |= {f"freed/{name}": ids for name, ids in morning.freed.items()}
    with (folder / "morning.npz").open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub has allow_pickle here
    names = ("day", "scores", "rows", "added", "seconds", "files", "log")
    write_json(folder / "morning.json", {name: getattr(morning, name) for name in names})


def read_morning(folder: Path, day: str) -> Morning | None:
    """Return what is known of this day; None where nothing is."""
    path = folder / "morning.json"
    if not path.exists() or (told := json.loads(path.read_text(encoding="utf-8")))["day"] != day:
        return None
    parts: dict[str, dict[str, np.ndarray]] = {"seen": {}, "freed": {}}
    with np.load(folder / "morning.npz") as arrays:
        for name in arrays.files:
            part, _, field_name = name.partition("/")
            parts[part][field_name] = arrays[name]
    encoder = Encoder.from_json((folder / "morning.encoder.json").read_text(encoding="utf-8"))
    return Morning(encoder=encoder, last_seen=parts["seen"], freed=parts["freed"], **told)


def forget_morning(folder: Path) -> None:
    """Let the next day begin as if nothing were known of it."""
    (folder / "morning.json").unlink(missing_ok=True)


def save_state(folder: Path, state: State, learner: Learner) -> None:
    """Write the state and the weights; `current.json` is moved into place last, and the state before is removed."""
    name = f"after-{len(state.days):05d}"
    mine = folder / name
    shutil.rmtree(mine, ignore_errors=True)  # a draft that a kill left
    mine.mkdir(parents=True)
    for part in learner.parts:
        part.model.save_weights(mine / f"{part.name}.weights.h5")
    (mine / "encoder.json").write_text(state.encoder.to_json(), encoding="utf-8")
    np.savez(mine / "last_seen.npz", **state.last_seen)  # type: ignore[arg-type]  # numpy's stub has allow_pickle here
    told = {"folder": name, "days": state.days, "sizes": state.sizes, "published": state.published}
    told["nets"] = learner.describe()
    write_json(folder / "current.json", told)
    for other in folder.glob("after-*"):
        if other != mine:
            shutil.rmtree(other)


def read_state(folder: Path) -> tuple[State, Path] | None:
    """Return the last state and the folder of its weights; None where no day is done."""
    path = folder / "current.json"
    if not path.exists():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    mine = folder / told["folder"]
    with np.load(mine / "last_seen.npz") as seen:
        last_seen = {name: seen[name] for name in seen.files}
    encoder = Encoder.from_json((mine / "encoder.json").read_text(encoding="utf-8"))
    return State(encoder, told["days"], told["sizes"], last_seen, told["published"], told.get("nets", {})), mine


def load_weights(folder: Path, learner: Learner) -> None:
    """Load what `save_state` wrote into a learner of the same sizes."""
    for part in learner.parts:
        part.model.load_weights(folder / f"{part.name}.weights.h5")
