"""The report of a launch: a table for the terminal, and the run folder's two plots and report.html.

`metrics` is the content of metrics.json throughout.
"""

import base64
from pathlib import Path
from typing import Any

from rocket_keras.latency.plots import plane_figure
from rocket_keras.page import report_page
from rocket_keras.plots import comparison_figure, learning_curves_figure
from rocket_keras.summary import NET_NAMES, latency_note, summary_rows

__all__ = ["print_table", "summary_rows", "write_report"]


def write_report(metrics: dict[str, Any], folder: Path) -> None:
    """Writes the plots as PNG, and report.html, which holds them and needs no network.

    learning_curves.png, comparison.png, and, where latencies were measured, latency_quality.png.

    Args:
        metrics: the content of metrics.json.
        folder: the run folder; made where it does not exist.

    Raises:
        ImportError: matplotlib is not installed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"learning_curves": learning_curves_figure(metrics), "comparison": comparison_figure(metrics)}
    budgets = [net["latency"].get("budget_ms") for net in metrics["nets"].values() if net["latency"]]
    if plane := plane_figure(metrics["nets"], budgets[0] if budgets else None):
        figures["latency_quality"] = plane
    plots = {}
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=160)
        plots[name] = base64.b64encode(path.read_bytes()).decode()
    (folder / "report.html").write_text(report_page(metrics, plots), encoding="utf-8")


def print_table(metrics: dict[str, Any], console: Any) -> None:
    """Prints the table of `summary_rows`, and the setting of its latencies below it.

    A row is a net where the console is wide enough, else a column is, so that no number is cut.

    Args:
        metrics: the content of metrics.json.
        console: a `rich.console.Console`.
    """
    # Rich comes with Keras; it is loaded only where a table is printed.
    from rich.markup import escape
    from rich.table import Table

    rows = summary_rows(metrics)
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    columns = list(zip(*lines, strict=True))
    # Each column takes two blanks and a border.
    if sum(max(map(len, column)) + 3 for column in columns) + 1 > console.width:
        lines, columns = [list(column) for column in columns], [tuple(line) for line in lines]
    light = NET_NAMES["light"]
    table = Table(title=escape(f"{metrics['entry']}: test split"))
    for index, column in enumerate(columns):
        style = "bold" if column[0] == light else None
        table.add_column(escape(column[0]), justify="right" if index else "left", style=style, no_wrap=not index)
    for line in lines[1:]:
        table.add_row(*map(escape, line), style="bold" if line[0] == light else None)
    console.print(table)
    console.print(escape(latency_note(metrics)), highlight=False)
