"""Where numbers come from: versions, backend, device, commit."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import keras

from rocket_keras.latency import processor

_PACKAGES = ("rocket-keras", "keras", "numpy", "jax", "tensorflow", "tensorflow-cpu", "torch", "onnx", "onnxruntime")


def versions() -> dict[str, str]:
    """Return the version of Python and of each installed package that takes part."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def device() -> str:
    """Name the device that trains, with the processor and the number of cores."""
    where = str(getattr(keras.ops.zeros(()), "device", "cpu")).lower()
    kind = next((name for name in ("gpu", "cuda", "tpu") if name in where), "cpu")
    return f"{kind}, {processor()}, {os.cpu_count()} cores"


def git_commit() -> str | None:
    """Return the commit of the checkout that this code runs from; None for an installed package."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"]
    try:
        tracked = ["git", "-C", str(here), "ls-files", "--error-unmatch", __file__]
        subprocess.run(tracked, capture_output=True, check=True, timeout=10)
        return subprocess.run(command, capture_output=True, check=True, timeout=10, text=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
