"""The command that trains day by day: daily."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from rocket_keras.cli.app import app, interruptible, note


@app.command()
def daily(
    log: Annotated[list[str], typer.Option(help="File, glob, folder or URL; may stand several times.")],
    fields: Annotated[
        Path | None,
        typer.Option(
            help="JSON of an encoder: what the columns are. Otherwise by type, of Parquet.", show_default=False
        ),
    ] = None,
    label: Annotated[str, typer.Option(help="Column of the clicks, 0 or 1.")] = "click",
    group: Annotated[str | None, typer.Option(help="Column of the users, for GAUC.", show_default=False)] = None,
    user: Annotated[str, typer.Option(help="Columns of the user, separated by commas; without --fields.")] = "",
    item: Annotated[str, typer.Option(help="Columns of the candidate; without --fields.")] = "",
    format: Annotated[
        str | None, typer.Option(help="parquet, csv or tsv; by suffix otherwise.", show_default=False)
    ] = None,
    columns: Annotated[str, typer.Option(help="Names of the columns of text without a header, in their order.")] = "",
    missing: Annotated[
        str | None, typer.Option(help="Text that a null of a Parquet column of ids counts as.", show_default=False)
    ] = None,
    bad_share: Annotated[float, typer.Option(help="Share of a day's rows that need not parse.", min=0, max=1)] = 0.001,
    by: Annotated[str, typer.Option(help="The folder that names the day, as in day=07.")] = "day",
    method: Annotated[str, typer.Option(help="rocket, base or distilled.")] = "rocket",
    light: Annotated[str, typer.Option(help="Widths of the light net, separated by commas.")] = "32,16",
    booster: Annotated[str, typer.Option(help="Widths of the booster.")] = "512,256,128",
    booster_tower: Annotated[str, typer.Option(help="mlp, dcnv2, deepfm, wide_deep, din, ...")] = "mlp",
    dim: Annotated[int, typer.Option(help="Width of the embeddings.", min=1)] = 16,
    batch_size: Annotated[int, typer.Option(help="Rows a batch.", min=1)] = 1024,
    epochs: Annotated[int, typer.Option(help="How often each day is read.", min=1)] = 1,
    rate: Annotated[float, typer.Option(help="Learning rate of Adam on the dense layers.")] = 1e-3,
    row_rate: Annotated[float, typer.Option(help="Learning rate of Adagrad on the tables.")] = 0.05,
    hint_weight: Annotated[float, typer.Option(help="Weight of the hint.", min=0)] = 1.0,
    min_count: Annotated[int, typer.Option(help="Rows that a value needs for an id.", min=1)] = 2,
    keep_days: Annotated[
        int | None, typer.Option(help="Days after which an unseen id may lose its row.", min=1, show_default=False)
    ] = None,
    held_out: Annotated[float, typer.Option(help="Share of a day's rows that judge the net, not train it.")] = 0.05,
    metric: Annotated[str, typer.Option(help="auc, gauc or log_loss.")] = "auc",
    margin: Annotated[float, typer.Option(help="How much worse than the published net it may be.", min=0)] = 0.002,
    keep_files: Annotated[
        int | None, typer.Option(help="Days whose exported nets are kept; otherwise all.", min=1, show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed.", min=0)] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the training.")] = Path("runs/daily"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the days as JSON.")] = False,
) -> None:
    """Train on a log that grows by a day every day, and publish a light net after each.

    Each day is scored before it is trained on. The light net replaces OUT/published/light.onnx where it is not worse
    on held-out rows; `rocket-keras serve OUT/published/light.onnx` takes it over. The same command goes on with days
    that came later, and after an interruption.
    """
    import keras

    import zoo
    from rocket_keras.daily import Daily, run_daily
    from rocket_keras.daily.fields import guess_fields
    from rocket_keras.daily.report import HEADER, line, serves, write_report
    from rocket_keras.encoding import Encoder
    from rocket_keras.row_optimizers import Adagrad
    from rocket_keras.streaming import Tolerance, read_log

    found = read_log(log if len(log) > 1 else log[0], format, _names(columns) or None, missing=missing)
    if fields is None:
        read = guess_fields(found, label, _names(user), _names(item))
    else:
        read = Encoder.from_json(fields.read_text(encoding="utf-8"))
    plan = Daily(
        method=method, label=label, group=group, by=by, batch_size=batch_size, epochs=epochs, min_count=min_count,
        keep_days=keep_days, held_out=held_out, metric=metric, margin=margin, hint_weight=hint_weight, seed=seed,
        tolerance=Tolerance(share=bad_share), keep_files=keep_files,
        optimizer=lambda: keras.optimizers.Adam(rate), row_optimizer=lambda: Adagrad(row_rate),
    )  # fmt: skip
    light_units, booster_units = _widths(light), _widths(booster)

    def make(encoder: Encoder, sizes: Any) -> Any:
        features = zoo.features_of(encoder, dim, sizes)
        return zoo.ctr_pair(
            features,
            booster=booster_tower,
            light_units=light_units,
            booster_units=booster_units,
            embedding="sparse",
        )

    told = [HEADER]

    def tell(record: dict[str, Any]) -> None:
        if not as_json:
            while told:
                note(told.pop())
            note(line(record))

    with interruptible("interrupted. The same command goes on where it was."):
        records = run_daily(found, read, make, out, plan, told=tell)
    write_report(records, out)
    if as_json:
        print(json.dumps(records))
    else:
        note(f"Report: {out / 'report.html'}")
        note(serves(records, out / "published" / "light.onnx"))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _widths(text: str) -> tuple[int, ...]:
    try:
        widths = tuple(int(width) for width in text.split(","))
    except ValueError:
        widths = ()
    if not widths or min(widths) < 1:
        raise ValueError(f"expected widths as whole numbers with commas between, as in 32,16; received {text!r}")
    return widths
