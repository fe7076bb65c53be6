"""The command line: the only folder that sees rocket_keras, zoo and tuning together."""

import os
import textwrap
import traceback
from pathlib import Path

from rocket_keras.extras import require

require("typer", extra="launch")  # imported at the top of the files below; here its absence is one line

from rocket_keras.cli import bench, daily, export, search, serve, train, zoo  # noqa: E402
from rocket_keras.cli.app import app, stop  # noqa: E402

__all__ = ["app", "bench", "daily", "export", "main", "search", "serve", "train", "zoo"]

FORESEEN = (ValueError, OSError, ImportError, ArithmeticError)
PACKAGES = ("rocket_keras", "zoo", "tuning")
LONGEST = 400
"""Characters of an error that was not expected: Keras's may hold a whole model."""


def main() -> None:
    """Run the command line; whatever goes wrong is one line on standard error, without a traceback."""
    try:
        app()
    except Exception as error:  # the user's end of the program: nobody above can say it better
        if os.environ.get("ROCKET_KERAS_TRACEBACK"):
            raise
        stop(_line(error), 2)


def _line(error: Exception) -> str:
    """The error in one line; one that we do not raise on purpose with its type and the line that it came from."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = " ".join(text.split())
    root = Path(__file__).parents[2]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(root)]
    ours = [f for f in frames if Path(f.filename).relative_to(root).parts[0] in PACKAGES]
    raised = bool(ours) and ours[-1] is frames[-1] and (ours[-1].line or "").startswith("raise ")
    # A KeyError that someone wrote is a sentence, that of a dict is the key alone.
    if raised or isinstance(error, FORESEEN) or (isinstance(error, KeyError) and " " in text):
        return text
    where = f" at {Path(ours[-1].filename).relative_to(root)}, line {ours[-1].lineno}" if ours else ""
    what = textwrap.shorten(f"{type(error).__name__}: {text}", LONGEST, placeholder=" ...")
    return f"unexpected {what}{where}; set ROCKET_KERAS_TRACEBACK=1 for the traceback, and report it"
