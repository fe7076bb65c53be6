"""The files of a run: written whole or not at all, so that a kill at any time leaves a state to go on from."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from rocket_keras.architecture import first_difference
from rocket_keras.json_file import write_json

REMEDY = "Choose another folder with --out (`folder=` in Python), or remove that one."
"""What to do about a folder of another run."""


def claim(folder: Path, settings: dict[str, Any], nets: Mapping[str, Any] | None = None) -> None:
    """Take the folder for a run with these settings and nets, or go on with one that was begun with the same.

    Args:
        folder: Of the run.
        settings: All that must be the same.
        nets: By name what `rocket_keras.architecture.describe_net` says of nets that are built now. They are compared
            with the nets of these names that the folder knows; the others are noted in it.

    Raises:
        ValueError: The folder holds a run with other settings or nets; the first difference is named.
    """
    path = folder / "run.json"
    begun = path.exists()
    before = json.loads(path.read_text(encoding="utf-8")) if begun else {}
    known = before.pop("nets", {})
    wanted, made = json.loads(json.dumps([settings, nets or {}]))
    for key in sorted(set(before) | set(wanted)) if begun else ():
        if before.get(key) != wanted.get(key):
            raise ValueError(
                f"{folder} holds a run with {key}={before.get(key)}, and this one has {key}={wanted.get(key)}. {REMEDY}"
            )
    check_nets(folder, known, made)
    if not begun or made.keys() - known.keys():
        write_json(path, {**wanted, **({"nets": {**known, **made}} if known or made else {})})


def check_nets(folder: Path, known: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Raise where nets are described otherwise than those of the same names that a folder knows.

    Raises:
        ValueError: The first difference is named.
    """
    for name in [name for name in made if name in known]:
        difference = first_difference(known[name], json.loads(json.dumps(made[name])))
        if difference:
            raise ValueError(
                f"{folder} holds a run with other nets than are built now, in {name}, {difference}. {REMEDY}"
            )


class Checkpoint(keras.callbacks.Callback):
    """Saves weights, optimizer and history after each epoch; the JSON file is the last to appear and names the weights.

    Args:
        folder: Folder of this one training.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder
        self.state: dict[str, Any] = {"epoch": 0, "seconds": 0.0, "history": {}, "weights": None}
        if (folder / "state.json").exists():
            self.state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        self.seconds = 0.0

    def restore(self, model: keras.Model) -> int:
        """Load the last saved epoch into the built and compiled model; return the number of finished epochs."""
        if self.state["weights"] is not None:
            model.optimizer.build(model.trainable_variables)
            model.load_weights(self.folder / self.state["weights"])
        return self.state["epoch"]

    def remove(self) -> None:
        """Remove the saved state, once what is wanted of it lies elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save; `seconds` is the training time of this epoch, set by whoever measures it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        old, name = self.state["weights"], f"epoch-{epoch + 1:04d}.weights.h5"
        draft = self.folder / f"part-{name}"
        self.model.save_weights(draft, overwrite=True)
        draft.replace(self.folder / name)
        history = self.state["history"]
        for key, value in (logs or {}).items():
            history.setdefault(key, []).append(float(value))
        self.state = {
            "epoch": epoch + 1,
            "seconds": self.state["seconds"] + self.seconds,
            "history": history,
            "weights": name,
        }
        write_json(self.folder / "state.json", self.state)
        if old not in (None, name):
            (self.folder / old).unlink(missing_ok=True)
