"""The choice of Keras's backend, before anything imports Keras; this file does not import it."""

import importlib.util
import json
import os
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")
"""In the order of preference: Keras's own default first, which it also writes into its keras.json."""


def choose_backend() -> None:
    """Choose an installed backend where the user chose none: Keras's default is TensorFlow, installed or not.

    A backend is chosen by `KERAS_BACKEND`, or by keras.json where it names an installed one: Keras writes its default
    there at the first import. The choice is put into `KERAS_BACKEND`, for Keras and for processes that are started.

    Raises:
        ImportError: `KERAS_BACKEND` names a backend that is not installed, or no backend is installed.
    """
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    named = os.environ.get("KERAS_BACKEND")
    if not installed:
        raise ImportError(
            f"expected {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}, received a Python with no backend installed; "
            "install one with: pip install 'rocket-keras[jax,launch]'"
        )
    if named and named not in installed:
        raise ImportError(
            f"expected an installed backend in KERAS_BACKEND, received {named!r}; set it to one of: "
            f"{', '.join(installed)}"
        )
    if not named and _configured() not in installed:
        os.environ["KERAS_BACKEND"] = installed[0]


def _configured() -> str | None:
    """Return the backend that keras.json names, looked for where Keras looks; None where there is none to read."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")  # noqa: PTH111  # as Keras does: Path.home() raises where there is no home
        folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")  # noqa: PTH118
    try:
        return json.loads(Path(folder, "keras.json").expanduser().read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
