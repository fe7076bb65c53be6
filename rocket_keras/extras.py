"""Packages that only some of the work needs."""

import importlib
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

    Args:
        module: Name to import.
        extra: The extra of rocket-keras that brings it.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise ImportError(f"This needs {missing}. Install it with: pip install 'rocket-keras[{extra}]'") from error
