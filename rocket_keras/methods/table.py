"""THE table: one row per training method. docs/methods.md says in words what each is."""

import difflib

from rocket_keras.methods.own_rows import OWN_ROWS
from rocket_keras.methods.rival_rows import RIVAL_ROWS
from rocket_keras.methods.rocket_rows import ROCKET_ROWS
from rocket_keras.methods.stage import Method

METHODS: tuple[Method, ...] = (*ROCKET_ROWS, *RIVAL_ROWS, *OWN_ROWS)


def get_method(name: str) -> Method:
    """Return the method of that name.

    Raises:
        KeyError: There is none; the message names the nearest.
    """
    known = {method.name: method for method in METHODS}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}, and all."
    raise KeyError(f"compare knows no method {name!r}. {hint}")
