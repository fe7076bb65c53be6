"""Packages that only some of the work needs."""

import contextlib
import importlib
import random
import sys
from collections.abc import Iterator
from types import ModuleType

LAUNCH = ("matplotlib", "onnx", "onnxruntime", "scipy.stats")
"""What launches and comparisons need at their end, to measure and to report."""


def require_launch() -> None:
    """Say before a training of hours what would be missing after it.

    Raises:
        ImportError: Something of `LAUNCH` is not installed.
    """
    for module in LAUNCH:
        require(module, extra="launch")


def require(module: str, extra: str) -> ModuleType:
    """Import a package of an extra, or say in one line how to install it.

    The import does not move Python's random stream: KerasRS makes an initializer when it is imported, whose seed comes
    from there, so that the first net of a process would begin with other weights than later ones.

    Args:
        module: Name to import.
        extra: The extra of rocket-keras that brings it.

    Raises:
        ImportError: It is not installed.
    """
    try:
        # Keeping it takes longer than finding what was imported before.
        with contextlib.nullcontext() if module in sys.modules else _stream_kept():
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise ImportError(f"This needs {missing}. Install it with: pip install 'rocket-keras[{extra}]'") from error


@contextlib.contextmanager
def _stream_kept() -> Iterator[None]:
    """Leave Python's random stream as it is, from which Keras takes the seeds of initial weights."""
    before = random.getstate()
    try:
        yield
    finally:
        random.setstate(before)
