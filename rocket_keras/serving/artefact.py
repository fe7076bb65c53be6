"""What travels inside an ONNX file beside the net: how raw values become its inputs, and a check of its logits."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.extras import require
from rocket_keras.onnx_runtime import onnx_feed, onnx_run
from rocket_keras.serving.seal import BLANK, seal
from rocket_keras.serving.seal import KEY as SEAL

KEY, FORMAT = "rocket_keras", "rocket-keras light net 1"
CHECKED_ROWS = 3
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Artefact:
    """What is told of a net in its file.

    Attributes:
        name: Name of the net.
        encoder: JSON text of what turns raw values into inputs; None for a net that takes its inputs as they are.
        once: Names of the inputs that a request has once, for all its candidates.
        rows: Inputs by name, a few rows.
        logits: What Keras said of them, `(rows, logits)`.
        tolerance: By how much the file's own may differ, relative to logits above 1.
        choices: What was chosen by measurement when it was exported, and what was measured; see `Requests`.
    """

    name: str
    encoder: str | None = None
    once: tuple[str, ...] = ()
    rows: Mapping[str, Any] = field(default_factory=dict)
    logits: Any = ()
    tolerance: float = TOLERANCE
    choices: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text that `read_artefact` finds in the file."""
        plain = {name: np.asarray(column).tolist() for name, column in self.rows.items()}
        told = {"format": FORMAT, "name": self.name, "encoder": self.encoder, "once": list(self.once)}
        check = {"rows": plain, "logits": np.asarray(self.logits).tolist(), "tolerance": self.tolerance}
        return json.dumps({**told, "check": check, "choices": dict(self.choices)})


def write_artefact(path: str | Path, artefact: Artefact) -> None:
    """Add what is told of a net to its ONNX file."""
    onnx = require("onnx", "serve")
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {KEY: artefact.to_json(), SEAL: BLANK})
    onnx.save(model, str(path))
    seal(path)


def read_artefact(session: Any, path: str | Path = "the ONNX file", check: bool = True) -> Artefact:
    """Return what is told of a net, and make sure that it still says what it said when it was exported.

    Args:
        session: ONNX Runtime's session of the file.
        path: What to call the file in errors.
        check: Whether to run the net on the rows of the export.

    Raises:
        ValueError: The file tells nothing, or something else than `export_light` writes, or the net's logits are
            others than those of the export. One line.
    """
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise ValueError(
            f"expected a light net with its preprocessing in {path}, received an ONNX file without; write it with "
            "rocket-keras export, or export_light(..., encoder=...)"
        )
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}")
        told = content["check"]
        logits, tolerance = np.array(told["logits"]), float(told["tolerance"])
        artefact = Artefact(
            content["name"], content["encoder"], tuple(content["once"]), told["rows"], logits, tolerance,
            dict(content.get("choices", {})),  # files of earlier versions have none
        )  # fmt: skip
        if not isinstance(artefact.name, str) or not isinstance(artefact.rows, dict):
            raise ValueError("no name, or no rows")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"expected {FORMAT!r} in {path}, received something else ({type(error).__name__}: {error}); export it again"
        ) from error
    if check and artefact.rows:
        _check(session, artefact, path)
    return artefact


def checked_logits(session: Any, artefact: Artefact) -> np.ndarray:
    """Return what the net says of the rows of the export, `(rows, logits)`."""
    return onnx_run(session, onnx_feed(session, request_rows(artefact.rows, artefact.once)))


def request_rows(rows: Mapping[str, Any], once: Collection[str]) -> dict[str, Any]:
    """Return rows as one request has them: of the columns in `once` the first row alone."""
    return {name: column[:1] if name in once else column for name, column in rows.items()}


def _check(session: Any, artefact: Artefact, path: str | Path) -> None:
    try:
        with np.errstate(all="ignore"):  # of numbers that are none of the export's
            found = checked_logits(session, artefact)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path} cannot run its own check ({error}); export it again") from error
    wanted = np.asarray(artefact.logits)
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=artefact.tolerance, atol=artefact.tolerance):
        raise ValueError(
            f"expected the logits of the export from {path}, received others; the file was changed, so export it again"
        )
