"""A request as JSON text, cut into its candidates' texts without reading them.

A candidate that comes again has the same text again, and to look a text up takes less time than to read an object.
"""

import re
from collections.abc import Mapping
from typing import Any

from rocket_keras.extras import require
from rocket_keras.serving.request import RequestError

_SPACE = rb"[ \t\r\n]*"
_BEGIN = re.compile(_SPACE.join([rb'"candidates"', rb":", rb"\[", rb"\{"]))
_BETWEEN = re.compile(_SPACE.join([rb"\}", rb",", rb"\{"]))
_END = re.compile(_SPACE.join([rb"\}", rb"\]", rb"\}", rb"\Z"]))
LONGEST_END = 64
"""Bytes at the end of a body among which its end is looked for."""


def read_json(text: bytes) -> Any:
    """Read JSON, in which NaN and infinity are refused, as the standard has it.

    Raises:
        RequestError: Of the kind "no_json".
    """
    try:
        # A float too large for a float64 is infinite, and refused where numbers are read.
        return require("pydantic_core", "serve").from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError("no_json", f"expected JSON, received something else: {error}; mend the body") from None


def read_candidate(text: bytes) -> dict[str, Any]:
    """Read a candidate's text, which has lost its braces, as deep in brackets as it stood in the body.

    Raises:
        RequestError: It is no object.
    """
    content = read_json(b"[[{" + text + b"}]]")
    if len(content) != 1 or len(content[0]) != 1:  # `}, {` or `}], [{` in it
        raise RequestError("no_json", "expected one candidate, received several; mend the body")
    return content[0][0]


def user_and_candidates(content: Any) -> tuple[Any, list[Any]]:
    """Return the two parts of a request.

    Raises:
        RequestError: It has other parts, or candidates that are no list.
    """
    if not isinstance(content, dict) or content.keys() != {"user", "candidates"}:
        found = sorted(content)[:5] if isinstance(content, dict) else type(content).__name__
        raise RequestError(
            "wrong_shape",
            f"expected an object with user and candidates, received {str(found)[:80]}; give these two",
        )
    candidates = content["candidates"]
    if not isinstance(candidates, list):
        raise RequestError(
            "wrong_shape",
            f"expected candidates as a list of objects, received {type(candidates).__name__}; give one a candidate",
        )
    return content["user"], candidates


def cut(body: bytes) -> tuple[Mapping[str, Any], list[bytes]] | None:
    """Return the user, and each candidate's text without its braces; None where the body is not plainly of that form.

    If every one of these texts is an object in braces, the body is that request and no other: what stands before,
    between and behind them was checked here. A text that is no object shows that the cut was wrong.

    Args:
        body: `{"user": {...}, "candidates": [{...}, ...]}`, the user first, with the same space between all candidates.
    """
    begin, end = _BEGIN.search(body), _END.search(body, max(0, len(body) - LONGEST_END))
    if begin is None or end is None or end.start() < begin.end():
        return None
    try:
        head = read_json(body[: begin.end() - 1] + b"]}")
    except RequestError:
        return None
    if not isinstance(head, dict) or head.keys() != {"user", "candidates"} or head["candidates"] != []:
        return None
    if not isinstance(head["user"], dict):
        return None
    texts = body[begin.end() : end.start()]
    between = _BETWEEN.search(texts)
    return head["user"], texts.split(between[0]) if between else [texts]
