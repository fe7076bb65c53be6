"""Options that several commands share, and the application that they belong to."""

import sys
from pathlib import Path
from typing import Annotated

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

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with the downloaded data sets; ROCKET_KERAS_DATA is used otherwise.", show_default=False),
]


@app.callback()
def _options() -> None:
    """Rocket launching: train a light net beside its booster, serve the light net alone."""


def note(line: str) -> None:
    """Print a line to standard output as it is."""
    from rich.console import Console

    Console().print(line, markup=False, highlight=False, soft_wrap=True)


def stop(message: str, code: int) -> None:
    """End the program with one line on standard error."""
    print(f"rocket-keras: {message}", file=sys.stderr)
    raise SystemExit(code)
