"""Commands that train: launch and compare."""

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from rocket_keras.cli.app import DataDir, app, interruptible, stop

Epochs = Annotated[int | None, typer.Option(help="Epochs instead of the recipe's.", min=1, show_default=False)]
TrainRows = Annotated[
    int | None, typer.Option(help="Training rows instead of the recipe's.", min=1, show_default=False)
]


@app.command()
def launch(
    entry: Annotated[str, typer.Argument(help="Name or short name of a zoo entry: digits, ml1m, adsim, ...")],
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/ENTRY otherwise.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="First seed.", min=0)] = 0,
    seeds: Annotated[int, typer.Option(help="Number of seeds; above 1 each has its own folder.", min=1)] = 1,
    epochs: Epochs = None,
    train_rows: TrainRows = None,
    budget_ms: Annotated[
        float | None, typer.Option(help="Milliseconds that a request's p99 should not exceed.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as one JSON object.")] = False,
) -> None:
    """Train base, booster and rocket under one budget; measure, export and report them.

    The same command goes on with a run that was interrupted, from its last epoch.
    """
    import dataclasses

    from rich.console import Console

    import zoo
    from rocket_keras.launch import launch as run
    from rocket_keras.launch.spread import print_spread, spread
    from rocket_keras.report import print_table

    row = zoo.get_entry(entry)
    changes: dict[str, Any] = {"epochs": epochs, "train_rows": train_rows}
    recipe = dataclasses.replace(row.recipe, **{key: value for key, value in changes.items() if value is not None})
    folder = out or Path("runs") / entry
    console: Console = Console()
    if not console.is_terminal:
        console.width = 140
    answers = []
    command = shlex.join(["rocket-keras", *sys.argv[1:]])
    for number in range(seed, seed + seeds):
        target = folder if seeds == 1 else folder / f"seed-{number}"
        with interruptible("interrupted. The same command goes on from the last finished epoch."):
            answers.append(run(row.plan(data_dir, number, recipe), target, number, command, budget_ms=budget_ms))
        if not as_json:
            print_table(answers[-1], console)
            console.print(f"Report: {target / 'report.html'}", markup=False, soft_wrap=True)
    summary = spread(answers, folder / "summary.json") if seeds > 1 else answers[0]
    if as_json:
        print(json.dumps(summary))
    elif seeds > 1:
        print_spread(summary, console)


@app.command()
def compare(
    entry: Annotated[str, typer.Argument(help="Name or short name of a zoo entry: digits, ml1m, bank, ...")],
    methods: Annotated[str, typer.Option(help="Methods, separated by commas, or all. Base is always run.")] = "all",
    seeds: Annotated[int, typer.Option(help="Number of seeds.", min=1)] = 3,
    seed: Annotated[int, typer.Option(help="First seed; the hint weights are chosen at it.", min=0)] = 0,
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/compare-ENTRY otherwise.", show_default=False)] = None,
    jobs: Annotated[int, typer.Option(help="Processes that train at the same time.", min=1)] = 1,
    grid: Annotated[
        str, typer.Option(help="Factors of the hint weights that are tried on validation; 1 for no tuning.")
    ] = "0.3333,1,3",
    same_seconds: Annotated[
        bool, typer.Option(help="Run base and slower methods once more, with as many seconds as rocket takes.")
    ] = True,
    sweep: Annotated[str | None, typer.Option(help="depth: base, KD, rocket with several light nets.")] = None,
    missing_class: Annotated[
        int | None, typer.Option(help="Teach without the images of this class, too.", min=0, show_default=False)
    ] = None,
    epochs: Epochs = None,
    train_rows: TrainRows = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so many, at the end of an epoch.", min=0, show_default=False)
    ] = None,
    on_device: Annotated[
        bool, typer.Option(help="Keep the training rows in the device's memory and augment them there.")
    ] = False,
    precision: Annotated[
        str | None, typer.Option(help="Dtype policy of the training, such as mixed_bfloat16.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print compare.json.")] = False,
) -> None:
    """Compare training methods under one budget, over seeds, on the same data.

    The same command goes on with a comparison that was interrupted; further methods and seeds may be added to it.
    """
    from rich.console import Console

    from rocket_keras.compare import Comparison, WindowOver, pick_methods
    from rocket_keras.compare import compare as run
    from rocket_keras.compare.table import print_comparison
    from zoo.entries import MakePlan

    if sweep not in (None, "depth"):
        raise ValueError(f"expected --sweep depth, received --sweep {sweep}; there is no other sweep")
    changes = {"epochs": epochs, "train_rows": train_rows, "precision": precision}
    comparison = Comparison(
        make_plan=MakePlan(entry, data_dir, tuple((k, v) for k, v in changes.items() if v is not None), on_device),
        root=out or Path("runs") / f"compare-{entry}",
        methods=pick_methods([name.strip() for name in methods.split(",")]),
        seeds=tuple(range(seed, seed + seeds)),
        grid=_factors(grid),
        same_seconds=same_seconds,
        workers=jobs,
        command=shlex.join(["rocket-keras", *sys.argv[1:]]),
        sweep=sweep is not None,
        missing_class=missing_class,
        until=None if minutes is None else time.time() + 60 * minutes,
    )
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = 140
    try:
        with interruptible("interrupted. The same command goes on; finished runs are kept."):
            result = run(comparison, console)
    except WindowOver as over:
        stop(f"{over}. The same command goes on; finished runs and epochs are kept.", 75)
    if as_json:
        print(json.dumps(result))
        return
    print_comparison(result, console)
    console.print(f"Report: {comparison.root / 'report.html'}", markup=False, soft_wrap=True)


def _factors(text: str) -> tuple[float, ...]:
    try:
        factors = tuple(float(part) for part in text.split(","))
    except ValueError:
        factors = ()
    if not factors or min(factors) <= 0:
        raise ValueError(f"expected --grid as numbers above 0 with commas, received {text!r}; for instance 0.3333,1,3")
    return factors
