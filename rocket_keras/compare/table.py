"""The table of a comparison: for the terminal with Rich, and as Markdown for the documentation."""

from collections.abc import Callable, Mapping
from typing import Any

from rocket_keras.compare.differences import Difference
from rocket_keras.compare.summary import METRIC_NAMES, Row, Spread, p_text, quality_text, rows
from rocket_keras.summary import MISSING, format_number, latency_marks, latency_setting, marks_legend

TITLE_WIDTH = 21
EDGE = "§"  # behind a factor that is the smallest or largest of the grid
UNEVEN = 1.5  # times that a method's seconds may differ between seeds before the table says so


def table_rows(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """The table as column title to text, a row for each method in the order of `summary.rows`.

    Columns that hold nothing but dashes are left out. A mean has its sample standard deviation behind ±, the difference
    to the base the half width of its 95 % interval, and beside it its p-value after Holm's correction over the table.

    Args:
        result: The content of compare.json.

    Raises:
        ImportError: SciPy is not installed.
    """
    metric = result["metric"]
    found = rows(result)
    lines = [{title: text(row) for title, text in _columns(metric).items()} for row in found]
    for line, row in zip(lines, found, strict=True):
        line["p99 ms"] += latency_marks(result["methods"][row.method].get("latency"))
    empty = {title for title in (lines[0] if lines else ()) if all(line[title] == MISSING for line in lines)}
    return [{title: text for title, text in line.items() if title not in empty} for line in lines]


def _columns(metric: str) -> dict[str, Callable[[Row], str]]:
    name = METRIC_NAMES[metric] + (" %" if metric == "accuracy" else "")
    return {
        "method": lambda row: row.title,
        "runs": lambda row: str(row.runs) if row.runs == row.planned else f"{row.runs}/{row.planned}",
        f"test {name}": lambda row: _spread(row.quality, metric),
        "to base ± 95 %": lambda row: _difference(row.difference, metric),
        "p (Holm)": lambda row: p_text(row.difference.p_holm if row.difference else None),
        "gap %": lambda row: _percent(row.gap_closed),
        "test GAUC": lambda row: _spread(row.gauc, "gauc"),
        "GAUC gap %": lambda row: _percent(row.gauc_gap_closed),
        "total s": lambda row: format_number(row.seconds),
        f"{name} in rocket's s": lambda row: _spread(row.same_seconds, metric),
        "p50 ms": lambda row: format_number(row.p50_ms),
        "p99 ms": lambda row: format_number(row.p99_ms),
        "hint ×": _factor,
    }


def _factor(row: Row) -> str:
    return MISSING if row.factor is None else f"{row.factor:.3g}{EDGE if row.at_edge else ''}"


def _spread(score: Spread | None, metric: str) -> str:
    if score is None or score.sd is None:
        return quality_text(score.mean if score else None, metric)
    return f"{quality_text(score.mean, metric)} ± {quality_text(score.sd, metric)}"


def _difference(difference: Difference | None, metric: str) -> str:
    if difference is None:
        return MISSING
    mean = quality_text(difference.mean, metric, sign="+")
    return mean if difference.high is None else f"{mean} ± {quality_text(difference.high - difference.mean, metric)}"


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{share:.0f}"


def left_out(result: Mapping[str, Any]) -> list[str]:
    """What is missing from the table and why: an interrupted comparison, skipped methods, failed runs."""
    notes = [] if result["complete"] else ["The comparison is not complete: the same command goes on with it."]
    notes += [f"Skipped {name}: {why}." for name, why in result["skipped"].items()]
    for name, method in result["methods"].items():
        notes += [f"Failed {name}, seed {seed}: {why}." for seed, why in method.get("failed", {}).items()]
    return notes


def caption(result: Mapping[str, Any]) -> str:
    """What the numbers of the table are, in a few sentences."""
    rows_of, bayes = result["dataset"]["rows"], result["dataset"].get("bayes") or {}
    seeds = f"seed{'s' if len(result['seeds']) > 1 else ''} {', '.join(map(str, result['seeds']))}"
    known = " and ".join(f"{METRIC_NAMES[key]} {value:.4f}" for key, value in bayes.items() if key in METRIC_NAMES)
    best = f" Bayes optimum: {known}." if known else ""
    count = result.get("workers", 1)
    busy = f" {count} trainings ran at the same time, which lengthens the seconds." if count > 1 else ""
    return (
        f"{rows_of['test']:,} test rows, {seeds}. Mean ± standard deviation; difference to base, paired by seed, ± "
        f"half of its 95 % interval. {_holm(result)}Gap: the share of the way from base to booster. Total s: training "
        "seconds of all stages, epochs times the fastest epoch, median over the seeds. In rocket's s: the same method "
        "with its epochs changed so that it takes as long as rocket. Hint ×: "
        f"the factor of the hint weights{_edge(result)}. {_latencies(result)}{busy}{_uneven(result)}{best}"
    )


def _holm(result: Mapping[str, Any]) -> str:
    count = sum(row.difference is not None and row.difference.p_holm is not None for row in rows(result))
    if not count:
        return ""
    return (
        f"p (Holm): of the t-test of this difference, corrected for the {count} comparisons to base of this table; "
        "below 0.05 the difference holds among all of them. "
    )


def _edge(result: Mapping[str, Any]) -> str:
    if not any(row.at_edge for row in rows(result)):
        return ""
    return f", {EDGE} at the edge of the grid: a better one may lie outside"


def _uneven(result: Mapping[str, Any]) -> str:
    """A warning where one method's seconds differ by more than half between seeds: the same work took longer."""
    runs = [[run["seconds"] for run in method["runs"]] for method in result["methods"].values()]
    worst = max((max(seconds) / min(seconds) for seconds in runs if seconds), default=1.0)
    if worst <= UNEVEN:
        return ""
    return f" The machine was not quiet: one method took up to {worst:.1f} times as long at one seed as at another."


def _latencies(result: Mapping[str, Any]) -> str:
    timed = [method["latency"] for method in result["methods"].values() if method.get("latency")]
    settings = dict.fromkeys(latency_setting(latency, result["device"]) for latency in timed)
    legend = marks_legend(timed)
    text = f"Latency of the exported net: {'; '.join(settings)}.{f' {legend}' if legend else ''}"
    return text if settings else "Latency was not measured."


def print_comparison(result: Mapping[str, Any], console: Any) -> None:
    """Print one row for each method, and below it what is missing and why.

    Where the console is too narrow for all columns, they go on in further tables: no number is cut.

    Args:
        result: The content of compare.json.
        console: A `rich.console.Console`.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    lines, families = table_rows(result), [row.family for row in rows(result)]
    needed = sum(_width(lines, title) + 2 for title in lines[0]) if lines else 0
    gap = 2 if needed <= console.width else 1
    blocks = _blocks(lines, console.width, gap)
    for number, titles in enumerate(blocks):
        more = f" ({number + 1} of {len(blocks)})" if len(blocks) > 1 else ""
        title = escape(f"{result['entry']}: test split{more}")
        table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0))
        for column in titles:
            justify = "left" if column == "method" else "right"
            table.add_column(escape(column), justify=justify, min_width=_width(lines, column))
            table.columns[-1].max_width = _width(lines, column)
        for index, line in enumerate(lines):
            last = families[index : index + 2] != [families[index]] * 2
            table.add_row(*(escape(line[column]) for column in titles), end_section=last)
        console.print(table)
    for note in (caption(result), *left_out(result)):
        console.print(escape(note), highlight=False)


def _blocks(lines: list[dict[str, str]], width: int, gap: int) -> list[list[str]]:
    """The column titles in as many tables as the width asks for, each beginning with the method."""
    blocks: list[list[str]] = []
    for title in list(lines[0])[1:] if lines else ():
        needed = sum(_width(lines, other) + gap for other in [*(blocks[-1] if blocks else ()), title])
        if not blocks or needed > width:
            blocks.append(["method"])
        blocks[-1].append(title)
    return blocks


def _width(lines: list[dict[str, str]], title: str) -> int:
    """Of a column: its numbers stay whole, its title and the methods' names break between words."""
    texts = [title, *(line[title] for line in lines)] if title == "method" else title.split()
    longest = max(len(word) for text in texts for word in text.split())
    if title == "method":
        return max(longest, min(TITLE_WIDTH, max(map(len, texts))))
    return max(longest, *(len(line[title]) for line in lines))


def markdown(result: Mapping[str, Any]) -> str:
    """The same table in Markdown, with its caption, and what is missing and why."""
    lines = table_rows(result)
    text = []
    if lines:
        text = [list(lines[0]), ["---", *["---:"] * (len(lines[0]) - 1)], *(list(line.values()) for line in lines)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in text)
    notes = "\n".join(f"- {note}" for note in left_out(result))
    return "\n\n".join(part for part in (table, caption(result), notes) if part)


def grid_rows(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """The validation scores at the first seed of each tuned method, by factor of its hint weights.

    The chosen factor is in the last column; where it is the smallest or largest, a better one may lie outside.
    """
    metric, found = result["metric"], []
    for row in rows(result):
        scores = {float(factor): score[metric] for factor, score in result["methods"][row.method]["tuning"].items()}
        if not scores:
            continue
        cells = {f"factor {factor:.3g}": quality_text(scores.get(factor), metric) for factor in _factors(result)}
        edge = ", at the edge" if row.at_edge else ""
        found.append({"method": row.title, **cells, "chosen": f"{row.factor:.3g}{edge}"})
    return found


def _factors(result: Mapping[str, Any]) -> list[float]:
    """All factors that were tried; compare.json has them as text, rounded."""
    return sorted({float(factor) for method in result["methods"].values() for factor in method["tuning"]})
