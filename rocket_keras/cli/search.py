"""The command that finds the light net: search."""

import dataclasses
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rocket_keras.cli.app import DataDir, app, interruptible


@app.command()
def search(
    entry: Annotated[str, typer.Argument(help="Name or short name of a zoo entry: ml1m, adsim, digits, ...")],
    budget_ms: Annotated[
        float | None, typer.Option(help="Milliseconds that a request's p99 may take.", show_default=False)
    ] = None,
    p50_ms: Annotated[float | None, typer.Option(help="The same of the median.", show_default=False)] = None,
    p95_ms: Annotated[float | None, typer.Option(help="The same of the p95.", show_default=False)] = None,
    candidates: Annotated[
        int | None, typer.Option(help="Rows a request; the recipe's otherwise.", min=1, show_default=False)
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of ONNX Runtime.", min=1)] = 1,
    parameters: Annotated[int | None, typer.Option(help="Limit of the parameters.", show_default=False)] = None,
    multiply_adds: Annotated[int | None, typer.Option(help="Limit of a row's.", show_default=False)] = None,
    peak_memory_mb: Annotated[float | None, typer.Option(help="Limit of the memory.", show_default=False)] = None,
    artefact_bytes: Annotated[int | None, typer.Option(help="Limit of the ONNX file.", show_default=False)] = None,
    max_trials: Annotated[
        int | None,
        typer.Option(help="Light nets that are trained; 20 otherwise. Not with hyperband.", min=1, show_default=False),
    ] = None,
    oracle: Annotated[str, typer.Option(help="bayesian, random, hyperband or grid.")] = "bayesian",
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's.", min=1, show_default=False)] = None,
    train_rows: Annotated[int | None, typer.Option(help="Instead of all.", min=1, show_default=False)] = None,
    fleet: Annotated[
        int | None,
        typer.Option(
            help="Light nets in one launch, at most; 8 otherwise. Where the recipe lets the light net move what is "
            "shared, each is launched alone.",
            min=1,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed.", min=0)] = 0,
    headroom: Annotated[float, typer.Option(help="Share of the milliseconds that stays free.", min=0, max=0.9)] = 0.1,
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/search-ENTRY otherwise.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print search.json.")] = False,
) -> None:
    """Find the best light net under an entry's booster whose measured latency, as exported, meets a budget.

    Prints the winner's scores on the test split, which chose nothing. The same command goes on with a search that was
    interrupted.
    """
    from rich.console import Console

    import zoo
    from tuning import LatencyBudget, Training
    from tuning import search as run
    from tuning.report import summary

    row = zoo.get_entry(entry)
    changes: dict[str, Any] = {"epochs": epochs, "train_rows": train_rows}
    recipe = dataclasses.replace(row.recipe, **{key: value for key, value in changes.items() if value is not None})
    budget = LatencyBudget(
        p50_ms, p95_ms, budget_ms, candidates or recipe.serving_batch, threads,
        parameters, multiply_adds, peak_memory_mb, artefact_bytes,
    )  # fmt: skip
    _check_fleet(entry, fleet, recipe)
    plan = row.plan(data_dir, seed, recipe)
    data = plan.data
    metric = "accuracy" if data.num_classes > 2 else "auc"
    training = Training(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=recipe.optimizer,
        metric=metric,
        hint=recipe.hint,
        hint_weight=recipe.hint_weight,
        light_to_shared=recipe.light_to_shared,
        gradient_block=recipe.gradient_block,
        fleet_size=fleet or 8,
        seed=seed,
        augment=recipe.augment,
    )
    folder = out or Path("runs") / f"search-{entry}"
    told = {"entry": row.name, "dataset": {"name": data.name, "hash": data.content_hash}}
    told["command"] = shlex.join(["rocket-keras", *sys.argv[1:]])
    encoder = getattr(data, "encoder", None)
    with interruptible("interrupted. The same command goes on from the last finished epoch."):
        result = run(
            row.builder(data), budget, data.train, data.validation, max_trials, oracle,
            training=training, headroom=headroom, folder=folder, encoder=encoder, told=told,
        )  # fmt: skip
    if result is None:  # a worker: the chief has the result
        return
    test = _finished(result, row, data, folder, encoder)
    if as_json:
        print(json.dumps({**result.to_json(), "test": test}))
        return
    console = Console()
    console.print(summary(result.to_json()), markup=False, soft_wrap=True, highlight=False)
    scores = ", ".join(f"{net} " + " ".join(f"{k} {v:.4f}" for k, v in s.items()) for net, s in test.items())
    console.print(f"Test: {scores}.", markup=False, soft_wrap=True, highlight=False)
    console.print(f"Report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def _check_fleet(entry: str, fleet: int | None, recipe: Any) -> None:
    if fleet is not None and (recipe.light_to_shared or not recipe.gradient_block):
        raise ValueError(
            f"expected no --fleet for {entry}, received {fleet}; by its recipe the booster's course depends on the "
            "light net, so each light net is launched alone: leave it out"
        )


def _finished(result: Any, row: Any, data: Any, folder: Path, encoder: Any) -> dict[str, Any]:
    """Score the winner and its booster on the test split, and save the pair as a preset."""
    import zoo
    from rocket_keras.json_file import write_json
    from zoo.packing import net_scores

    nets = {"light": result.pair.light, "booster": result.pair.booster}
    test = {name: net_scores(net, data.test) for name, net in nets.items()}
    text = encoder.to_json() if encoder is not None else None
    zoo.save_preset(
        result.pair, folder / "preset", text, name=row.name, licence=row.licence, values=result.values, test=test
    )
    write_json(folder / "test.json", test)
    return test
