"""Where numbers come from: versions, backend, device, commit."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import keras

from rocket_keras.latency import processor
from rocket_keras.launch.recipe import Plan

_PACKAGES = ("rocket-keras", "keras", "numpy", "jax", "tensorflow", "tensorflow-cpu", "torch", "onnx", "onnxruntime")


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Return entry, backend, device, versions, data set and recipe, as every result holds them."""
    data = plan.data
    return {
        "entry": plan.name,
        "backend": keras.backend.backend(),
        "device": device(),
        "versions": versions(),
        "dataset": {
            "name": data.name,
            "source": data.source,
            "hash": data.content_hash,
            "rows": {part: len(getattr(data, part)) for part in ("train", "validation", "test")},
            "bayes": data.bayes,
        },
        "recipe": {**plan.recipe.describe(plan.steps), **plan.notes},
    }


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
