"""A search for people: the Pareto plot, and report.html, one page that needs no network.

`found` is the content of search.json throughout.
"""

import base64
import dataclasses
import math
from html import escape
from pathlib import Path
from typing import Any

from rocket_keras.page import STYLE
from rocket_keras.plots import COLOURS, FAINT, INK, figure_with_panels, set_title
from rocket_keras.summary import is_doubtful, latency_marks, marks_legend
from tuning.budget import LatencyBudget

OVER = "#B91C1C"


def write_report(found: dict[str, Any], folder: Path) -> None:
    """Write pareto.png and report.html.

    Raises:
        ImportError: matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pareto.png"
    pareto_figure(found).savefig(path, dpi=160)
    picture = base64.b64encode(path.read_bytes()).decode()
    (folder / "report.html").write_text(page(found, picture), encoding="utf-8")


def pareto_figure(found: dict[str, Any]) -> Any:
    """Figure of every measured candidate: its share of the budget, and its metric where it was trained.

    Rejected candidates have no metric: they are ticks below, right of the budget's line or, where the headroom kept
    them out, between the two lines.
    """
    figure, (panel,) = figure_with_panels(height=4.4, panels=1)
    trained = [row for row in found["rows"] if row["metric"] is not None]
    rejected = [row for row in found["rows"] if row["metric"] is None and row["share"] > 0]
    front = found["front"]
    panel.plot([row["share"] for row in front], [row["metric"] for row in front], color=COLOURS["light"], linewidth=1.2)
    full = [row for row in trained if row["status"] != "dropped"]
    cut = [row for row in trained if row["status"] == "dropped"]
    marks = ((full, "o", 1.0, "trained to the end"), (cut, "o", 0.35, "dropped on the way"))
    for rows, mark, alpha, label in marks:
        if rows:
            places = [row["share"] for row in rows], [row["metric"] for row in rows]
            panel.plot(*places, mark, color=COLOURS["light"], alpha=alpha, markersize=6, linestyle="", label=label)
    low, high = _range(found, full, trained)
    span = (high - low) or 0.01
    bottom = low - 0.18 * span
    if rejected:
        shares = [row["share"] for row in rejected]
        label = "rejected, not trained"
        panel.plot(shares, [bottom + 0.05 * span] * len(shares), "|", color=INK, markersize=9, label=label)
    below = sum(row["metric"] < low or row["metric"] > high for row in trained)
    panel.set_ylim(bottom, high + 0.25 * span)
    panel.axvline(1.0, color=OVER, linewidth=1.6, label="budget")
    left = _left(found)
    if left < 1:
        panel.axvline(left, color=OVER, linewidth=1.0, linestyle="--", label="less the headroom")
    winner = next(row for row in trained if row["trial"] == found["trial"])
    panel.plot([winner["share"]], [winner["metric"]], "*", color=COLOURS["booster"], markersize=15, label="winner")
    panel.set_xscale("log")
    panel.xaxis.get_major_locator().set_params(subs=(1, 2, 5))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_formatter("")
    panel.grid(axis="y", color=FAINT, linewidth=0.6)
    set_title(panel, f"A mark a light net{f', {below} beyond the picture' if below else ''}", 40)
    options = {"frameon": False, "fontsize": 9, "labelcolor": INK, "ncols": 3, "loc": "lower left", "borderpad": 0}
    panel.legend(bbox_to_anchor=(0, 1), handlelength=1.2, columnspacing=1.2, borderaxespad=0.4, **options)
    panel.set_xlabel("measured / limit of the budget, the largest")
    panel.set_ylabel(f"validation {found['metric']}")
    return figure


def _range(found: dict[str, Any], full: list[dict[str, Any]], trained: list[dict[str, Any]]) -> tuple[float, float]:
    """Return the range of metrics to draw: of those that were trained to the end, and the better half of all."""
    metrics = sorted((row["metric"] for row in trained), reverse=found["direction"] == "max")
    shown = metrics[: max(2, (len(metrics) + 1) // 2)] + [row["metric"] for row in full]
    return min(shown), max(shown)


def page(found: dict[str, Any], picture: str) -> str:
    """Return report.html: what was found, the plot, every candidate, and the setting."""
    facts = found["facts"]
    parts = [
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(_title(found))}</title>",
        f'<meta name=viewport content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>',
        f"<h1>{escape(_title(found))}</h1>",
        f"<p class=when>{escape(facts['backend'])}, {escape(facts['device'])}</p>",
        f"<p class=summary>{escape(summary(found))}</p>",
        "<h2>Quality against latency</h2><figure>",
        f'<img alt="Every candidate by its share of the budget and its metric" src="data:image/png;base64,{picture}">',
        "<figcaption>Up is better, left is faster, on a scale of ratios. The line joins the light nets that no other "
        "one beats in both.</figcaption></figure>",
        "<h2>Candidates</h2>",
        _table(found),
        "<h2>Setting</h2><dl>",
        *(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _setting(found)),
        "</dl></body></html>",
    ]
    return "\n".join(parts)


def summary(found: dict[str, Any]) -> str:
    """Return what was found, in sentences."""
    facts, latency = found["facts"], found["latency"]
    values = ", ".join(f"{name} {value}" for name, value in found["values"].items())
    lines = [
        f"The best light net within {_budget(found).describe()} has {values}: validation {found['metric']} "
        f"{found['score']:.4f} in the search, {found['retrained_score']:.4f} trained again."
    ]
    if latency:
        lines.append(
            f"Measured last, in a process of its own: p50 {latency['p50_ms']:.3f} ms, p99 {latency['p99_ms']:.3f} ms."
        )
        if is_doubtful(latency):
            lines.append("Something else ran on the machine meanwhile, and the latency may be its: measure again.")
    refused = facts.get("refused", 0)
    lines.append(
        f"{facts['trials']} candidates were trained; {facts['rejected']} were rejected before a training step"
        f"{f', {refused} refused by the builder' if refused else ''}. "
        f"The search ended: {facts['stopped']}."
    )
    if found["latency_model"]:
        errors = found["latency_model"]
        lines.append(
            f"The learned latency is off by {errors['median']:.1%} in the median and {errors['p90']:.1%} at the 90th "
            f"percentile, each of {errors['points']} points predicted from the others."
        )
    return " ".join(lines)


def _title(found: dict[str, Any]) -> str:
    entry = found["facts"].get("entry")
    return f"Light nets within {_budget(found).describe()}" + (f": {entry}" if entry else "")


def _budget(found: dict[str, Any]) -> LatencyBudget:
    known = {field.name for field in dataclasses.fields(LatencyBudget)}
    return LatencyBudget(**{name: value for name, value in found["facts"]["budget"].items() if name in known})


def _left(found: dict[str, Any]) -> float:
    """Return the share of the budget that the headroom leaves; 1 where no limit is one of time."""
    return 1 - found["facts"]["headroom"] if _budget(found).limits() else 1.0


def _table(found: dict[str, Any]) -> str:
    heads = (
        "candidate",
        "status",
        found["metric"],
        "epochs",
        "p50 ms",
        "p99 ms",
        "of the budget",
        "multiply-adds",
        "why",
    )
    lines = ["<table><thead><tr>", *(f"<th>{escape(head)}</th>" for head in heads), "</tr></thead><tbody>"]
    sign = -1 if found["direction"] == "max" else 1
    rows = sorted(found["rows"], key=lambda row: (row["metric"] is None, sign * (row["metric"] or 0.0), row["share"]))
    for row in rows:
        best = ' class="net-light"' if row["trial"] == found["trial"] else ""
        first, *cells = _cells(row)
        lines.append(f'<tr{best}><th scope="row">{escape(first)}</th>')
        told = zip(heads[1:], cells, strict=True)
        lines += [f'<td data-column="{escape(head)}">{escape(cell)}</td>' for head, cell in told]
        lines.append("</tr>")
    legend = escape(marks_legend(row["latency"] for row in rows))
    return "".join([*lines, "</tbody></table>", f"<p class=note>{legend}</p>" if legend else ""])


def _cells(row: dict[str, Any]) -> list[str]:
    latency = row["latency"]
    times = [f"{latency[name]:.3f}" if latency else "-" for name in ("p50_ms", "p99_ms")]
    times[-1] += latency_marks(latency)
    metric = "-" if row["metric"] is None or not math.isfinite(row["metric"]) else f"{row['metric']:.4f}"
    values = " ".join(f"{name}={value}" for name, value in row["values"].items())
    numbers = [
        metric,
        str(row["epochs"]),
        *times,
        f"{row['share']:.3f}",
        "-" if row["multiply_adds"] is None else f"{row['multiply_adds']:,}",
    ]
    return [values, row["status"], *numbers, row["why"]]


def _setting(found: dict[str, Any]) -> list[tuple[str, str]]:
    facts = found["facts"]
    training = ", ".join(f"{name} {value}" for name, value in facts["training"].items())
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in facts["seconds"].items())
    floor, left = found["floor"], _left(found)
    lines = [
        ("budget", _budget(found).describe() + (f", of which {1 - left:.0%} stays free" if left < 1 else "")),
        ("oracle", facts["oracle"]),
        ("training", training),
        ("rows", ", ".join(f"{count:,} {name}" for name, count in facts["rows"].items())),
        ("time", seconds),
        ("stopped", facts["stopped"]),
        ("versions", ", ".join(f"{name} {value}" for name, value in facts["versions"].items())),
    ]
    if floor:
        lines.insert(1, ("runtime alone", f"p50 {floor['p50_ms']:.4f} ms, p99 {floor['p99_ms']:.4f} ms"))
    return lines
