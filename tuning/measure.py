"""What a light net takes and weighs, measured as it would be served: exported, in ONNX Runtime, on real rows."""

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras import Latency, __version__, measure_latency
from rocket_keras.architecture import architecture
from rocket_keras.counting import multiply_adds
from rocket_keras.export import made_up_rows
from rocket_keras.extras import require
from rocket_keras.graph import inputs_of
from rocket_keras.onnx_graph import Unwritable, write_onnx
from rocket_keras.onnx_graph.general import write_any
from rocket_keras.onnx_runtime import onnx_feed, onnx_session
from tuning.budget import LatencyBudget
from tuning.cache import MeasurementCache, key_of

REQUESTS = 40
"""Requests of the first look at a budget: a net far above it is known by these."""
TRIES = 3
"""Measurements of a net whose median is within the budget, as long as something else runs on the machine."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One net against one budget.

    Attributes:
        parameters, multiply_adds: Sizes of the net; None where the builder refused the point.
        artefact_bytes: Size of the ONNX file; None where an exceeded limit was known before it was written.
        latency: Milliseconds; None where the budget has no limit of time, or another limit was exceeded before.
        peak_memory_mb: 10^6 bytes at the peak; None where the budget has no such limit.
        share: The largest of measured / limit, the headroom included: at most 1 where the point estimates meet the
            whole budget.
        decision: `"within"`, `"over"`, `"undecided"`, or `"failed"` where the builder refused the point.
        why: The limit that is exceeded or undecided, or why the builder refused; empty where the budget is met.
    """

    parameters: int | None = None
    multiply_adds: int | None = None
    artefact_bytes: int | None = None
    latency: dict[str, Any] | None = None
    peak_memory_mb: float | None = None
    share: float = 0.0
    decision: str = "within"
    why: str = ""


class Meter:
    """Measures nets against one budget, from the cheapest limit to the dearest, and remembers them by their shape.

    Args:
        budget: The limits.
        rows: Real inputs to draw requests from, arrays of at least `budget.batch_size` rows; None for made-up rows.
        headroom: Share of each limit of time that stays free: 0.1 asks for 90 % of the limit.
        cache: Where measurements are kept.
        seconds: When to give up on a limit of time that is undecided; it is then measured twice more, for three times
            as long.
    """

    def __init__(
        self,
        budget: LatencyBudget,
        rows: Any = None,
        headroom: float = 0.0,
        cache: MeasurementCache | None = None,
        seconds: float = 5.0,
    ):
        if not 0 <= headroom < 1:
            raise ValueError(f"expected `headroom` from 0 to below 1, received {headroom}; 0.1 keeps a tenth free")
        self.budget, self.rows, self.headroom, self.seconds = budget, rows, headroom, seconds
        self.cache = cache or MeasurementCache(None)

    @property
    def limits_ms(self) -> dict[str, float]:
        """The limits of time, less the headroom."""
        return {name: limit * (1 - self.headroom) for name, limit in self.budget.limits().items()}

    def measure(self, model: keras.Model) -> Measurement:
        """Measure an untrained net; its weights do not matter, its shape does."""
        counts: dict[str, Any] = {
            "parameters": sum(int(np.prod(v.shape)) for v in model.trainable_variables),
            "multiply_adds": multiply_adds(model),
        }
        found = Measurement(**counts)
        if self._over(found):
            return self._judged(found)
        key = key_of(net=architecture(model), runtime=_runtime(), budget=dataclasses.asdict(self.budget), **self._how())
        known = self.cache.get(key)
        if known is not None:
            return Measurement(**known)
        with tempfile.TemporaryDirectory() as folder:
            found = self._exported(model, Path(folder) / "light.onnx", found)
        disturbed = (found.latency or {}).get("disturbed", False)
        if found.decision == "within" or (found.decision == "over" and not disturbed):
            self.cache.put(key, dataclasses.asdict(found))
        return found

    def shares(self, found: Measurement) -> dict[str, float]:
        """Return measured / limit, of the whole limit, by the name of each limit that was measured."""
        measured = {**dataclasses.asdict(found), **(found.latency or {})}
        limits = {**self.budget.sizes(), **self.budget.limits()}
        return {name: measured[name] / limit for name, limit in limits.items() if measured.get(name) is not None}

    def strain(self, found: Measurement) -> float:
        """Return the largest of measured / what the headroom leaves: at most 1 where the point estimates pass; 0 where
        nothing was measured.
        """
        free = dict.fromkeys(self.budget.limits(), 1 - self.headroom)
        return max((share / free.get(name, 1.0) for name, share in self.shares(found).items()), default=0.0)

    def floor(self, model: keras.Model) -> Latency | None:
        """Measure a net that does nothing with these inputs, so what the runtime itself takes; None without a limit of
        time.
        """
        if not self.budget.limits():
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "empty.onnx"
            write_empty(model, path)
            return self._latency(path, model, self.seconds)

    def _how(self) -> dict[str, Any]:
        return {"headroom": self.headroom, "rows": self.rows is not None}

    def _exported(self, model: keras.Model, path: Path, found: Measurement) -> Measurement:
        write_untrained(model, path)
        found = dataclasses.replace(found, artefact_bytes=path.stat().st_size)
        if self._over(found):
            return self._judged(found)
        if self.budget.peak_memory_mb is not None:
            peak = peak_memory(path, self.requests_of(model), self.budget) / 1e6
            found = dataclasses.replace(found, peak_memory_mb=peak)
        if self._over(found) or not self.budget.limits():
            return self._judged(found)
        latency = self._settled(path, model)
        return self._judged(dataclasses.replace(found, latency=dataclasses.asdict(latency)))

    def _settled(self, path: Path, model: keras.Model) -> Latency:
        """Measure until the budget is decided and nothing else disturbed it; the fastest of three tries at most."""
        tries: list[Latency] = []
        while len(tries) < TRIES:
            tries.append(self._latency(path, model, self.seconds if not tries else 3 * self.seconds))
            last = tries[-1]
            hopeless = last.p50_ms > max(self.limits_ms.values())
            if last.decision == "within" or hopeless or (last.decision == "over" and not last.disturbed):
                return last
        return min(tries, key=lambda one: max(getattr(one, name) / ms for name, ms in self.limits_ms.items()))

    def _latency(self, path: Path, model: keras.Model, seconds: float) -> Latency:
        return measure_latency(
            path,
            self.budget.batch_size,
            self.limits_ms,
            self.budget.threads,
            rows=self.requests_of(model),
            requests=REQUESTS,
            warm_up=10,
            seconds=seconds,
        )

    def requests_of(self, model: keras.Model) -> Any:
        """Return rows for the net's own inputs, repeated where there are fewer than one request has."""
        if self.rows is None:
            return made_up_rows(model, self.budget.batch_size)
        rows = inputs_of(model, self.rows)
        index = np.arange(max(self.budget.batch_size, min(_count(rows), 64 * self.budget.batch_size))) % _count(rows)
        return keras.tree.map_structure(lambda column: np.asarray(column)[index], rows)

    def _over(self, found: Measurement) -> list[str]:
        """Return the limits of sizes that are exceeded."""
        return [name for name, share in self.shares(found).items() if share > 1 and name in self.budget.sizes()]

    def _judged(self, found: Measurement) -> Measurement:
        """Add the share, the decision and the reason."""
        shares, exceeded = self.shares(found), self._over(found)
        decision = "over" if exceeded else (found.latency or {}).get("decision") or "within"
        guilty = exceeded or [name for name in shares if name in self.budget.limits()]
        why = "" if decision == "within" else self._told(found, max(guilty, key=shares.__getitem__), decision)
        return dataclasses.replace(found, share=float(max(shares.values())), decision=decision, why=why)

    def _told(self, found: Measurement, worst: str, decision: str) -> str:
        if not worst.endswith("_ms"):
            value, limit = getattr(found, worst), getattr(self.budget, worst)
            form = ",.5g" if worst == "peak_memory_mb" else ","
            return f"{worst} {value:{form}} above {limit:{form}}"
        latency = found.latency or {}
        name, (low, high) = worst.removesuffix("_ms"), latency[f"{worst.removesuffix('_ms')}_interval"]
        bounds = f"{low:.3f} to {'?' if high is None else f'{high:.3f}'}"
        free = f" ({self.headroom:.0%} of {getattr(self.budget, worst):g} ms stay free)" if self.headroom else ""
        free += ", while something else ran on the machine" if latency["disturbed"] else ""
        word = "above" if decision == "over" else "undecided against"
        return f"{name} {latency[worst]:.3f} ms ({bounds}) {word} {self.limits_ms[worst]:.4g} ms{free}"


def write_untrained(model: keras.Model, path: Path) -> None:
    """Write a net's ONNX file without running the net: its numbers are checked when it is trained."""
    try:
        write_onnx(model, path)
    except Unwritable:
        # A net with layers that have no lines of ours goes through Keras's exporter, which wants it called once.
        keras.tree.map_structure(keras.ops.convert_to_numpy, model(made_up_rows(model, 2), training=False))
        write_any(model, path)


def write_empty(model: keras.Model, path: Path) -> None:
    """Write an ONNX file with the net's inputs and the first one's shape as output: nothing else is computed."""
    onnx = require("onnx", "serve")
    make = onnx.helper
    kinds = {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "uint8": 2}
    inputs = [
        make.make_tensor_value_info(t.name, kinds[keras.backend.standardize_dtype(t.dtype)], ["batch", *t.shape[1:]])
        for t in model.inputs
    ]
    nodes = [make.make_node("Shape", [inputs[0].name], ["shape"]), make.make_node("Cast", ["shape"], ["out"], to=1)]
    output = make.make_tensor_value_info("out", 1, [len(model.inputs[0].shape)])
    graph = make.make_graph(nodes, "empty", inputs, [output])
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9), str(path))


def peak_memory(path: Path, rows: Any, budget: LatencyBudget) -> int:
    """Return the bytes that opening a net and answering requests adds to a fresh process at its peak.

    Raises:
        ArithmeticError: The fresh process could not tell.
    """
    feed: dict[str, Any] = onnx_feed(onnx_session(path, budget.threads), rows)
    request = path.with_suffix(".npz")
    np.savez(request, **{name: column[: budget.batch_size] for name, column in feed.items()})
    script = Path(__file__).with_name("peak_memory.py")
    command = [sys.executable, str(script), str(path), str(request), str(budget.threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ArithmeticError(f"the peak of memory could not be measured: {' '.join(done.stderr.split())[-300:]}")
    return int(json.loads(done.stdout))


def _count(rows: Any) -> int:
    return len(keras.tree.flatten(rows)[0])


def _runtime() -> str:
    # Layers that we do not write go through Keras's exporter, whose file depends on the backend and on its version.
    keras_of = f"keras {keras.__version__} on {keras.backend.backend()}"
    return f"onnxruntime {require('onnxruntime', 'serve').__version__}, rocket-keras {__version__}, {keras_of}"
