"""Model cards: what a preset's metadata say, as Markdown."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rocket_keras.compare.summary import paired_difference

_NAMES = {"auc": "AUC", "gauc": "GAUC", "log_loss": "log loss", "accuracy": "accuracy"}


def card(metadata: Mapping[str, Any], source: str = "") -> str:
    """Return the model card of a pair.

    Args:
        metadata: What `Preset.metadata` returns. A section whose facts are not among them, as in a preset of one's own,
            is left out; other facts stand in a section of their own.
        source: Where the preset lies, for one without a name.

    Raises:
        ValueError: A fact has another form than `zoo.packing.pack` writes. One line.
    """
    name = str(metadata.get("name") or source)
    lines, told = [f"# {name}", "", *_begin(metadata, name)], {"format", "files", "name"}
    for title, keys, section in _SECTIONS:
        if all(key in metadata for key in keys):
            try:
                lines += ["", f"## {title}", "", *section(metadata)]
            except (KeyError, TypeError, AttributeError, IndexError) as error:
                raise ValueError(
                    f"expected {', '.join(keys)} in the metadata of {name} as zoo pack writes them, received others "
                    f"({type(error).__name__}: {error}); call them otherwise"
                ) from error
            told |= {*keys, *_TOLD_ELSEWHERE}
    others = {key: value for key, value in metadata.items() if key not in told}
    if others:
        lines += ["", "## Further facts", "", *(f"- {key}: {_plain(value)}" for key, value in others.items())]
    return "\n".join([*lines, "", "## Files", "", *_files(metadata)]) + "\n"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def closed_gap(metadata: Mapping[str, Any], score: str) -> float | None:
    """Return the share of the way from base to booster that the light net goes, of the means over the seeds.

    None where the booster is not better than the base beyond noise (the 95 % interval of their difference, paired by
    seed, reaches 0): there is no way to go.
    """
    rows = metadata["results"]
    by_seed = {name: dict(zip(row["seeds"], row["test"][score]["values"], strict=True)) for name, row in rows.items()}
    way = paired_difference(by_seed["booster"], by_seed["base"])
    if way is None or way.mean <= 0 or (way.low is not None and way.low <= 0):
        return None
    means = {name: row["test"][score]["mean"] for name, row in rows.items()}
    return (means[metadata["method"]] - means["base"]) / way.mean


def _begin(metadata: Mapping[str, Any], name: str) -> list[str]:
    known = all(key in metadata for key in _RESULTS)
    row = metadata["results"].get(metadata["method"], {}) if known else {}
    by = f", trained together by {row['title']}: {row['equation']}" if {"title", "equation"} <= row.keys() else ""
    return [
        f"A light net and its booster{by}.",
        "Only the light net serves.",
        "",
        "```python",
        "import zoo",
        "",
        f'light = zoo.load_light("{name}")  # the booster\'s file stays closed',
        f'pair = zoo.load("{name}")',
        "```",
        *(["", verdict(metadata)] if by else []),
    ]


def verdict(metadata: Mapping[str, Any]) -> str:
    """Return one sentence: whether the light net beats its base on the mean over the seeds, and what way it goes."""
    score = metadata["metric"]
    rows = metadata["results"]
    base, light = (rows[name]["test"][score]["mean"] for name in ("base", metadata["method"]))
    seeds, name = len(rows[metadata["method"]]["seeds"]), _NAMES[score]
    scores = f"test {name} {light:.4f} against {base:.4f}, mean of {seeds} seeds"
    if light <= base:
        return f"**The light net does not beat its base**: {scores}."
    gap = closed_gap(metadata, score)
    way = (
        "; the booster alone is not better than the base beyond noise"
        if gap is None
        else f", {gap:.0%} of the way to the booster"
    )
    return f"The light net beats its base: {scores}{way}."


def _results(metadata: Mapping[str, Any]) -> list[str]:
    rows = metadata["results"]
    scores = list(rows["base"]["test"])
    seeds = ", ".join(map(str, rows[metadata["method"]]["seeds"]))
    lines = [
        f"Test split, mean ± standard deviation over seeds {seeds}; the test split chose nothing.",
        "",
        "| net | " + " | ".join(_NAMES[score] for score in scores) + " | training s |",
        "| --- |" + " ---: |" * (len(scores) + 1),
    ]
    for name, row in rows.items():
        cells = [f"{row['test'][s]['mean']:.4f} ± {row['test'][s]['std']:.4f}" for s in scores]
        title = f"**light net, {row['title']}**" if name == metadata["method"] else row["title"]
        lines.append(f"| {title} | {' | '.join(cells)} | {sum(row['seconds']) / len(row['seconds']):.3g} |")
    chosen = (
        f"seed {metadata['seed']}, whose light net gains most over its base in validation {_NAMES[metadata['metric']]}"
    )
    names = " | ".join(_NAMES[score] for score in scores)
    lines += ["", f"The weights here are those of {chosen}:", ""]
    lines += [f"| net | split | {names} |", "| --- | --- |" + " ---: |" * len(scores)]
    for head, net in metadata["nets"].items():
        for split in ("validation", "test"):
            lines.append(f"| {head} | {split} | " + " | ".join(f"{net[split][s]:.4f}" for s in scores) + " |")
    return lines


def _nets(metadata: Mapping[str, Any]) -> list[str]:
    lines = ["| net | parameters | multiply-adds a row |", "| --- | ---: | ---: |"]
    for head, net in metadata["nets"].items():
        lines.append(f"| {head} | {net['parameters']:,} | {net['multiply_adds']:,} |")
    latency = metadata.get("latency")
    if latency:
        times = f"p50 {latency['p50_ms']:.3f} ms, p99 {latency['p99_ms']:.3f} ms"
        batch = f"batch of {latency['batch_size']}, {latency['threads']} thread"
        where = f"{latency['runtime']}, {latency['device']}"
        busy = (
            " Something else ran on the machine meanwhile, so the p99 may be its." if latency.get("disturbed") else ""
        )
        lines += ["", f"Latency of the light net, exported to ONNX: {times}; {batch}, {where}.{busy}"]
    return lines


def _training(metadata: Mapping[str, Any]) -> list[str]:
    recipe, trained = metadata["recipe"], metadata["trained"]
    told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in recipe.items() if value is not None)
    return [
        f"Recipe: {told}. Factor of the hint weight, chosen on validation: {metadata['factor']:g}.",
        "",
        f"`{trained['command']}`",
        "",
        f"On {trained['backend']}, {trained['device']}, {trained['date'][:10]}, commit {trained['git_commit']}, keras "
        f"{trained['versions']['keras']}. Paper: {metadata['paper']}.",
    ]


def _terms(metadata: Mapping[str, Any]) -> list[str]:
    data = metadata["data"]
    rows = ", ".join(f"{count:,} {part}" for part, count in data["rows"].items())
    lines = [
        f"{data['source']} Rows: {rows}.",
        "",
        f"Terms of the data, which the weights inherit: {metadata['licence']}.",
    ]
    return [*lines, "", metadata["limits"]] if metadata.get("limits") else lines


def _files(metadata: Mapping[str, Any]) -> list[str]:
    lines = ["| file | bytes | SHA-256 |", "| --- | ---: | --- |"]
    return lines + [f"| {name} | {file.bytes:,} | `{file.sha256}` |" for name, file in metadata["files"].items()]


_RESULTS = ("results", "method", "metric", "seed", "nets")
_SECTIONS: tuple[tuple[str, tuple[str, ...], Callable[[Mapping[str, Any]], list[str]]], ...] = (
    ("Results", _RESULTS, _results),
    ("Nets", ("nets",), _nets),
    ("Training", ("recipe", "trained", "factor", "paper"), _training),
    ("Data, licence, limits", ("data", "licence"), _terms),
)
"""Each section with the facts that it needs."""
_TOLD_ELSEWHERE = ("latency", "limits", "packed")
"""Facts that stand in one of the sections, or are of no use to a reader."""
