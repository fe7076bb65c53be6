"""The command that serves a light net over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from rocket_keras.cli.app import app, note


@app.command()
def serve(
    source: Annotated[
        str, typer.Argument(help="An exported .onnx file; or an entry with weights, a preset folder or URL, or a run.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; open it to networks that you trust.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8080,
    threads: Annotated[int, typer.Option(help="Threads of ONNX Runtime.", min=1)] = 1,
    deadline_ms: Annotated[
        float, typer.Option(help="Milliseconds that a request may wait before it is scored.")
    ] = 50.0,
    max_candidates: Annotated[int, typer.Option(help="Candidates of a request.", min=1)] = 5000,
    max_body_bytes: Annotated[int, typer.Option(help="Bytes of a request's body.", min=1)] = 2 * 1024 * 1024,
    watch: Annotated[bool, typer.Option(help="Serve a new file in place of an .onnx file that changes.")] = True,
) -> None:
    """Score candidates over HTTP with a light net and its preprocessing, until SIGTERM; SIGHUP opens the file again."""
    import tempfile

    from rocket_keras.service import Limits
    from rocket_keras.service import serve as serve_file

    limits = Limits(deadline_ms, max_candidates, max_body_bytes)
    if source.endswith(".onnx"):
        serve_file(Path(source), host, port, threads, limits, watch, note)
        return
    with tempfile.TemporaryDirectory() as folder:
        serve_file(_exported(source, Path(folder)), host, port, threads, limits, False, note)


def _exported(source: str, folder: Path) -> Path:
    """Write the light net, the user's columns taken once a request."""
    from rocket_keras.export import export_light
    from zoo.serving import served_light

    net = served_light(source, None, made_up=True, rows=64)
    user = net.inputs_of_side("user")
    once = user if len(user) < len(net.model.inputs) else ()  # where all are the user's, each row is a request's
    return export_light(net.model, folder / "light.onnx", net.sample, net.encoder, once, name=net.name)
