"""A SHA-256 of an ONNX file inside the file: what was cut or changed is known before ONNX Runtime parses it."""

import hashlib
from pathlib import Path

KEY = "rocket_keras_sha256"
BLANK = "0" * 64
_MARK = KEY.encode() + b"\x12\x40"
"""The key, and protobuf's tag and length of its value."""


def seal(path: str | Path) -> None:
    """Write the file's checksum over the `BLANK` value of its metadata `KEY`."""
    content = Path(path).read_bytes()
    begin = content.rindex(_MARK + BLANK.encode()) + len(_MARK)
    digest = hashlib.sha256(content).hexdigest().encode()
    Path(path).write_bytes(content[:begin] + digest + content[begin + 64 :])


def check_seal(path: str | Path, of: str) -> str:
    """Make sure that a file is, byte for byte, the one that was sealed.

    Args:
        path: The file.
        of: A key of its metadata; a file without this key needs no seal.

    Returns:
        SHA-256 of the whole file, the seal included, hex.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It was changed. One line.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"expected an ONNX file at {path}, received no such file; write it with export_light")
    content = Path(path).read_bytes()
    begin = content.rfind(_MARK) + len(_MARK)
    if begin < len(_MARK):
        if bytes([10, len(of)]) + of.encode() + b"\x12" not in content:  # protobuf's tags of a key and its value
            return hashlib.sha256(content).hexdigest()
        found, told = "none", b""
    else:
        told = content[begin : begin + 64]
        found = hashlib.sha256(content[:begin] + BLANK.encode() + content[begin + 64 :]).hexdigest()
    if found.encode() != told:
        raise ValueError(
            f"expected the SHA-256 that stands in {path}, received {found}; the file was changed, so export it again"
        )
    return hashlib.sha256(content).hexdigest()
