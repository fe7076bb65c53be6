"""Options that several commands share, and the application that they belong to."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

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


@contextlib.contextmanager
def interruptible(message: str) -> Iterator[None]:
    """Within it, an interrupt ends the program with one line on standard error and the status 130.

    Python's own KeyboardInterrupt is raised wherever the program happens to be: in a backend's callback it is lost, and
    the training goes on. What is written is written whole or not at all, so there is nothing to clean up.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(RuntimeError):  # it came in the middle of printing
            sys.stdout.flush()
        # A progress bar hides the terminal's cursor.
        shown = "\x1b[?25h\n" if sys.stderr.isatty() else ""
        os.write(2, f"{shown}rocket-keras: {message}\n".encode())
        os._exit(130)

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background
        yield
        return
    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
