"""The report of a comparison: its pictures, and report.html, one self-contained page."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rocket_keras.compare.findings import CAUTION, findings
from rocket_keras.compare.plots import comparison_figure, cost_figure
from rocket_keras.compare.table import caption, grid_rows, left_out, table_rows
from rocket_keras.compare.trial_plots import missing_class_figure, sweep_figure
from rocket_keras.page import STYLE, data_terms, html_figure, html_page, html_terms, machine_terms, recipe_words

WIDE = """
body { max-width: 78rem; }
.wide { overflow-x: auto; }
.findings { max-width: 60rem; padding-left: 1.25rem; margin: 0; }
.findings li { margin-bottom: .35rem; }
td { white-space: nowrap; }
.method-text dd { margin-bottom: .5rem; }
@media screen and (max-width: 44rem) { td { white-space: normal; } }
"""
FIGURES = {
    "comparison": (
        None,
        comparison_figure,
        "Test quality of every method and its difference to the base",
        "Every method on the test split, and its difference to the base at the same seeds.",
    ),
    "cost": (
        None,
        cost_figure,
        "Test quality of every method against its training seconds",
        "The booster's training is part of the seconds of every method that needs a finished booster.",
    ),
    "sweep": (
        "sweep",
        sweep_figure,
        "Test quality of base, KD and rocket for light nets of several sizes",
        "Light nets of several sizes, each alone, taught by a finished booster, and launched with it.",
    ),
    "missing_class": (
        "missing_class",
        missing_class_figure,
        "Accuracy of nets that were taught without one class",
        "Nets that were taught without an example of one class: on this class and on all.",
    ),
}
FEATURES = (
    "Activation maps of the groups of base, light net and booster for the same test images",
    "Mean absolute activation of each group, each map in its own scale. CKA: linear centred kernel alignment with the "
    "booster's group over the test split, 0 nothing in common, 1 the same but for rotation and scale.",
)
PROTOCOL = (
    "Every method has the same rows, batches, seeds and epochs a net, and the same grid for the weight of its hints; "
    "only relay trains its light net twice as long, so that its fair score is the one in rocket's seconds. "
    "The factor of the grid was chosen on validation at the first seed; the test split was scored once, at the end."
)


def write_comparison(result: Mapping[str, Any], folder: Path) -> None:
    """Write comparison.png, cost.png, sweep.png and missing_class.png where these trials were run, and report.html.

    The picture of the features is drawn where the maps are; this page takes it from the folder.

    Args:
        result: The content of compare.json.
        folder: The comparison's folder; made where it does not exist.

    Raises:
        ImportError: matplotlib or SciPy is not installed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = ""
    if any(method["runs"] for method in result["methods"].values()):
        for name, (key, draw, alternative, text) in FIGURES.items():
            if key is None or result[key]:
                draw(result).savefig(folder / f"{name}.png", dpi=160)
                pictures += html_figure(_encoded(folder / f"{name}.png"), alternative, text)
    if result["features"]:
        pictures += html_figure(_encoded(folder / result["features"]["png"]), *FEATURES)
    (folder / "report.html").write_text(_page(result, pictures), encoding="utf-8")


def _encoded(png: Path) -> str:
    return base64.b64encode(png.read_bytes()).decode()


def _page(result: Mapping[str, Any], pictures: str) -> str:
    shown = "".join(f"<li>{escape(sentence)}</li>\n" for sentence in findings(result))
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in left_out(result))
    head = f'<p class="when">{escape(str(result["date"]))}</p>\n'
    parts = {
        "What came out": f'<ul class="findings">\n{shown}</ul>\n<p class="note">{escape(CAUTION)}</p>' if shown else "",
        "All methods on the test split": _table(table_rows(result), caption(result)),
        "Left out": f'<ul class="findings">\n{notes}</ul>' if notes else "",
        "Plots": pictures,
        "Grid of the hint weights": _table(grid_rows(result), _grid_note(result)),
        "The methods": f'<div class="method-text">{html_terms(_methods(result))}</div>',
        "What was done": html_terms(_what_was_done(result)),
    }
    main = "".join(f"<section>\n<h2>{title}</h2>\n{html}\n</section>\n" for title, html in parts.items() if html)
    return html_page(f"Comparison: {result['entry']}", head, main, STYLE + WIDE)


def _table(rows: Sequence[Mapping[str, str]], note: str) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in rows[0])
    body = "".join(_row(row) for row in rows)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
    return f'<div class="wide">{table}</div>\n<p class="note">{escape(note)}</p>'


def _row(row: Mapping[str, str]) -> str:
    (_, title), *cells = row.items()
    texts = "".join(f'<td data-column="{escape(column)}">{escape(text)}</td>' for column, text in cells)
    return f'<tr><th scope="row">{escape(title)}</th>{texts}</tr>\n'


def _grid_note(result: Mapping[str, Any]) -> str:
    metric = "accuracy %" if result["metric"] == "accuracy" else "AUC"
    return (
        f"Validation {metric} at seed {result['seeds'][0]} by factor "
        "of the hint weights. Variants of rocket that are not listed take over rocket's factor: only one thing may "
        "differ."
    )


def _methods(result: Mapping[str, Any]) -> dict[str, str]:
    """Each method's equation, source and stages, as title to HTML."""
    return {
        method["title"]: (
            f"<code>{escape(method['equation'])}</code><br>{escape(method['paper'])}<br>"
            f'<span class="note">{"; then ".join(map(escape, method["stages"]))}</span>'
        )
        for method in result["methods"].values()
    }


def _what_was_done(result: Mapping[str, Any]) -> dict[str, str]:
    plain = dict(result)
    return {
        **data_terms(plain),
        "Recipe": escape(recipe_words(plain)),
        "Protocol": escape(PROTOCOL),
        "Seeds": escape(", ".join(map(str, result["seeds"]))),
        "Grid": escape(", ".join(f"{factor:.3g}" for factor in result["grid"])),
        **machine_terms(plain),
    }
