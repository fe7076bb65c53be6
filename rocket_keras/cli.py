"""The command line: the only file that sees rocket_keras, zoo and tuning together."""

import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Any

try:
    import typer
except ModuleNotFoundError as error:
    raise ImportError("The command line needs typer. Install it with: pip install 'rocket-keras[launch]'") from error

app = typer.Typer(
    help="Rocket launching: train a light net beside its booster, serve the light net alone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
zoo_app = typer.Typer(help="The entries of the zoo.", no_args_is_help=True)
app.add_typer(zoo_app, name="zoo")

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with the downloaded data sets; ROCKET_KERAS_DATA is used otherwise.", show_default=False),
]

Epochs = Annotated[int | None, typer.Option(help="Epochs instead of the recipe's.", min=1, show_default=False)]
TrainRows = Annotated[
    int | None, typer.Option(help="Training rows instead of the recipe's.", min=1, show_default=False)
]


@app.callback()
def _options() -> None:
    """Rocket launching: train a light net beside its booster, serve the light net alone."""


@app.command()
def launch(
    entry: Annotated[str, typer.Argument(help="Name or short name of a zoo entry: digits, ml1m, adsim, ...")],
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/ENTRY otherwise.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="First seed.", min=0)] = 0,
    seeds: Annotated[int, typer.Option(help="Number of seeds; above 1 each has its own folder.", min=1)] = 1,
    epochs: Epochs = None,
    train_rows: TrainRows = None,
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
        try:
            answers.append(run(row.plan(data_dir, number, recipe), target, number, command))
        except KeyboardInterrupt:  # here, because Typer would end the program without a word
            _stop("interrupted. The same command goes on from the last finished epoch.", 130)
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
        result = run(comparison, console)
    except KeyboardInterrupt:
        _stop("interrupted. The same command goes on; finished runs are kept.", 130)
    except WindowOver as over:
        _stop(f"{over}. The same command goes on; finished runs and epochs are kept.", 75)
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


@zoo_app.command("list")
def list_zoo(
    pretrained: Annotated[
        bool | None, typer.Option("--pretrained/--recipes", help="Only those with weights, or without.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the entries: name, short name, whether weights are in the package or only a recipe, terms."""
    import zoo

    rows = [zoo.get_entry(name) for name in zoo.list_entries(pretrained)]
    if as_json:
        told = [{"name": r.name, "short": r.short, "pretrained": r.weights is not None} for r in rows]
        print(json.dumps([{**one, "licence": row.licence} for one, row in zip(told, rows, strict=True)]))
        return
    for row in rows:
        print(f"{row.name:40} {row.short or '-':12} {'weights' if row.weights else 'recipe only':12} {row.licence}")


@zoo_app.command()
def show(
    source: Annotated[str, typer.Argument(help="Name of an entry with weights, a preset folder, or its URL.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the metadata as JSON.")] = False,
) -> None:
    """Print a pretrained pair's card: results, sizes, latency, training, terms, files."""
    from zoo.cards import card
    from zoo.loading import open_preset

    metadata = open_preset(source).metadata()
    if as_json:
        files = {name: vars(file) for name, file in metadata["files"].items()}
        print(json.dumps({**metadata, "files": files}))
    else:
        print(card(metadata), end="")


@zoo_app.command()
def verify(
    source: Annotated[str, typer.Argument(help="Name of an entry with weights, a preset folder, or its URL.")],
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Load pretrained weights, score them on the real test split, compare with the card (tolerance 1e-4)."""
    from zoo.verifying import verify as run

    rows = run(source, data_dir)
    if as_json:
        print(json.dumps(rows))
    else:
        for row in rows:
            word = "holds" if row["holds"] else "DIFFERS"
            print(f"{row['net']:8} {row['score']:10} card {row['card']:.6f}  found {row['found']:.6f}  {word}")
    if not all(row["holds"] for row in rows):
        raise ArithmeticError(f"expected the scores on the card of {source}, received others; see the lines above")


@zoo_app.command()
def pack(
    entry: Annotated[str, typer.Argument(help="Name or short name of an entry.")],
    run: Annotated[Path, typer.Argument(help="Folder of a finished comparison of it, with the entry's method.")],
    out: Annotated[Path, typer.Option(help="The preset's folder, written anew.")],
    data_dir: DataDir = None,
) -> None:
    """Write a preset folder from a comparison: the nets at the seed that validation prefers."""
    import zoo
    from zoo.packing import pack as run_pack

    for name, file in run_pack(zoo.get_entry(entry), run, out, data_dir).items():
        print(f"{name:20} {file.bytes:10,} bytes  {file.sha256}")


def main() -> None:
    """Run the command line; what a user can mend is one line on standard error, without a traceback."""
    try:
        app()
    except (ValueError, KeyError, OSError, ImportError, ArithmeticError) as error:
        if os.environ.get("ROCKET_KERAS_TRACEBACK"):
            raise
        message = error.args[0] if isinstance(error, KeyError) else str(error)
        _stop(" ".join(str(message).split()), 2)


def _stop(message: str, code: int) -> None:
    print(f"rocket-keras: {message}", file=sys.stderr)
    raise SystemExit(code)
