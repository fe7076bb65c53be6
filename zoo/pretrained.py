"""The `weights` argument of the builders."""

from pathlib import Path

from rocket_keras.pair import Pair


def pretrained(pair: Pair, weights: str | Path | None) -> Pair:
    """Return the pair, with the weights that `zoo.load` finds under that name, folder or URL; None changes nothing."""
    if weights is not None:
        from zoo.loading import load_into  # the table that it reads is made of the builders

        load_into(pair, weights)
    return pair
