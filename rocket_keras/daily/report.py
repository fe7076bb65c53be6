"""A daily training for people: a line a day, the plot of all days, and report.html.

`records` is what `run_daily` returns, throughout.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rocket_keras.page import STYLE
from rocket_keras.plots import COLOURS, FAINT, INK, figure_with_panels, set_title

HEADER = "day         rows  light: AUC   log loss  calibration  booster: AUC  new ids  serves"
MARKS = {"light": "-", "booster": (0, (4, 1.5))}
METHODS = {"rocket": COLOURS["light"], "base": COLOURS["base"], "distilled": COLOURS["booster"]}


def line(record: Mapping[str, Any]) -> str:
    """Return one day as a line below `HEADER`."""
    light, booster = (record["scores"].get(net, {}) for net in ("light", "booster"))
    values = [
        f"{record['day']:<8}",
        f"{record['rows']:8,}",
        f"{_number(light.get('auc'), 4):>11}",
        f"{_number(light.get('log_loss'), 4):>10}",
        f"{_number(light.get('calibration'), 3):>12}",
        f"{_number(booster.get('auc'), 4):>13}",
        f"{sum(record['ids']['added'].values()):8,}",
        f" {record['serves'] or 'none'}",
    ]
    values += _faults(record["log"])
    if not record["publication"]["published"]:
        values.append(f"not published: {record['publication']['why']}")
    return " ".join(values)


def _faults(log: Mapping[str, Any]) -> list[str]:
    """What of a day's files was left out, in a few words."""
    told = []
    if log["bad"]:
        told.append(f"rows that do not parse: {log['bad']:,}")
    if log["empty"]:
        told.append(f"empty files: {log['empty']:,}")
    return told


def means(records: Sequence[Mapping[str, Any]], net: str = "light") -> dict[str, float]:
    """Return the mean of each score of a net over the days that have it, each day counting alike."""
    scored = [record["scores"][net] for record in records if net in record["scores"]]
    found = {}
    for name in scored[0] if scored else ():
        values = [day[name] for day in scored if day[name] is not None and math.isfinite(day[name])]
        found[name] = sum(values) / len(values) if values else math.nan
    return found


def serves(records: Sequence[Mapping[str, Any]], net: Path) -> str:
    """Return which day's net serves after the last day, in one line."""
    day = records[-1]["serves"] if records else None
    return f"Serves: {'nothing, as no net was published yet' if day is None else f'{net}, of day {day}'}"


def write_report(records: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write days.png and report.html into the folder of the training.

    Raises:
        ImportError: matplotlib is not installed.
    """
    path = folder / "days.png"
    days_figure({"": records}).savefig(path, dpi=160)
    picture = base64.b64encode(path.read_bytes()).decode()
    (folder / "report.html").write_text(_page(records, picture), encoding="utf-8")


def days_figure(runs: Mapping[str, Sequence[Mapping[str, Any]]], metric: str = "auc") -> Any:
    """Figure of the metric before each day's training, above the calibration of the light nets.

    Args:
        runs: Records by method; of a single training by "".
        metric: A name of the scores.
    """
    figure, (quality, calibration) = figure_with_panels(height=6.4, panels=2)
    for method, records in runs.items():
        scored = [record for record in records if record["scores"]]
        days = range(len(records) - len(scored) + 1, len(records) + 1)
        for net, style in MARKS.items():
            if not all(net in record["scores"] for record in scored):
                continue
            colour = METHODS.get(method, COLOURS[net])
            told = {"color": colour, "linestyle": style, "linewidth": 2.0 if net == "light" else 1.2}
            label = " ".join(word for word in (net, method) if word)
            quality.plot(days, [record["scores"][net][metric] for record in scored], label=label, **told)
            if net == "light":
                calibration.plot(days, [r["scores"][net]["calibration"] for r in scored], label=label, **told)
    calibration.axhline(1.0, color=INK, linewidth=0.8)
    names = {"auc": "AUC", "gauc": "GAUC", "log_loss": "log loss"}
    rows_of_legend = -(-len(quality.get_lines()) // 3)
    set_title(quality, f"{names.get(metric, metric)} on each day before it is trained on", 8 + 16 * rows_of_legend)
    set_title(calibration, "Clicks foretold / clicks", 8)
    options = {"frameon": False, "fontsize": 9, "labelcolor": INK, "ncols": 3, "loc": "lower left", "borderpad": 0}
    quality.legend(bbox_to_anchor=(0, 1), handlelength=1.6, columnspacing=1.4, borderaxespad=0.4, **options)
    for panel in (quality, calibration):
        panel.grid(axis="y", color=FAINT, linewidth=0.6)
        panel.xaxis.get_major_locator().set_params(integer=True)
    calibration.set_xlabel("day")
    return figure


def _page(records: Sequence[Mapping[str, Any]], picture: str) -> str:
    light = means(records)
    told = ", ".join(f"{name.replace('_', ' ')} {_number(value, 4)}" for name, value in light.items())
    last = records[-1]
    head = ("day", "rows", "light AUC", "log loss", "calibration", "booster AUC", "new ids", "left out", "published")
    rows = []
    for record in records:
        one, other = (record["scores"].get(net, {}) for net in ("light", "booster"))
        publication = record["publication"]
        cells = (
            f"{record['rows']:,}",
            _number(one.get("auc"), 4),
            _number(one.get("log_loss"), 4),
            _number(one.get("calibration"), 3),
            _number(other.get("auc"), 4),
            f"{sum(record['ids']['added'].values()):,}",
            ", ".join(_faults(record["log"])) or "-",
            "yes" if publication["published"] else f"no: {publication['why']}",
        )
        columns = "".join(
            f'<td data-column="{escape(name)}">{escape(cell)}</td>' for name, cell in zip(head[1:], cells, strict=True)
        )
        rows.append(f"<tr><th>{escape(record['day'])}</th>{columns}</tr>")
    serves = "no light net" if last["serves"] is None else f"the light net of day {escape(str(last['serves']))}"
    summary = f"Mean over the days of the light net: {told}. " if told else ""
    return "".join(
        (
            "<!doctype html><html lang=en><head><meta charset=utf-8><title>Daily training</title>",
            f'<meta name=viewport content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>',
            f"<h1>Daily training, {len(records)} days</h1>",
            f"<p class=summary>{summary}Now {serves} serves.</p><h2>Days</h2>",
            '<figure><img alt="Scores of each day" src="data:image/png;base64,',
            f'{picture}"><figcaption>Each day is scored by the nets of the evening before.</figcaption></figure>',
            f"<table><thead><tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr></thead>",
            f"<tbody>{''.join(rows)}</tbody></table></body></html>",
        )
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"
