"""Commands on the entries of the zoo."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rocket_keras.cli.app import DataDir, app

zoo_app = typer.Typer(help="The entries of the zoo.", no_args_is_help=True)
app.add_typer(zoo_app, name="zoo")


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
        print(card(metadata, source), end="")


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
