"""Starts each backend's own engine on virtual devices or local processes, and says which rows are whose."""

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# Devices of one process, or processes of one device.
PROCESSES = {"jax": 1, "tensorflow": 1, "torch": 2}


@dataclass(frozen=True)
class Engine:
    """What a scenario has to know of where it runs.

    Args:
        scope: Returns a context in which models are built, compiled and loaded.
        processes: How many there are.
        rank: Number of this one.
        sharded: Returns such a context in which variables of some paths are cut by rows, where the engine can do that.
    """

    scope: Any = contextlib.nullcontext
    processes: int = 1
    rank: int = 0
    sharded: Any = None

    def mine(self, *arrays):
        """This process's rows: then batch i of all processes together is batch i of one device."""
        return tuple(array[self.rank :: self.processes] for array in arrays)

    def size(self, batch):
        return batch // self.processes


def jax_engine(rank, store):
    import keras

    mesh = keras.distribution.DeviceMesh((1, 2), ["batch", "model"], keras.distribution.list_devices())

    def sharded(paths):
        layout = keras.distribution.LayoutMap(mesh)
        layout[paths] = ("model", None)
        return keras.distribution.ModelParallel(layout_map=layout).scope()

    return Engine(keras.distribution.DataParallel().scope, sharded=sharded)


def tensorflow_engine(rank, store):
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return Engine(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope)


def torch_engine(rank, store):
    from torch import distributed

    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    return Engine(processes=2, rank=rank)


ENGINES = {"jax": jax_engine, "tensorflow": tensorflow_engine, "torch": torch_engine}


def launch(backend, scenario, folder, timeout=600):
    """Run a scenario on two devices in fresh processes; return the file of each process's results."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"}
    environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    store, files = folder / "store", [folder / f"{rank}.npz" for rank in range(PROCESSES[backend])]
    command = [sys.executable, "-W", "ignore", str(HERE / "scenarios.py"), scenario, str(store)]
    running = [
        subprocess.Popen(
            [*command, str(rank), str(file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=folder,
            text=True,
        )
        for rank, file in enumerate(files)
    ]
    try:
        errors = [process.communicate(timeout=timeout)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    for process, said in zip(running, errors, strict=True):
        if process.returncode:
            raise RuntimeError(f"{scenario} on two devices failed:\n{said[-4000:]}")
    return files
