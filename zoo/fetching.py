"""Files behind a URL, in Keras's cache."""

import contextlib
import hashlib
import os
import sys
import warnings
from pathlib import Path
from urllib.parse import urlparse

import keras


def is_url(place: str) -> bool:
    """Return whether a place is a URL of a kind that is fetched."""
    return urlparse(place).scheme in ("http", "https", "file")


def fetch(url: str, name: str, sha256: str | None) -> Path:
    """Return a file of a folder behind a URL, from Keras's cache (`KERAS_HOME`), downloaded first where it has to be.

    Args:
        url: Of the folder.
        name: The file's name.
        sha256: Hash (hex) of the file, which a cached one must have, too. None: not known, so the file is fetched anew;
            a cached one serves, with a warning, where the network does not.

    Raises:
        FileNotFoundError: It cannot be fetched.
        ValueError: What was fetched has another hash.
    """
    if sha256 is not None:
        try:
            return _download(url, name, name, sha256)
        except ValueError as error:
            raise ValueError(
                f"expected {url}/{name} with SHA-256 {sha256}, received another file; nothing was loaded: "
                "fetch it again, or ask who serves it"
            ) from error
    # Nothing tells whether the file in the cache is still the URL's: it is fetched anew, beside the one that is there.
    kept = _cache() / _cache_folder(url) / name
    try:
        new = _download(url, name, f"new-{name}", None)
        return new.replace(new.with_name(name))
    except FileNotFoundError:
        if not kept.is_file():
            raise
        warnings.warn(f"{url} cannot be reached; {name} is taken from the cache, {kept}.", stacklevel=2)
        return kept


def _download(url: str, name: str, save_as: str, sha256: str | None) -> Path:
    try:
        # Keras shows its progress on standard output, where a command's own answer goes.
        with contextlib.redirect_stdout(sys.stderr):
            path = keras.utils.get_file(
                fname=save_as,
                origin=f"{url.rstrip('/')}/{name}",
                cache_dir=str(_cache()),
                cache_subdir=_cache_folder(url),
                file_hash=sha256,
                hash_algorithm="sha256",
                force_download=sha256 is None,
            )
        return Path(path)
    except Exception as error:
        # Keras raises a bare Exception for every failed download.
        if type(error) is not Exception:
            raise
        raise FileNotFoundError(f"expected {url}/{name}, received {error}; check the address and the network") from None


def _cache() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def _cache_folder(url: str) -> str:
    return f"rocket_keras/{hashlib.sha256(url.encode()).hexdigest()[:16]}"
