"""Runs the application until it is asked to stop."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from rocket_keras.service.app import build_app
from rocket_keras.service.limits import Limits
from rocket_keras.service.metrics import Metrics
from rocket_keras.service.model import ServedModel
from rocket_keras.serving import Scorer

CONNECTIONS = 512
"""While so many are open, idle ones included, uvicorn itself answers 503, as plain text."""
STOP_SECONDS = 30
"""In which the requests that are under way are answered when the service is asked to stop."""
WATCH_SECONDS = 1.0


def serve(
    path: Path,
    host: str = "127.0.0.1",
    port: int = 8080,
    threads: int = 1,
    limits: Limits | None = None,
    watch: bool = True,
    told: Callable[[str], None] = print,
) -> None:
    """Serve an ONNX file over HTTP until SIGTERM or SIGINT; requests that are under way are answered first.

    Args:
        path: The file; on SIGHUP it is opened again.
        host: Address to listen on. The service asks nobody who he is: open it to networks that you trust.
        port: Port to listen on; 0 takes a free one.
        threads: Threads of ONNX Runtime.
        limits: What is refused.
        watch: Whether a file that changes takes the place of the one that serves.
        told: Is given one line when the service listens.

    Raises:
        FileNotFoundError, ValueError: As `Scorer`.
        OSError: The address cannot be had. One line.
    """
    limits = limits or Limits()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)

    def opened(file: Path) -> Scorer:
        return Scorer(file, threads, limits.max_candidates, number_texts=False)

    model = ServedModel(path, opened, Metrics())
    app = build_app(model, limits)
    listener = _listener(host, port)
    told(f"{_address(listener)} serves {model.scorer.name} from {path}: POST /score; GET /healthz, /readyz, /metrics")
    # Keras and the vocabularies are here to stay: to look through them for garbage takes longer than many requests.
    gc.collect()
    gc.freeze()
    config = _config(app)
    # Of uvloop, where it is installed.
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_run(config, listener, model, WATCH_SECONDS if watch else None))


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
    )


async def _run(config: uvicorn.Config, listener: socket.socket, model: ServedModel, watch_s: float | None) -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    if hasattr(signal, "SIGHUP"):  # which Windows lacks
        signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(asked.set))
    watching = asyncio.create_task(model.watch(watch_s, asked))
    try:
        await _Server(config).serve([listener])
    finally:
        watching.cancel()


class _Server(uvicorn.Server):
    """Ends like any program that is done after a signal: uvicorn's own would raise the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        earlier = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in earlier.items():
                signal.signal(one, handler)


def _listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: The address cannot be had. One line.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(
            f"expected an address to listen on, received {host} port {port} ({error}); name another host or port"
        ) from error
    # Connections inherit it. Without, the body of an answer waits up to 40 ms for the client to confirm its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
