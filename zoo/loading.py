"""Pretrained pairs and light nets by name, folder or URL."""

from pathlib import Path
from typing import Any

import keras

from rocket_keras.pair import HEADS, Pair
from zoo.entries import get_entry
from zoo.image_scale import encoder_from_json
from zoo.preset import METADATA, Preset, check_weights, copy_weights


def open_preset(source: str | Path) -> Preset:
    """Return the preset of an entry's name or short name, of a folder, or of a URL.

    Raises:
        KeyError: It is none of these; the nearest name is told.
        ValueError: The entry is a recipe only.
    """
    text = str(source)
    if "://" in text or (Path(text) / METADATA).is_file():
        return Preset(text)
    if isinstance(source, Path) or Path(text).is_dir():
        raise FileNotFoundError(f"expected a preset folder with {METADATA}, received {text}, which has none")
    return get_entry(text).preset()


def load(source: str | Path) -> Pair:
    """Return a pretrained pair: the light net and its booster, ready to be fine-tuned, compared or detached.

    Args:
        source: Name or short name of an entry (`zoo.list_entries(pretrained=True)`), a preset folder, or its URL.

    Returns:
        The pair, in the layers and with the inputs that it was trained with.

    Raises:
        KeyError: An unknown name; the nearest is told.
        ValueError: The entry is a recipe only, or a file is not the one that was published. Nothing was loaded.
    """
    return open_preset(source).pair()


def load_light(source: str | Path) -> keras.Model:
    """Return a pretrained light net alone. The booster's file is neither fetched nor opened.

    Args and errors are those of `load`.
    """
    return open_preset(source).light()


def load_into(pair: Pair, source: str | Path) -> None:
    """Give a pair of the same architecture the pretrained weights; heads of another number of logits keep their own.

    Args:
        pair: The pair.
        source: As in `load`.

    Raises:
        ValueError: A layer is missing in the weights, or has other shapes; nothing was changed.
    """
    pretrained = load(source)
    nets = [(getattr(pretrained, head), getattr(pair, head)) for head in HEADS]
    leave = tuple(mine.output_names[0] for theirs, mine in nets if theirs.output_shape != mine.output_shape)
    for theirs, mine in nets:
        check_weights(theirs, mine, leave)
    for theirs, mine in nets:
        copy_weights(theirs, mine, leave)


def preprocess_input(source: str | Path, raw: Any) -> Any:
    """Turn raw values into the inputs of a pretrained pair: as in its training, with the same vocabularies and scales.

    Args:
        source: As in `load`.
        raw: Images `(rows, height, width, channels)` with pixels as in the original files, or raw columns by name.

    Returns:
        What `pair.light` takes.
    """
    return encoder_from_json(open_preset(source).encoder()).encode(raw)
