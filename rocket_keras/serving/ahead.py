"""What a net computes of a candidate alone: it is computed when the candidate is met first, and remembered."""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.extras import require
from rocket_keras.onnx_graph import USER_BATCH
from rocket_keras.onnx_graph.sides import Sides, split_by_side
from rocket_keras.onnx_runtime import numpy_type, onnx_run_all, onnx_session

AT_ONCE = 4096
"""Candidates that are computed at once: more of them take more memory, not less time."""


class Ahead:
    """A net in three: a candidate's own part, the user's own part, and what needs both. Exact up to rounding.

    Args:
        sides: The net.
        threads: Threads of ONNX Runtime.
    """

    def __init__(self, sides: Sides, threads: int = 1) -> None:
        models = {name: sides.part(ends) for name, ends in (("candidate", sides.candidate), ("user", sides.user))}
        # A table of fields of both: not twice in memory.
        self._shared = _tables_of_both(*models.values())
        self._candidate = _Part(models["candidate"], sides.candidate, threads, self._shared)
        self._user = _Part(models["user"], sides.user, threads, self._shared)
        types = sides.input_types() | self._candidate.types | self._user.types
        self._rest = _Part(sides.rest(types), sides.output, threads)

    @classmethod
    def of(cls, model: Any, mine: Collection[str], threads: int = 1) -> "Ahead | None":
        """Return the net in three; None where a candidate's own part is not worth it.

        Args:
            model: The ONNX model.
            mine: Names of the inputs that each candidate has its own row of.
            threads: Threads of ONNX Runtime.
        """
        sides = split_by_side(model, mine)
        return None if sides is None else cls(sides, threads)

    def candidates(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what is computed of each candidate alone, `(candidates, ...)` each."""
        count = len(next(iter(inputs.values())))
        parts = [
            self._candidate.run({name: rows[begin : begin + AT_ONCE] for name, rows in inputs.items()})
            for begin in range(0, count, AT_ONCE)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def logits(self, candidates: Mapping[str, np.ndarray], user: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the net's output, `(candidates, logits)`.

        Args:
            candidates: What is computed of each candidate alone.
            user: The user's inputs, one row each.
        """
        (logits,) = self._rest.run({**candidates, **self._user.run(user)}).values()
        return logits


class _Part:
    """A part of a net.

    Args:
        model: The ONNX model; None where there is nothing to compute.
        ends: Tensors that it gives; its inputs may be among them.
        threads: Threads of ONNX Runtime.
        shared: Tables that are in memory once for several parts.
    """

    def __init__(self, model: Any, ends: Sequence[str], threads: int, shared: Mapping[str, Any] | None = None) -> None:
        self._session, self._ends, self.types = None, list(ends), dict[str, tuple[Any, Sequence[Any]]]()
        self._inputs, self._computed = list[str](), list[str]()
        if model is None:
            return
        with tempfile.TemporaryDirectory() as folder:  # the runtime keeps the bytes that it is given
            path = Path(folder) / "part.onnx"
            require("onnx", "serve").save(model, str(path))
            self._session = onnx_session(path, threads, shared)
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._computed = [value.name for value in self._session.get_outputs()]
        self.types = {value.name: (numpy_type(value), value.shape) for value in self._session.get_outputs()}

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return its tensors, by name."""
        found = {name: inputs[name] for name in self._ends if name in inputs}
        if self._session is not None:
            feed = {name: inputs[name] for name in self._inputs}
            found |= zip(self._computed, onnx_run_all(self._session, feed), strict=True)
        return found


def one_row_inputs(session: Any) -> set[str]:
    """Return the inputs of a net that have one row a request, or may have one."""
    return {value.name for value in session.get_inputs() if value.shape[:1] in ([1], [USER_BATCH])}


def _tables_of_both(*models: Any) -> dict[str, Any]:
    """Return the tables that two models have in common, as ONNX Runtime takes them."""
    weights = [{} if m is None else {w.name: w for w in m.graph.initializer if len(w.dims) == 2} for m in models]
    to_array, value = require("onnx", "serve").numpy_helper.to_array, require("onnxruntime", "serve").OrtValue
    common = {name: to_array(weight) for name, weight in weights[0].items() if name in weights[1]}
    return {name: value.ortvalue_from_numpy(array) for name, array in common.items()}
