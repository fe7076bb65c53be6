"""A launch in numbers and in plain words, from the content of metrics.json: table, sentences, the latency's setting.

Numbers get their decimals here and nowhere else, so that the terminal, the page and the plots agree.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

NET_NAMES = {
    "base": "base",
    "light": "light (rocket)",
    "booster": "booster alone",
    "booster_in_rocket": "booster in rocket",
}
CTR_QUALITIES = {"auc": "AUC", "gauc": "GAUC", "log_loss": "log loss"}
MISSING = "–"


def summary_rows(metrics: dict[str, Any]) -> list[dict[str, str]]:
    """The table as column name to text: a row for each net, and one for the Bayes optimum where it is known."""
    qualities = _quality_columns(metrics)
    rows = [
        {
            "net": NET_NAMES[name],
            **{title: text(net["test"].get(key)) for title, (key, text) in qualities.items()},
            "parameters": f"{net['parameters']:,}",
            "multiply-adds": f"{net['multiply_adds']:,}",
            "p50 ms": format_number((net["latency"] or {}).get("p50_ms")),
            "p99 ms": format_number((net["latency"] or {}).get("p99_ms")) + latency_marks(net["latency"]),
            "training s": format_number(net["training_seconds"]),
        }
        for name, net in nets_in_order(metrics).items()
    ]
    bayes = metrics["dataset"].get("bayes")
    if bayes:
        known = {title: text(bayes.get(key)) for title, (key, text) in qualities.items()}
        rows.append({**dict.fromkeys(rows[0], MISSING), "net": "Bayes optimum", **known})
    return rows


def nets_in_order(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The nets of this run, always in the order base, light, booster, booster in rocket."""
    return {name: metrics["nets"][name] for name in NET_NAMES if name in metrics["nets"]}


def is_accuracy(metrics: dict[str, Any]) -> bool:
    """Whether the run is judged by accuracy; else by AUC, GAUC and log loss."""
    return "accuracy" in metrics["nets"]["base"]["test"]


def _quality_columns(metrics: dict[str, Any]) -> dict[str, tuple[str, Callable[[float | None], str]]]:
    """Column title to the key in a net's test numbers and the formatter of its value."""
    if not is_accuracy(metrics):
        present = {key: title for key, title in CTR_QUALITIES.items() if key in metrics["nets"]["base"]["test"]}
        return {f"test {title}": (key, lambda value: _fixed(value, 4)) for key, title in present.items()}
    rows = metrics["dataset"]["rows"]["test"]
    return {
        "test accuracy %": ("accuracy", lambda value: _fixed(value, 2, scale=100)),
        "95 % interval": ("accuracy", lambda value: _interval(value, rows)),
    }


def summary_sentences(metrics: dict[str, Any]) -> list[str]:
    """What came out, in plain words made from the numbers, whichever way they point."""
    key = "accuracy" if is_accuracy(metrics) else "auc"
    quality = {name: net["test"].get(key) for name, net in nets_in_order(metrics).items()}
    base, light, booster = quality["base"], quality["light"], quality["booster"]
    if not (_known(base) and _known(light) and _known(booster)):
        return ["A test number is missing, so the nets cannot be compared.", *_cost_sentences(metrics)]
    rows, data = metrics["dataset"]["rows"]["test"], metrics["dataset"]["name"]
    text = (lambda value: f"{100 * value:.2f} %") if key == "accuracy" else (lambda value: f"{value:.4f}")
    name = "accuracy" if key == "accuracy" else "AUC"
    return [
        f"On the {rows:,} test rows of {data}, the light net that came out of the rocket launch reaches an {name} of "
        f"{text(light)}, the same net trained alone {text(base)}, and the booster trained alone {text(booster)}.",
        _verdict(base, light, booster, key),
        *_cost_sentences(metrics),
        _caution(base, light, rows, key, metrics["seed"]),
    ]


def _verdict(base: float, light: float, booster: float, key: str) -> str:
    gain, gap = light - base, booster - base
    size = f"{abs(100 * gain):.2f} percentage points" if key == "accuracy" else f"{abs(gain):.4f} of AUC"
    if gain < 0:
        return f"The launch did not help here: it cost the light net {size}."
    if gain == 0:
        return "The launch did not help here: it left the light net where it was."
    if gap <= 0:
        return f"The launch gained the light net {size}, though the booster trained alone is no better than the base."
    if light >= booster:
        return (
            f"The launch gained the light net {size}, which puts it level with the booster trained alone or above it."
        )
    return f"The launch gained the light net {size} and closed {100 * gain / gap:.0f} % of its gap to the booster."


def _cost_sentences(metrics: dict[str, Any]) -> list[str]:
    light, booster = metrics["nets"]["light"], metrics["nets"]["booster"]
    ratio = booster["multiply_adds"] / light["multiply_adds"]
    cost = (
        f"The light net needs {light['multiply_adds']:,} multiply-adds a row, {ratio:.1f} times fewer than the booster"
    )
    if not (light["latency"] and booster["latency"]):
        return [f"{cost}.", *_latency_sentences(metrics)]
    fast, slow = (format_number(net["latency"]["p50_ms"]) for net in (light, booster))
    answer = f"answers a batch of {light['latency']['batch_size']} in {fast} ms against {slow} ms (median)"
    return [f"{cost}, and {answer}.", *_latency_sentences(metrics)]


def _latency_sentences(metrics: dict[str, Any]) -> list[str]:
    """What must be known of the latencies: the light net's budget, and which of them not to rely on."""
    timed = {NET_NAMES[name]: net["latency"] for name, net in nets_in_order(metrics).items() if net["latency"]}
    said = []
    light = timed.get(NET_NAMES["light"]) or {}
    if light.get("budget_ms") is not None:
        word = {"within": "is within", "over": "is over"}.get(light["decision"], "may be within or over")
        p99, budget = format_number(light["p99_ms"]), f"{light['budget_ms']:g}"
        said.append(f"The light net {word} its budget of {budget} ms: its p99 was {p99} ms.")
    over = [name for name, latency in timed.items() if latency.get("decision") == "over" and latency is not light]
    if over:
        said.append(f"Over that budget: {', '.join(over)}.")
    doubtful = [name for name, latency in timed.items() if is_doubtful(latency)]
    if doubtful:
        said.append(
            f"The latency of {', '.join(doubtful)} was disturbed, so it may be that of something else on this machine: "
            "run the same command again when it is quiet, or rocket-keras bench."
        )
    return said


def is_doubtful(latency: Mapping[str, Any] | None) -> bool:
    """Whether a latency may be that of something else: the machine was busy, or the net had not come to rest."""
    return latency is not None and bool(latency.get("disturbed") or latency.get("steady") is False)


def latency_marks(latency: Mapping[str, Any] | None) -> str:
    """The marks of a latency in a table, "" for one to rely on that has no budget or meets it."""
    return "".join(mark for mark, holds, _ in _MARKS if latency and holds(latency))


def marks_legend(latencies: Iterable[Mapping[str, Any] | None], short: bool = False) -> str:
    """What the marks of these latencies mean, "" where there are none; `short` for the label of an axis."""
    known = [latency for latency in latencies if latency]
    used = [(mark, text) for mark, holds, text in _MARKS if any(map(holds, known))]
    if short:
        return "".join(f"; {mark} {text.partition(':')[0].lower()}" for mark, text in used)
    return " ".join(f"{mark} {text}." for mark, text in used)


_MARKS: tuple[tuple[str, Callable[[Mapping[str, Any]], bool], str], ...] = (
    ("‡", is_doubtful, "Disturbed: something else ran on the machine, and the latency may be its; measure again"),
    ("†", lambda latency: latency.get("decision") == "over", "Over the budget"),
    ("?", lambda latency: latency.get("decision") == "undecided", "Undecided: the time was up before the budget was"),
)


def _caution(base: float, light: float, rows: int, key: str, seed: int) -> str:
    once = f"This is one run with seed {seed}: repeat it with other seeds before relying on a small difference"
    if key != "accuracy":
        return f"{once}."
    (_, low), (high, _) = sorted((wilson_interval(base, rows), wilson_interval(light, rows)))
    return f"{once}; the 95 % intervals of base and light {'overlap' if high <= low else 'do not overlap'}."


def latency_note(metrics: dict[str, Any]) -> str:
    """Batch, threads, runtime, requests and processor of the table's latencies, and what their marks mean."""
    settings: dict[str, list[str]] = {}
    for name, net in nets_in_order(metrics).items():
        if net["latency"]:
            settings.setdefault(latency_setting(net["latency"], metrics["device"]), []).append(NET_NAMES[name])
    if not settings:
        return "Latency was not measured."
    legend = marks_legend(net["latency"] for net in nets_in_order(metrics).values())
    parts = [f"{', '.join(names)}: {setting}" for setting, names in settings.items()]
    text = next(iter(settings)) if len(settings) == 1 else "; ".join(parts)
    return f"Latency: {text}.{f' {legend}' if legend else ''}"


def latency_setting(latency: dict[str, Any], training_device: str) -> str:
    """Batch, threads, runtime, requests and processor of a measured latency, in a few words."""
    threads = "1 thread" if latency["threads"] == 1 else f"{latency['threads']} threads"
    # The runtime serves on the processor, also where the nets were trained on an accelerator.
    where = latency.get("device", training_device)
    return (
        f"batch of {latency['batch_size']}, {threads}, {latency['runtime']}, {latency['requests']:,} requests, {where}"
    )


def wilson_interval(share: float, rows: int) -> tuple[float, float]:
    """95 % interval of a share observed in `rows` rows (Wilson, JASA 1927); it stays within 0 and 1."""
    z = 1.959964
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return max(0.0, centre - half), min(1.0, centre + half)


def format_number(value: float | None) -> str:
    """A quantity with three significant digits and no exponent, 0.0523 or 12.3 or 1,234; a dash where unknown."""
    if not _known(value):
        return MISSING
    digits = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:,.{max(0, digits)}f}"


def _fixed(value: float | None, decimals: int, scale: float = 1.0) -> str:
    return f"{scale * value:.{decimals}f}" if _known(value) else MISSING


def _interval(accuracy: float | None, rows: int) -> str:
    if not _known(accuracy):
        return MISSING
    low, high = wilson_interval(accuracy, rows)
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
