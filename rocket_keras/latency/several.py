"""Latencies of several nets that are compared: those of one graph have one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rocket_keras.latency.measure import Latency, measure_latency
from rocket_keras.latency.structure import graph_structure

TRIES = 3
"""Measurements of a graph, as long as something else runs on the machine."""


def measure_each(
    files: Mapping[str, Path], known: dict[str, Latency] | None = None, **options: Any
) -> dict[str, Latency]:
    """Measure exported nets; those of one graph, whatever their weights, are measured once and share the number.

    A measurement that was disturbed is repeated, three times in all at most; then the one with the smallest p99 stays,
    which says that it was disturbed.

    Args:
        files: ONNX files by name.
        known: Latencies by the structure of a graph, from earlier calls with the same options; new ones are added.
        **options: Of `measure_latency`.

    Returns:
        The latency of each file.
    """
    known = {} if known is None else known
    found = {}
    for name, file in files.items():
        structure = graph_structure(file)
        if structure not in known:
            known[structure] = _settled(file, options)
        found[name] = known[structure]
    return found


def _settled(file: Path, options: Mapping[str, Any]) -> Latency:
    tries: list[Latency] = []
    while len(tries) < TRIES:
        tries.append(measure_latency(file, **options))
        if not tries[-1].disturbed and tries[-1].steady is not False:
            return tries[-1]
    return min(tries, key=lambda latency: latency.p99_ms)
