"""Candidates that are read once and scored in many requests."""

from collections import Counter
from collections.abc import Sequence

import numpy as np


class Catalogue:
    """The inputs that candidates become; `Scorer.read` makes it.

    To pick 200 of its candidates takes some microseconds; to look their raw values up takes a hundred and more, however
    it is done, since each is a Python object of its own.

    Args:
        names: The raw columns of the candidates.
        rows: What is fed to the net of them, `(candidates, ...)` each.
        unseen: How many values of each candidate have no id of their own, `(candidates, columns)`.
        net: Names the net: a Scorer of another one refuses the candidates.

    Example:
        ads = scorer.read([{"MovieID": 1193, ...}, {"MovieID": 661, ...}, ...])
        scores = scorer.score({"UserID": 7, ...}, ads.take([0, 5, 17]))
    """

    def __init__(self, names: tuple[str, ...], rows: dict[str, np.ndarray], unseen: np.ndarray, net: str) -> None:
        self.names, self.net, self._rows, self._unseen = names, net, rows, unseen
        self._any_unseen = bool(unseen.any())

    def __len__(self) -> int:
        """How many candidates there are."""
        return len(self._unseen)

    def take(self, places: Sequence[int] | np.ndarray) -> "Catalogue":
        """Return the candidates at these places, from 0, in this order.

        Args:
            places: Whole numbers, `(candidates,)`.

        Raises:
            ValueError: A place is none of the catalogue's, or no whole number.
        """
        chosen = np.asarray(places)
        if not chosen.size:
            chosen = chosen.astype(np.intp)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise ValueError(
                f"expected `places` as a list of whole numbers, received {chosen.dtype} {chosen.shape}; give the "
                "candidates' places in the catalogue, from 0"
            )
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < len(self)):
            wrong = chosen[(chosen < 0) | (chosen >= len(self))][0]
            raise ValueError(
                f"expected places from 0 to {len(self) - 1}, received {wrong}; read the candidate into the catalogue"
            )
        rows = {name: column[chosen] for name, column in self._rows.items()}
        return Catalogue(self.names, rows, self._unseen[chosen], self.net)

    def feed(self) -> tuple[dict[str, np.ndarray], Counter[str]]:
        """Return what is fed, and how many values have no id of their own by raw column."""
        counts = self._unseen.sum(axis=0).tolist() if self._any_unseen else ()
        return dict(self._rows), Counter({n: count for n, count in zip(self.names, counts, strict=False) if count})
