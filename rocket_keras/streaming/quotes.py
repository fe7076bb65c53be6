"""Lines of CSV whose quotes are wrong: Arrow's parser would read some text of them without a word."""

import re
from functools import lru_cache

import numpy as np

QUOTE, LF, CR = b'"\n\r'
ESCAPED = 'expected "" for a quote within quotes, received \\"; give read_log escape="\\\\"'
BEHIND = "expected a delimiter behind a closing quote, received another character"


def quote_faults(delimiter: str, text: bytes) -> dict[int, str]:
    """The lines in which a closing quote stands before something else than a delimiter, with the reason.

    A quote within a value that does not begin with one is a character like any other.

    Args:
        delimiter: One ASCII character.
        text: Whole lines; none of their values has a line end in it.
    """
    data, comma = np.frombuffer(text, np.uint8), ord(delimiter)
    quotes = np.flatnonzero(data == QUOTE)
    lines = np.searchsorted(np.flatnonzero(data == LF), quotes)
    closes = (np.arange(len(quotes)) - np.searchsorted(lines, lines)) % 2 == 1
    padded = np.concatenate([[LF], data, [LF]])
    before, behind = padded[quotes], padded[quotes + 2]
    odd = np.where(closes, ~np.isin(behind, (comma, LF, CR, QUOTE)), ~np.isin(before, (comma, LF, QUOTE)))
    suspects = np.unique(lines[odd]).tolist()
    if not suspects:
        return {}
    whole, split = _form(delimiter), text.split(b"\n")
    return {
        line: ESCAPED if b'\\"' in split[line] else BEHIND for line in suspects if whole.fullmatch(split[line]) is None
    }


@lru_cache
def _form(delimiter: str) -> re.Pattern[bytes]:
    sign = re.escape(delimiter.encode())
    value = rb'(?:"(?:[^"]|"")*"|[^"%b][^%b]*|)' % (sign, sign)
    return re.compile(rb"%b(?:%b%b)*\r?" % (value, sign, value))
