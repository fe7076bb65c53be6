"""What a net computes of a candidate alone: it is computed when the candidate is met first, and remembered."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from rocket_keras.extras import require
from rocket_keras.onnx_graph.sides import Sides, split_by_side
from rocket_keras.onnx_runtime import numpy_type, onnx_run, onnx_session

AT_ONCE = 4096
"""Candidates that are computed at once: more of them take more memory, not less time."""


class Ahead:
    """A net in two: up to where candidate and user meet, and from there on.

    Both are exact up to rounding. The weights are in memory once, but for those behind the meeting.

    Args:
        sides: The net.
        threads: Threads of ONNX Runtime.
    """

    def __init__(self, sides: Sides, threads: int = 1) -> None:
        self.session = onnx_session(sides.ahead(), threads)
        self._candidate, self._user = list(sides.candidate), list(sides.user)
        inputs = self.session.get_inputs()
        # One row of zeros for what a part does not need and the runtime asks for.
        self._nothing = {i.name: np.zeros([1, *i.shape[1:]], numpy_type(i)) for i in inputs}
        values = {value.name: value for value in [*inputs, *self.session.get_outputs()]}
        types = {n: (numpy_type(values[n]), values[n].shape) for n in self._candidate + self._user}
        self._rest = onnx_session(sides.rest(types), threads)
        self._part = require("onnxruntime", "serve").RunOptions()
        self._part.only_execute_path_to_fetches = True

    @classmethod
    def of(cls, model: Any, mine: Collection[str], threads: int = 1) -> "Ahead | None":
        """Return the net in two; None where a candidate's own part is not worth it.

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
            self._fetch(self._candidate, {name: rows[begin : begin + AT_ONCE] for name, rows in inputs.items()})
            for begin in range(0, count, AT_ONCE)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in self._candidate}

    def logits(self, candidates: Mapping[str, np.ndarray], user: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the net's output, `(candidates, logits)`.

        Args:
            candidates: What is computed of each candidate alone.
            user: The user's inputs, one row each.
        """
        return onnx_run(self._rest, {**candidates, **self._fetch(self._user, user)})

    def _fetch(self, names: list[str], inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = {name: inputs[name] for name in names if name in inputs}
        rest = [name for name in names if name not in found]
        if rest:
            found |= zip(rest, self.session.run(rest, {**self._nothing, **inputs}, self._part), strict=True)
        return found
