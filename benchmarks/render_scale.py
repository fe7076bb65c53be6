"""Writes what the benchmarks of scale measured into docs/scale.md and docs/daily.md; measures nothing.

python benchmarks/render_scale.py [--check] [--docs docs] [--results benchmarks/results]

Only what stands between the markers changes. With --check nothing is written, and the exit status is 1 where a document
does not say what the results say.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BACKENDS = ("jax", "tensorflow", "torch")
PASSES = {"stream": "one epoch of a `Stream`", "learn": "`learn_encoder`"}
METHODS = {"base": "base", "distilled": "distilled daily", "rocket": "rocket"}
LOGS = {
    "drift": "Drifting log: 30 days of 40,000 rows; a light net 16-8 below a booster 256-128-64",
    "ml100k": "MovieLens-100k by weeks: 31 weeks of 1,150 to 8,972 rows; the same nets",
}


def read(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return the results of a benchmark by backend."""
    paths = {backend: folder / f"{name}_{backend}.json" for backend in BACKENDS}
    return {backend: json.loads(path.read_text(encoding="utf-8")) for backend, path in paths.items() if path.exists()}


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table, the columns behind the first aligned to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def scale(folder: Path) -> str:
    """Return what docs/scale.md shows."""
    parts = [embeddings(read(folder, "embedding_scale")), streaming(read(folder, "streaming"))]
    parts += [wire(read(folder, "wire_bytes"))]
    return "\n\n".join(part for part in parts if part)


def embeddings(found: dict[str, dict[str, Any]]) -> str:
    if not found:
        return ""
    one = next(iter(found.values()))
    sizes = sorted({int(name.split()[1]) for record in found.values() for name in record["step_ms"]})
    rows = []
    for backend, record in found.items():
        for kind in ("sparse", "plain"):
            cells = [
                f"{record['step_ms'][f'{kind} {n}']:.1f}" if f"{kind} {n}" in record["step_ms"] else "" for n in sizes
            ]
            growth = record["ratios"].get(f"{kind} {10**7} / {kind} {10**5}")
            memory = record["memory_in_tables"].get(f"{kind} {10**7}", {}).get("training")
            last = [f"{growth['median']:.2f}" if growth else "", f"{memory:.2f}" if memory is not None else ""]
            rows.append([f"{backend}, {kind}", *cells, *last])
    head = ["step, ms", *[f"{n:,} rows" for n in sizes], "10^7 / 10^5", "memory at 10^7, in tables"]
    return (
        "## Tables\n\n"
        f"`benchmarks/embedding_scale.py`: {one['fields']} fields, {one['dim']} columns, batches of "
        f"{one['batch_size']:,}, {one['device']}, {one['omp_num_threads'] or 'all'} thread(s). *sparse* is "
        "`SparseEmbedding` with row-wise Adagrad, *plain* Keras's `Embedding` with its Adagrad. Ratios are medians of "
        "ratios within rounds; memory is what training takes beyond a table of 10^4 rows, in sizes of the table (table "
        "and accumulators: 1.06).\n\n" + table(head, rows) + "\n\n" + bars(found, "embedding_scale")
    )


def streaming(found: dict[str, dict[str, Any]]) -> str:
    if not found:
        return ""
    rows = []
    for backend, record in found.items():
        for case, told in record["cases"].items():
            if "rows_a_second" not in told:
                continue
            speed = told["rows_a_second"]
            cells = [f"{speed['reading']:,}", f"{speed['memory']:,}", f"{speed['reading'] / speed['memory']:.0f}"]
            rows.append([f"{backend}, {case}", *cells])
    head = ["rows a second", "read and encoded", "trained on from memory", "ratio"]
    one = next(iter(found.values()))
    return (
        "## Reading\n\n"
        f"`benchmarks/streaming.py`, {one['device']}; adsim is Parquet of 16 columns, criteo the official text of "
        "39.\n\n" + table(head, rows) + "\n\n" + memory(found) + bars(found, "streaming")
    )


def memory(found: dict[str, dict[str, Any]]) -> str:
    """Return the table of what a pass takes by the log's length; nothing where none was measured."""
    rows, sizes = [], list[int]()
    for backend, record in found.items():
        for what, points in record["cases"].get("memory", {}).items():
            sizes = [one["log_rows"] for one in points]
            rows.append([f"{backend}, {PASSES[what]}", *[f"{one['beyond'] / 2**20:.1f}" for one in points]])
    if not rows:
        return ""
    head = ["MiB beyond the start", *[f"log of {size:,} rows" for size in sizes]]
    return "Memory of a pass, by the length of the log:\n\n" + table(head, rows) + "\n\n"


def wire(found: dict[str, dict[str, Any]]) -> str:
    if not found:
        return ""
    rows = []
    for backend, record in found.items():
        for case, told in record["bytes_a_step"].items():
            if told.get("formula"):
                measured, formula = told["measured"], told["formula"]
                cells = [f"{measured:,.0f}", f"{formula:,.0f}", f"{measured / formula:.3f}"]
                rows.append([f"{backend}, {case}", *cells])
    one = next(iter(found.values()))
    return (
        "## The wire\n\n"
        f"`benchmarks/wire_bytes.py`: {one['processes']} processes, {one['fields']} fields of {one['dim']} columns "
        f"over {one['rows']:,} rows, batches of {one['batch_size_a_process']} each, bytes of both together with all "
        "headers.\n\n" + table(["bytes a step", "measured", "formula", "ratio"], rows)
    )


def bars(found: dict[str, dict[str, Any]], name: str) -> str:
    """Return one line: which bars hold, and the ones that do not."""
    every = [(backend, one) for backend, record in found.items() for one in record["bars"]]
    missed = [
        f"{one['what']}, {backend}: {one['value']:g} ({one['limit']})" for backend, one in every if not one["holds"]
    ]
    held = len(every) - len(missed)
    told = f"{held} of {len(every)} limits of `benchmarks/results/{name}_*.json` hold"
    return f"{told}; missed: {'; '.join(missed)}." if missed else f"{told}."


def daily(folder: Path) -> str:
    """Return what docs/daily.md shows."""
    parts = []
    for log, told in LOGS.items():
        for backend, record in read(folder, f"daily_{log}").items():
            parts.append(_daily(record, told, backend))
    return "\n\n".join(parts)


def _daily(record: dict[str, Any], told: str, backend: str) -> str:
    rows = []
    for method, name in METHODS.items():
        mine = record["methods"][method]
        scores = [_spread(mine["light"][score]) for score in ("auc", "gauc", "log_loss", "calibration")]
        booster = _spread(mine["booster"]["auc"]) if "booster" in mine else ""
        seconds = [f"{mine[key]['mean']:,.0f}" for key in ("training_seconds", "seconds") if key in mine]
        rows.append([name, *scores, booster, *seconds])
    whole = ["whole days, s"] if len(rows[0]) > 7 else []
    head = ["light net", "AUC", "GAUC", "log loss", "calibration", "booster's AUC", "training, s", *whole]
    setting = record["setting"]
    lines = [f"- {one['what']}: {one['value']:g}, limit {one['limit']}: {_word(one)}." for one in record["bars"]]
    above, methods = record["rocket_above"]["distilled"], record["methods"]
    ratio = methods["rocket"]["training_seconds"]["mean"] / methods["distilled"]["training_seconds"]["mean"]
    gained = ", ".join(f"{gain:+.4f}" for gain in above["by_seed"])
    lines.append(
        f"- Against distilling daily: AUC {gained} by seed, above it on {above['days_above']:.0%} of the days, in "
        f"{ratio:.2f} of its training seconds."
    )
    return (
        f"{told}; {setting['seeds']} seeds, {backend}, {record['device']}. Mean ± standard deviation over seeds of the "
        "mean over the days, the first quarter left out.\n\n" + table(head, rows) + "\n\n" + "\n".join(lines)
    )


def _word(one: dict[str, Any]) -> str:
    return "holds" if one["holds"] else "missed"


def _spread(value: dict[str, float]) -> str:
    return f"{value['mean']:.4f} ± {value['sd']:.4f}"


def written(text: str, name: str, content: str) -> str:
    """Return a document with this content between the markers `name:begin` and `name:end`."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"expected the markers {begin} and {end} once each; put them back")
    return re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{content}\n{end}", text, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    stale = []
    for name, render in (("scale", scale), ("daily", daily)):
        path = options.docs / f"{name}.md"
        before = path.read_text(encoding="utf-8")
        after = written(before, name, render(options.results))
        if after != before:
            stale.append(str(path))
            if not options.check:
                path.write_text(after, encoding="utf-8")
    if options.check and stale:
        sys.exit(f"{', '.join(stale)}: expected what the results say, received something else; run {sys.argv[0]}")


if __name__ == "__main__":
    main()
