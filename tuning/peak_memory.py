"""Run as a script in a fresh process: the memory that opening an ONNX net and answering requests adds at its peak.

    python peak_memory.py net.onnx rows.npz THREADS

prints bytes. Nothing but ONNX Runtime is loaded, so that nothing else counts.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime


def resident(name: str) -> int:
    """Return a line of the process's status in bytes: `VmRSS` now, `VmHWM` at its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {name}")


def main() -> None:
    """Open, answer a hundred requests, and print."""
    net, rows, threads = sys.argv[1:]
    feed = dict(np.load(rows))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = int(threads), 1
    before = resident("VmRSS")
    session = onnxruntime.InferenceSession(net, options, providers=["CPUExecutionProvider"])
    for _ in range(100):
        session.run(None, feed)
    print(max(0, resident("VmHWM") - before))


if __name__ == "__main__":
    main()
