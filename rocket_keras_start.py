"""Start of the `rocket-keras` command: a backend is chosen before anything imports Keras.

It stands beside the package because importing any part of the package imports Keras.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import NoReturn

BACKENDS = ("jax", "torch", "tensorflow")


def main() -> None:
    """Choose a backend and run the command line; what cannot be imported is one line on standard error."""
    try:
        choose_backend()
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from rocket_keras.cli import main as run
    except (ImportError, ValueError) as error:
        print(f"rocket-keras: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None
    try:
        run()
    except SystemExit as end:
        if isinstance(end.code, int) and end.code:
            _leave(end.code)
        raise


def _leave(code: int) -> NoReturn:
    """End the process without shutting the interpreter down.

    A training may be under way: TensorFlow's input pipeline calls Python from threads of its own, and a pipeline that
    ends with the interpreter waits for it, now and then for ever.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def choose_backend() -> None:
    """Take an installed backend where the user named none: Keras's own default is TensorFlow whatever is there.

    Raises:
        ImportError: The backend that the user named, or any backend at all, is not installed.
    """
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    named = os.environ.get("KERAS_BACKEND")
    if not installed:
        raise ImportError("no backend is installed. Install one with: pip install 'rocket-keras[jax,launch]'")
    if named and named not in installed:
        raise ImportError(f"KERAS_BACKEND={named} is not installed here. Set it to one of: {', '.join(installed)}")
    if not named and _configured(home / "keras.json") not in installed:
        os.environ["KERAS_BACKEND"] = installed[0]


def _configured(path: Path) -> str | None:
    """Return the backend of a keras.json; Keras writes TensorFlow there at its first import, installed or not."""
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    main()
