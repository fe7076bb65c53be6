"""The command line: the only folder that sees rocket_keras, zoo and tuning together."""

import os

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
        message = error.args[0] if isinstance(error, KeyError) else str(error)
        stop(" ".join(str(message).split()), 2)
