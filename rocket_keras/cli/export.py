"""The command that writes a light net for others to serve."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rocket_keras.cli.app import DataDir, app, note

SUFFIXES = {"onnx": ".onnx", "keras": ".keras", "litert": ".tflite", "saved_model": ""}
LEAST_GAIN = 1.02
"""How many times faster a rewrite must be to be taken."""


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
        told |= _write(net, path, user, fold, batch_norm, int8, candidates, threads)
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


def _write(
    net: Any, path: Path, once: tuple, fold: bool | None, batch_norm: bool, int8: bool, candidates: int, threads: int
) -> dict[str, Any]:
    """Write the ONNX file; return what was measured and chosen."""
    import shutil
    import tempfile

    import keras

    from rocket_keras.export import export_light
    from rocket_keras.onnx_graph import has_tables
    from rocket_keras.serving.fastest import medians_ms

    told: dict[str, Any] = {}
    request = keras.tree.map_structure(lambda column: column[:candidates], net.rows)
    with tempfile.TemporaryDirectory() as folder:

        def written(file: str, folded: bool) -> Path:
            rewrites: dict[str, Any] = {"once": once, "fold": folded, "batch_norm": batch_norm}
            return export_light(net.model, Path(folder) / file, net.sample, net.encoder, **rewrites, name=net.name)

        if fold is None and has_tables(net.model):
            files = [written("looked_up.onnx", False), written("folded.onnx", True)]
            looked_up, folded = told["fold_ms"] = medians_ms(files, request, once, threads)
            fold = folded * LEAST_GAIN < looked_up
        told["fold"] = bool(fold)
        chosen = written("light.onnx", told["fold"])
        if int8:
            chosen = _in_eight_bits(net, chosen, request, once, threads, told)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place first: a service may watch the file, and takes a whole one or none.
        shutil.copyfile(chosen, draft := path.with_name(f".{path.name}.part"))
        draft.replace(path)
    return told


def _in_eight_bits(net: Any, file: Path, request: Any, once: tuple, threads: int, told: dict[str, Any]) -> Path:
    """Return the net in 8-bit integers where it is faster, else the file as it was; tell what it costs."""
    from rocket_keras.graph import inputs_of
    from rocket_keras.serving.fastest import medians_ms
    from rocket_keras.serving.quantise import quantise

    small = file.with_name("int8.onnx")
    quantise(file, small, inputs_of(net.model, net.data.validation.x), once)
    told["int8_ms"] = medians_ms([file, small], request, once, threads)
    told["int8_scores"] = {name: _scores(net, one, once) for name, one in (("float32", file), ("int8", small))}
    told["int8"] = told["int8_ms"][1] * LEAST_GAIN < told["int8_ms"][0]
    return small if told["int8"] else file


def _scores(net: Any, file: Path, once: tuple) -> Mapping[str, float]:
    """Return the file's scores on the test split; a graph shaped for requests is asked row by row."""
    import numpy as np

    from rocket_keras.graph import inputs_of
    from rocket_keras.launch.scoring import score
    from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session

    session, test = onnx_session(file), net.data.test
    feed = onnx_feed(session, inputs_of(net.model, test.x))
    step = 1 if once else 2048
    parts = range(0, len(test), step)
    logits = [onnx_run(session, {name: column[i : i + step] for name, column in feed.items()}) for i in parts]
    return score(np.concatenate(logits).astype("float64"), test)


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
