"""The command that writes a light net for others to serve."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rocket_keras.cli.app import DataDir, app, note

SUFFIXES = {"onnx": ".onnx", "keras": ".keras", "litert": ".tflite", "saved_model": ""}


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="Name of an entry with weights, a preset folder or URL, or a run.")],
    kind: Annotated[str, typer.Option("--format", help="onnx, keras, saved_model or litert.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(help="File or folder; light.onnx and the like otherwise.", show_default=False)
    ] = None,
    request_shaped: Annotated[
        bool, typer.Option(help="ONNX: take the user's columns once a request, and compute their part once.")
    ] = False,
    once: Annotated[
        str, typer.Option(help="More raw columns that a request has once, with commas; implies --request-shaped.")
    ] = "",
    fold: Annotated[
        bool | None, typer.Option(help="ONNX: fold small embedding tables; measured otherwise.", show_default=False)
    ] = None,
    batch_norm: Annotated[bool, typer.Option(help="ONNX: fold BatchNorms into the products beside them.")] = True,
    int8: Annotated[bool, typer.Option("--int8", help="ONNX in 8-bit integers, if that is faster here.")] = False,
    candidates: Annotated[int, typer.Option(help="Rows of the requests that choices are measured with.", min=1)] = 200,
    threads: Annotated[int, typer.Option(help="Threads of ONNX Runtime for them.", min=1)] = 1,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the light net with its preprocessing, compared with Keras to 1e-5 before it is called done."""
    from rocket_keras.export import check_place, export_light
    from rocket_keras.onnx_runtime import onnx_session
    from rocket_keras.serving import read_artefact
    from zoo.serving import served_light

    if kind not in SUFFIXES:
        raise ValueError(f"expected --format {', '.join(SUFFIXES)}, received {kind!r}; name one")
    if kind != "onnx" and (request_shaped or once or fold or int8):
        raise ValueError(f"expected --format onnx with --request-shaped, --once, --fold or --int8, received {kind}")
    path = _path(out, kind)
    check_place(path)
    net = served_light(source, data_dir, not int8, candidates, "leave out --int8")
    columns = [name.strip() for name in once.split(",") if name.strip()]
    user = net.inputs_of_side("user", columns) if request_shaped or columns else ()
    if request_shaped and not user:
        raise ValueError(f"expected a net with columns of the user, received {net.name}; name columns with --once")
    told: dict[str, Any] = {"path": str(path), "format": kind, "once": list(user)}
    if kind != "onnx":
        export_light(net.model, path, net.sample, net.encoder)
    else:
        options: dict[str, Any] = {"encoder": net.encoder, "once": user, "batch_norm": batch_norm, "name": net.name}
        how: dict[str, Any] = {"fold": "auto" if fold is None else fold, "int8": "auto" if int8 else False}
        export_light(net.model, path, net.sample, **options, **how, requests=_requests(net, int8, candidates, threads))
        told |= read_artefact(onnx_session(path), path).choices or {"fold": bool(fold)}
    told["bytes"] = sum(f.stat().st_size for f in (path.rglob("*") if path.is_dir() else [path]) if f.is_file())
    if as_json:
        print(json.dumps(told))
        return
    checked = "in 8-bit integers" if told.get("int8") else f"equal to Keras to 1e-5 on 64 rows ({net.told})"
    note(f"{path}: {net.name}, {kind}, {told['bytes']:,} bytes; {checked}")
    for line in _lines(told):
        note(line)


def _path(out: Path | None, kind: str) -> Path:
    """Return where the export goes.

    Raises:
        ValueError: The path's suffix is that of another format.
    """
    suffix = SUFFIXES[kind]
    path = out or Path(f"light{suffix}")
    if path.suffix == suffix:
        return path
    others = [f"take --format {name}" for name, other in SUFFIXES.items() if other == path.suffix]
    raise ValueError(
        f"expected --out with {f'the suffix {suffix}' if suffix else 'no suffix, a folder,'} for --format {kind}, "
        f"received {path}; {' or '.join([f'name {path.with_suffix(suffix)}', *others])}"
    )


def _requests(net: Any, int8: bool, candidates: int, threads: int) -> Any:
    """Return what is measured: real rows, and with --int8 the splits that calibrate and score."""
    from rocket_keras import Requests
    from rocket_keras.launch.scoring import score

    if not int8:
        return Requests(net.rows, candidates, threads)
    test = net.data.test
    return Requests(
        net.rows, candidates, threads, net.data.validation.x, test.x, score=lambda logits: score(logits, test)
    )


def _lines(told: Mapping[str, Any]) -> list[str]:
    """Return what was chosen by measurement, in words."""
    lines = []
    if told["once"]:
        lines.append(f"One row a request: {', '.join(told['once'])}")
    if "fold_ms" in told:
        looked_up, folded = told["fold_ms"]
        kept = "folded" if told["fold"] else "looked up"
        lines.append(f"Embedding tables: {looked_up:.3f} ms looked up, {folded:.3f} ms folded; {kept}")
    if "int8_ms" in told:
        plain, small = told["int8_ms"]
        scores = [
            f"{name} {value:.4f} instead of {told['int8_scores']['float32'][name]:.4f}"
            for name, value in told["int8_scores"]["int8"].items()
        ]
        kept = "written in 8-bit integers" if told["int8"] else "not faster here, so the file is in float32"
        lines.append(f"int8: {small:.3f} ms instead of {plain:.3f}, test {', '.join(scores)}; {kept}")
    return lines
