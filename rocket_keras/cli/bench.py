"""The command that measures a light net: bench."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from rocket_keras.cli.app import DataDir, app, note


@app.command()
def bench(
    source: Annotated[str, typer.Argument(help="Name of an entry with weights, a preset folder or URL, or a run.")],
    candidates: Annotated[str, typer.Option(help="Rows a request, separated by commas.")] = "100,200,500",
    threads: Annotated[str, typer.Option(help="Threads of ONNX Runtime, separated by commas.")] = "1",
    budget_ms: Annotated[
        float | None, typer.Option(help="Milliseconds that the p99 should not exceed.", show_default=False)
    ] = None,
    requests: Annotated[int, typer.Option(help="Requests, at first where there is a budget.", min=1)] = 500,
    seconds: Annotated[float, typer.Option(help="When to give up on a budget that is undecided.", min=0)] = 20.0,
    rate: Annotated[
        float | None,
        typer.Option(help="Requests a second of an open loop; else a closed one.", show_default=False),
    ] = None,
    made_up: Annotated[bool, typer.Option(help="Made-up rows instead of the data set's test rows.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for latency.json and plots.", show_default=False)] = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a light net's latency: exported to ONNX, requests of real test rows, one after the other."""
    import tempfile

    from rich.console import Console

    from rocket_keras.export import export_light
    from rocket_keras.latency import measure_latency
    from rocket_keras.latency.table import print_latencies
    from zoo.serving import served_light

    sizes, counts = _counts("--candidates", candidates), _counts("--threads", threads)
    net = served_light(source, data_dir, made_up, max(sizes), "take --made-up")
    found, times = [], list[list[float]]()
    with tempfile.TemporaryDirectory() as folder:
        file = export_light(net.model, Path(folder) / "light.onnx", net.sample)
        for count in counts:
            for size in sizes:
                times.append([])
                options = {"threads": count, "rows": net.rows, "requests": requests, "seconds": seconds}
                options["times_ms"] = times[-1]
                found.append(measure_latency(file, size, budget_ms, rate_per_s=rate, **options))
    facts = [{**dataclasses.asdict(one), "rows": net.told} for one in found]
    left_out = _write(net, facts, found, times, out) if out is not None else None
    if as_json:
        print(json.dumps(facts))
        return
    console = Console()
    if not console.is_terminal:
        console.width = 160
    print_latencies(found, f"{net.name}, {net.told}", console)
    if out is not None:
        note(f"Plots: {out}")
    if left_out:
        note(left_out)


def _write(net: Any, facts: list[Any], found: list[Any], times: list[list[float]], out: Path) -> str | None:
    """Write latency.json, a histogram a measurement, and quality against latency where the nets' scores are known.

    Returns:
        Why that figure has no line of the budget; None where it has one, or there is none to draw.
    """
    from rocket_keras.json_file import write_json
    from rocket_keras.latency.plots import histogram_figure, plane_figure

    write_json(out / "latency.json", facts)
    for one, mine in zip(found, times, strict=True):
        figure = histogram_figure(mine, one)
        figure.savefig(out / f"latency-{one.batch_size}-candidates-{one.threads}-threads.png", dpi=160)
    # The other nets were measured when they were trained: what is shown beside them must be, too.
    budget_ms = found[0].budget_ms
    stored = {(one["batch_size"], one["threads"]) for row in net.nets.values() if (one := row.get("latency"))}
    same = stored <= {(one.batch_size, one.threads) for one in found}
    plane = plane_figure(net.nets, budget_ms if same else None)
    if plane is None:
        return None
    plane.savefig(out / "latency_quality.png", dpi=160)
    if same or budget_ms is None:
        return None
    settings = " or ".join(f"--candidates {size} --threads {threads}" for size, threads in sorted(stored))
    return f"No budget in latency_quality.png: its nets were measured with {settings} when they were trained"


def _counts(option: str, text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdigit() and int(part) for part in parts):
        raise ValueError(f"expected {option} as whole numbers above 0 with commas, received {text!r}; for instance 1,2")
    return [int(part) for part in parts]
