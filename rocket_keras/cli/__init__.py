"""The command line: the only folder that sees rocket_keras, zoo and tuning together."""

import os
import traceback
from pathlib import Path

from rocket_keras.cli import bench, daily, export, search, serve, train, zoo
from rocket_keras.cli.app import app, stop

__all__ = ["app", "bench", "daily", "export", "main", "search", "serve", "train", "zoo"]


def main() -> None:
    """Run the command line; what a user can mend is one line on standard error, without a traceback."""
    try:
        app()
    except (ValueError, KeyError, OSError, ImportError, ArithmeticError) as error:
        if os.environ.get("ROCKET_KERAS_TRACEBACK"):
            raise
        stop(_line(error), 2)


def _line(error: Exception) -> str:
    """Return what is said of an error; a key that a dict lacks says nothing, so where it was looked for."""
    message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    if isinstance(error, KeyError) and " " not in message.strip():
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return (
            f"expected {message!r} among the keys in {Path(frame.filename).name}, line {frame.lineno}, received none; "
            "this is a fault of rocket-keras: report what it prints with ROCKET_KERAS_TRACEBACK=1"
        )
    return " ".join(message.split())
