"""More machines: what Keras Tuner's chief and workers need to outlive each other's death.

Keras Tuner lets one chief own the oracle and any number of workers train, over gRPC, told who is who by the variables
KERASTUNER_TUNER_ID, KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT.
"""

import contextlib
import io
import os
import threading
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 600.0
"""How long a worker waits for a chief that does not answer."""


def role() -> str:
    """Return `"chief"`, `"worker"`, or `"alone"`."""
    if "KERASTUNER_ORACLE_IP" not in os.environ:
        return "alone"
    return "chief" if "chief" in os.environ.get("KERASTUNER_TUNER_ID", "") else "worker"


def no_output() -> Any:
    """Keep what Keras Tuner prints of conditions, as it packs them for gRPC, from the standard output."""
    return contextlib.redirect_stdout(io.StringIO())


class PatientClient:
    """Keras Tuner's client of the chief's oracle, which asks again while the chief is away.

    Args:
        client: `keras_tuner`'s OracleClient.
        patience_seconds: When to give up.
    """

    def __init__(self, client: Any, patience_seconds: float = PATIENCE_SECONDS):
        self.client, self.patience_seconds = client, patience_seconds

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.client, name)
        return self._patient(found) if callable(found) else found

    def _patient(self, method: Callable[..., Any]) -> Callable[..., Any]:
        import grpc

        def ask(*arguments: Any, **options: Any) -> Any:
            end = time.monotonic() + self.patience_seconds
            while True:
                try:
                    with no_output():
                        return method(*arguments, **options)
                except grpc.RpcError as error:
                    away = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
                    if not away or time.monotonic() > end:
                        raise
                    time.sleep(1.0)

        return ask


class Heartbeat:
    """Asks the chief for the trials under way from time to time, by which it knows that this worker is alive.

    Args:
        oracle: The worker's client.
        trials: Ids.
        seconds: Between two signs of life.
    """

    def __init__(self, oracle: Any, trials: list[str], seconds: float):
        self.oracle, self.trials, self.seconds = oracle, trials, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        import grpc

        while not self._stop.wait(self.seconds):
            for trial in self.trials:
                try:
                    self.oracle.get_trial(trial)
                except grpc.RpcError:  # the training goes on, and its end is reported to whoever is there then
                    break
