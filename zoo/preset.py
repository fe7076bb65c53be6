"""A pretrained pair as a folder of plain files, each known by its SHA-256 before it is opened."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from rocket_keras.columns_by_name import by_name
from rocket_keras.loadable import check_loadable
from rocket_keras.net_state import copy_state, has_learnt, load_assets, save_assets
from rocket_keras.pair import HEADS, Pair
from zoo.blank import restore_initializers, without_initializers
from zoo.fetching import fetch, is_url

CONFIG, LIGHT, BOOSTER = "config.json", "light.weights.h5", "booster.weights.h5"
ASSETS = {"light": "light.assets.zip", "booster": "booster.assets.zip"}
ENCODER, METADATA = "encoder.json", "metadata.json"
FORMAT = 1


@dataclass(frozen=True)
class File:
    """What is known of a file before it is opened: SHA-256 (hex) and size in bytes."""

    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: Path) -> "File":
        """Measure a file."""
        with path.open("rb") as stream:
            return cls(hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size)


@dataclass(frozen=True)
class Preset:
    """A preset folder, here or behind a URL.

    Files are fetched when they are wanted, so that the light net never needs the booster's.

    Attributes:
        place: Path of the folder, or its URL.
        known: The files' hashes by name, where something more trusted than the folder itself names them.
    """

    place: str
    known: Mapping[str, File] = field(default_factory=dict)

    def metadata(self) -> dict[str, Any]:
        """Return what is told of the pair: `files`, and whatever `save_preset` was given."""
        path = self._locate(METADATA, self.known.get(METADATA))
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            value["files"] = {name: File(**facts) for name, facts in value["files"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"expected the metadata of a preset in {path}, received something else ({error}); fetch it again"
            ) from error
        if value.get("format") != FORMAT:
            raise ValueError(
                f"expected a preset of format {FORMAT} in {self.place}, received format {value.get('format')}; "
                "use the rocket_keras that wrote it, or a newer one"
            )
        return value

    def file(self, name: str) -> Path:
        """Return the path of a file whose content was checked.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is cut, changed, or not one of the preset's files. One line.
        """
        expected = self.known.get(name) or self.metadata()["files"].get(name)
        if expected is None:
            raise FileNotFoundError(f"expected a file {name} in the preset {self.place}, received none of that name")
        path = self._locate(name, expected)
        if path.stat().st_size != expected.bytes:
            raise ValueError(
                f"expected {expected.bytes} bytes in {path}, received {path.stat().st_size}; the file is cut or is "
                "another one, so nothing was loaded: fetch it again"
            )
        if (found := File.of(path).sha256) != expected.sha256:
            raise ValueError(
                f"expected SHA-256 {expected.sha256} of {path}, received {found}; the file was changed, so nothing was "
                "loaded: fetch it again"
            )
        return path

    def light(self) -> keras.Model:
        """Build the light net with its weights; neither fetches nor opens the booster's file."""
        return self._net("light", self._config(), self.file(LIGHT), self._assets("light"))

    def pair(self) -> Pair:
        """Build the pair with the weights of both nets."""
        # Every file is checked before one is loaded.
        config, files = self._config(), {"light": self.file(LIGHT), "booster": self.file(BOOSTER)}
        assets = {head: self._assets(head) for head in files}
        pair = Pair.from_config(config["pair"])
        for head, path in files.items():
            copy_weights(self._net(head, config, path, assets[head]), getattr(pair, head))
        return pair

    def encoder(self) -> str:
        """Return the JSON text of what turns raw values into the nets' inputs.

        Raises:
            FileNotFoundError: The pair was saved without one.
        """
        return self.file(ENCODER).read_text(encoding="utf-8")

    def _config(self) -> dict[str, Any]:
        return json.loads(self.file(CONFIG).read_text(encoding="utf-8"))

    def _assets(self, head: str) -> Path | None:
        """Return the file of what a net keeps beside its weights; None where it keeps nothing."""
        name = ASSETS[head]
        return self.file(name) if name in self.metadata()["files"] else None

    def _net(self, head: str, config: Mapping[str, Any], weights: Path, assets: Path | None) -> keras.Model:
        model = keras.saving.deserialize_keras_object(without_initializers(config[head]), safe_mode=True)
        model.load_weights(weights)
        if assets is not None:
            with tempfile.TemporaryDirectory() as scratch:
                shutil.unpack_archive(assets, scratch)
                load_assets(model, Path(scratch))
        restore_initializers(model, config[head])
        return by_name(model)

    def _locate(self, name: str, expected: File | None) -> Path:
        if is_url(self.place):
            return fetch(self.place, name, expected.sha256 if expected else None)
        path = Path(self.place) / name
        if not path.is_file():
            raise FileNotFoundError(f"expected {name} in the preset folder {self.place}, received no such file")
        return path


def save_preset(pair: Pair, folder: str | Path, encoder: str | None = None, **metadata: Any) -> dict[str, File]:
    """Write a pair as a preset folder; it appears whole or not at all.

    Args:
        pair: The trained pair. Its layers are Keras's own or registered ones, without Python functions.
        folder: Written anew: `config.json`, `light.weights.h5`, `booster.weights.h5`, `metadata.json`. Either weights
            file is an ordinary Keras file that holds one whole net, shared layers included. What a net keeps beside its
            weights, such as the vocabulary of a lookup, is in `light.assets.zip` and `booster.assets.zip`.
        encoder: JSON text of what turns raw values into inputs, written as `encoder.json`: that of a data set is
            `data.encoder.to_json()`.
        **metadata: What else to tell, as plain JSON values.

    Returns:
        SHA-256 and size of every file, `metadata.json` included.

    Raises:
        ValueError: A net holds a Python function or a class that is not registered, which is code: no other process
            would load it. One line, which names the layer.
    """
    own = {"format", "files"} & set(metadata)
    if own:
        raise ValueError(f"expected metadata of your own, received {sorted(own)}; rename what a preset writes itself")
    for head in HEADS:
        check_loadable(getattr(pair, head))
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    config = {
        "pair": pair.get_config(),
        **{head: keras.saving.serialize_keras_object(getattr(pair, head)) for head in ("light", "booster")},
    }
    text = json.dumps(config, indent=1)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        draft = Path(scratch) / folder.name
        draft.mkdir()
        (draft / CONFIG).write_text(text + "\n", encoding="utf-8")
        for head, name in (("light", LIGHT), ("booster", BOOSTER)):
            # From a net that was made as the reader makes it, since the file follows the order of layers.
            net = keras.saving.deserialize_keras_object(config[head], safe_mode=True)
            copy_weights(getattr(pair, head), net)
            net.save_weights(draft / name)
            _write_assets(net, draft / ASSETS[head])
        if encoder is not None:
            (draft / ENCODER).write_text(encoder + "\n", encoding="utf-8")
        files = {path.name: File.of(path) for path in sorted(draft.iterdir())}
        told = {"format": FORMAT, **metadata, "files": {name: vars(file) for name, file in files.items()}}
        (draft / METADATA).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        files[METADATA] = File.of(draft / METADATA)
        if folder.exists():
            shutil.rmtree(folder)
        draft.replace(folder)
    return files


def _write_assets(net: keras.Model, path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        if save_assets(net, Path(scratch)):
            shutil.make_archive(str(path.with_suffix("")), "zip", scratch)


def copy_weights(source: keras.Model, target: keras.Model, leave: tuple[str, ...] = ()) -> None:
    """Give each layer of `target` what the layer of that name in `source` has learnt: weights, vocabularies.

    Args:
        source, target: Nets of one architecture.
        leave: Names of target layers that keep their own weights.

    Raises:
        ValueError: A layer is missing in `source` or has other shapes. Nothing was copied.
    """
    for layer in check_weights(source, target, leave):
        copy_state(source.get_layer(layer.name), layer)


def check_weights(source: keras.Model, target: keras.Model, leave: tuple[str, ...] = ()) -> list[keras.Layer]:
    """Return the layers of `target` that `copy_weights` would change; the arguments and errors are its own."""
    theirs = {layer.name: layer for layer in source.layers}
    chosen = [layer for layer in target.layers if has_learnt(layer) and layer.name not in leave]
    for layer in chosen:
        want = [tuple(v.shape) for v in layer.weights]
        have = [tuple(v.shape) for v in theirs[layer.name].weights] if layer.name in theirs else None
        if want != have:
            raise ValueError(
                f"expected weights of shapes {want} for the layer {layer.name!r}, received "
                f"{'no such layer' if have is None else have}; build the net with the arguments of the weights"
            )
    return chosen
