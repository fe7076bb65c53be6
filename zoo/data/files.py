"""Where a download is looked for, and the one line that says how to get it."""

import os
from pathlib import Path

VARIABLE = "ROCKET_KERAS_DATA"


def data_root(data_dir: str | Path | None) -> Path | None:
    """`data_dir`, or the folder that ROCKET_KERAS_DATA names, or `None`."""
    given = data_dir if data_dir is not None else os.environ.get(VARIABLE)
    return Path(given) if given else None


def find_folder(data_dir: str | Path | None, folder: str, files: tuple[str, ...], fetch: str) -> Path:
    """The folder that holds `files`: `data_dir/folder`, or `data_dir` if it is that folder itself.

    Args:
        data_dir: Folder of the downloads; `None` takes the environment variable ROCKET_KERAS_DATA.
        folder: Name that the official archive unpacks to.
        files: Names of all files needed.
        fetch: What to fetch and where from, for the error.

    Raises:
        FileNotFoundError: No folder is given, or files are missing. One line: what to fetch, from where to where.
    """
    root = data_root(data_dir)
    if root is None:
        raise FileNotFoundError(
            f"expected a data folder with {folder}/, received none; fetch {fetch}, unpack it to DIR/{folder}, "
            f"then pass --data-dir DIR or set {VARIABLE}=DIR"
        )
    inside = root / folder
    place = inside if inside.is_dir() or not (root / files[0]).is_file() else root
    missing = [name for name in files if not (place / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"expected {', '.join(missing)} in {place}, received no such file; fetch {fetch}, unpack it to {place}, "
            f"then pass --data-dir {place.parent} or set {VARIABLE}={place.parent}"
        )
    return place
