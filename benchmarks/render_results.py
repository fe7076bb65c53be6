"""Writes measured launches into README.md and comparisons into docs/results.md, from zoo/results; measures nothing.

python benchmarks/render_results.py [--check] [--readme README.md] [--comparisons docs/results.md] [--results FOLDER]

launch_*.json is the `summary.json` of `rocket-keras launch ENTRY --seeds N`, compare_*.json the `compare.json` of
`rocket-keras compare ENTRY`. compare_ENTRY_PART.json is a further comparison of the entry; its heading ends in PART.
Only what stands between the markers changes.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import zoo
from rocket_keras.compare.findings import CAUTION, findings
from rocket_keras.compare.table import grid_rows, markdown
from rocket_keras.page import recipe_words
from rocket_keras.summary import (
    CTR_QUALITIES,
    MISSING,
    NET_NAMES,
    format_number,
    is_accuracy,
    latency_marks,
    latency_note,
    nets_in_order,
)

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
PACKAGES = ("keras", "jax", "tensorflow", "tensorflow-cpu", "torch")
LOG_LOSS = "log_loss"  # left out of the README's table, which has the ranking metrics


def read_summaries(folder: Path) -> list[dict[str, Any]]:
    """The launches of a folder in the order of the zoo's table, an entry's several runs by file name.

    Raises:
        ValueError: a file is not a launch's summary over two seeds or more. One line, with the file.
    """
    found = _read(folder, "launch_*.json")
    for path, summary in found:
        if len(summary.get("seeds", ())) < 2:
            raise ValueError(
                f"{path}: expected a summary over two seeds or more, received seeds {summary.get('seeds')}; "
                f"copy summary.json of `rocket-keras launch {summary['entry']} --seeds 3`"
            )
    return [summary for _, summary in found]


def read_comparisons(folder: Path) -> list[dict[str, Any]]:
    """The comparisons of a folder in the order of the zoo's table.

    Raises:
        ValueError: a file is not a complete comparison. One line, with the file.
    """
    found = _read(folder, "compare_*.json")
    for path, result in found:
        if not result.get("complete"):
            raise ValueError(
                f"{path}: expected a complete comparison, received one that was interrupted; "
                f"run `rocket-keras compare {result['entry']}` to its end and copy compare.json"
            )
    return [{**result, "part": "".join(path.stem.split("_", 2)[2:])} for path, result in found]


def _read(folder: Path, pattern: str) -> list[tuple[Path, dict[str, Any]]]:
    order, found = zoo.list_entries(), []
    for path in sorted(folder.glob(pattern)):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("entry") not in order:
            raise ValueError(
                f"{path}: expected an entry of the zoo, received {content.get('entry')!r}; remove the file"
            )
        found.append((path, content))
    return sorted(found, key=lambda item: order.index(item[1]["entry"]))


def render(summaries: list[dict[str, Any]]) -> str:
    """Markdown: for each launch a line that says what was scored, a table, and a line that says how it was measured."""
    return "\n\n".join(f"{_heading(summary)}\n\n{_table(summary)}\n\n{_caption(summary)}" for summary in summaries)


def with_results(readme: str, tables: str) -> str:
    """`readme` with `tables` between the markers.

    Raises:
        ValueError: the markers do not stand in it once each, in order.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise ValueError(f"expected the lines {BEGIN} and {END} once each, in this order; put them into the document")
    before, rest = readme.split(BEGIN)
    middle = f"\n\n{tables}\n\n" if tables else "\n"
    return f"{before}{BEGIN}{middle}{END}{rest.split(END)[1]}"


def _heading(summary: dict[str, Any]) -> str:
    data, seeds = summary["dataset"], ", ".join(map(str, summary["seeds"]))
    rows = data["rows"]["test"]
    return (
        f"**{summary['entry']}**: {rows:,} test rows of {data['name']}, mean ± standard deviation over seeds {seeds}."
    )


def _table(summary: dict[str, Any]) -> str:
    scores = {"accuracy": "test accuracy %"} if is_accuracy(summary) else _present_qualities(summary)
    titles = ["net", *scores.values(), "parameters", "multiply-adds", "p50 ms", "p99 ms"]
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    for name, net in nets_in_order(summary).items():
        latency = net["latency"] or {}
        cells = [
            NET_NAMES[name],
            *(_spread(net["test"][key], key) for key in scores),
            f"{net['parameters']:,}",
            f"{net['multiply_adds']:,}",
            format_number(latency.get("p50_ms")),
            format_number(latency.get("p99_ms")) + latency_marks(latency),
        ]
        lines.append([f"**{cell}**" for cell in cells] if name == "light" else cells)
    bayes = summary["dataset"].get("bayes")
    if bayes:
        lines.append(["Bayes optimum", *(f"{bayes[key]:.4f}" for key in scores), *[MISSING] * 4])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _present_qualities(summary: dict[str, Any]) -> dict[str, str]:
    measured = summary["nets"]["base"]["test"]
    return {key: f"test {title}" for key, title in CTR_QUALITIES.items() if key in measured and key != LOG_LOSS}


def _spread(score: dict[str, Any], key: str) -> str:
    if not math.isfinite(score["mean"]):
        return MISSING
    scale, decimals = (100, 2) if key == "accuracy" else (1, 4)
    return f"{scale * score['mean']:.{decimals}f} ± {scale * score['std']:.{decimals}f}"


def _caption(summary: dict[str, Any]) -> str:
    return f"{latency_note(summary)} Latencies are medians over the seeds. {_trained(summary)}"


def _trained(result: dict[str, Any]) -> str:
    """With which versions, on which device and by which command."""
    versions = ", ".join(f"{name} {result['versions'][name]}" for name in PACKAGES if name in result["versions"])
    commit = f", reported at commit `{result['git_commit']}`" if result["git_commit"] else ""
    return f"Trained with {versions} on {result['device']}{commit}: `{result['command']}`."


def render_comparisons(results: list[dict[str, Any]]) -> str:
    """Markdown: of each comparison the findings, the table, the grid, and how it was run."""
    return "\n\n".join(map(_comparison, results))


def _comparison(result: dict[str, Any]) -> str:
    found, grid = "\n".join(f"- {text}" for text in findings(result)), grid_rows(result)
    heading = ", ".join(part for part in (result["entry"], result.get("part")) if part)
    parts = [f"## {heading}", found and f"{found}\n\n{CAUTION}", markdown(result)]
    if grid:
        lines = [list(grid[0]), ["---", *["---:"] * (len(grid[0]) - 1)], *(list(row.values()) for row in grid)]
        metric = "accuracy %" if result["metric"] == "accuracy" else "AUC"
        parts.append(f"Validation {metric} at seed {result['seeds'][0]} by factor of the hint weights:")
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
    parts += [f"Recipe: {recipe_words(result)}.", f"{result['dataset']['source']} {_trained(result)}"]
    return "\n\n".join(part for part in parts if part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the document would change")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help="document with the launches")
    parser.add_argument(
        "--comparisons", type=Path, default=ROOT / "docs" / "results.md", help="document with the comparisons"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "zoo" / "results", help="folder of the JSON files")
    arguments = parser.parse_args()
    documents = {
        arguments.readme: render(read_summaries(arguments.results)),
        arguments.comparisons: render_comparisons(read_comparisons(arguments.results)),
    }
    for document, text in documents.items():
        before = document.read_text(encoding="utf-8")
        after = with_results(before, text)
        if not arguments.check:
            document.write_text(after, encoding="utf-8")
        elif before != after:
            sys.exit(f"{document} differs from {arguments.results}: run python benchmarks/render_results.py")


if __name__ == "__main__":
    main()
