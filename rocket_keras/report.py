"""The report of a launch: a table for the terminal, and the run folder's two plots and report.html.

`metrics` is the content of metrics.json throughout.
"""

import base64
from pathlib import Path
from typing import Any

from rocket_keras.page import report_page
from rocket_keras.plots import comparison_figure, learning_curves_figure
from rocket_keras.summary import NET_NAMES, latency_note, summary_rows

__all__ = ["print_table", "summary_rows", "write_report"]


def write_report(metrics: dict[str, Any], folder: Path) -> None:
    """Writes learning_curves.png, comparison.png and report.html, which holds both plots and needs no network.

    Args:
        metrics: the content of metrics.json.
        folder: the run folder; made where it does not exist.

    Raises:
        ImportError: matplotlib is not installed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"learning_curves": learning_curves_figure(metrics), "comparison": comparison_figure(metrics)}
    plots = {}
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=160)
        plots[name] = base64.b64encode(path.read_bytes()).decode()
    (folder / "report.html").write_text(report_page(metrics, plots), encoding="utf-8")


def print_table(metrics: dict[str, Any], console: Any) -> None:
    """Prints the table of `summary_rows`, and the setting of its latencies below it.

    Args:
        metrics: the content of metrics.json.
        console: a `rich.console.Console`.
    """
    # Rich comes with Keras; it is loaded only where a table is printed.
    from rich.markup import escape
    from rich.table import Table

    rows = summary_rows(metrics)
    table = Table(title=escape(f"{metrics['entry']}: test split"))
    for column in rows[0]:
        table.add_column(column, justify="left" if column == "net" else "right")
    for row in rows:
        table.add_row(*map(escape, row.values()), style="bold" if row["net"] == NET_NAMES["light"] else None)
    console.print(table)
    console.print(escape(latency_note(metrics)), highlight=False)
