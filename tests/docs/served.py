"""Runs `rocket-keras serve` beside a document's program, as a reader would in another terminal."""

import atexit
import subprocess
import threading


def start(command: list[str]) -> None:
    """Start the service, wait until it says where it listens, and stop it when the program ends."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    atexit.register(process.wait, 60)
    atexit.register(process.terminate)
    waiting = threading.Timer(120, process.kill)
    waiting.start()
    line = process.stdout.readline()
    waiting.cancel()
    if "serves" not in line:
        raise RuntimeError(f"expected the line that says where the service listens, received {line!r}")
    print(line, end="")
