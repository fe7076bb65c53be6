"""Scores a user's candidates with an exported light net."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import Field
from rocket_keras.onnx_runtime import onnx_run, onnx_session
from rocket_keras.serving.artefact import read_artefact
from rocket_keras.serving.readers import Reader

USER, CANDIDATE, EITHER = "user", "candidate", "either"


class RequestError(ValueError):
    """A request that cannot be scored. The message says what was expected, what came, and how to mend it."""


@dataclass(frozen=True)
class RawColumn:
    """A raw column of a request.

    Attributes:
        name: Its name.
        place: Where a request has it: in `"user"`, in each `"candidate"`, or in `"either"` of the two.
        fields: What is made of it.
    """

    name: str
    place: str
    fields: tuple[Field, ...]


class Scorer:
    """A light net that takes raw feature values.

    Args:
        path: An ONNX file that `rocket-keras export` or `export_light(..., encoder=...)` wrote.
        threads: Threads of ONNX Runtime.
        max_candidates: Candidates that a request may have.

    Attributes:
        name: Name of the net.
        columns: The raw columns of a request, by name.
        unseen: How many values had no id of their own so far (they share the id of the rare ones), by raw column.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is cut or changed, has no preprocessing, or is a net of several classes. One line.
        ImportError: ONNX Runtime is missing.

    Example:
        scorer = rocket_keras.Scorer("light.onnx")
        scores = scorer.score({"UserID": 7, ...}, [{"MovieID": 1193, ...}, {"MovieID": 661, ...}])
    """

    def __init__(self, path: str | Path, threads: int = 1, max_candidates: int = 5000) -> None:
        self.max_candidates = max_candidates
        self._session = onnx_session(path, threads)
        artefact = read_artefact(self._session, path)
        self.name, self.unseen = artefact.name, Counter[str]()
        if artefact.encoder is None or self._session.get_outputs()[0].shape[-1] != 1:
            raise ValueError(
                f"expected a net of clicks, one logit over raw columns, in {path}, received one "
                f"{'of several classes' if artefact.encoder else 'without an encoder'}; run other nets with ONNX "
                "Runtime itself"
            )
        encoder = Encoder.from_json(artefact.encoder)
        fields = {field.name: field for field in encoder.fields}
        names = [value.name for value in self._session.get_inputs()]
        missing = sorted(set(names) - set(fields))
        if missing:
            raise ValueError(
                f"expected an encoder of all inputs in {path}, received none of {missing}; export it again"
            )
        lock = threading.Lock()
        self._readers = {name: Reader(fields[name], encoder, self.unseen, lock) for name in names}
        self._once = frozenset(artefact.once)
        self.columns = {column.name: column for column in _columns([fields[name] for name in names], self._once)}
        self._places = {name: column.place for name, column in self.columns.items()}

    def score(
        self, user: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
    ) -> np.ndarray:
        """Return the click probability of each candidate, `(candidates,)` float32.

        Args:
            user: Raw values of the user by column, and those of the impression that all candidates have alike.
            candidates: A mapping of raw values each; or one mapping of columns, a list of values each.

        Raises:
            RequestError: No candidates or too many, a column missing, unknown, or given twice, or a value that cannot
                be read. Nothing was scored.
        """
        given = self._candidate_columns(candidates)
        self._check_columns(user, given)
        count = len(next(iter(given.values())))
        feed = {}
        for name, reader in self._readers.items():
            column = reader.field.column
            if column in given:
                feed[name] = self._read(reader, given[column])
            else:
                value = self._read(reader, [user[column]], of_user=True)
                feed[name] = value if name in self._once else np.repeat(value, count, axis=0)
        logits = onnx_run(self._session, feed)[:, 0]
        return 0.5 * (1 + np.tanh(0.5 * logits))

    def _candidate_columns(self, candidates: Any) -> Mapping[str, Sequence[Any]]:
        """Return the candidates as columns, of one length."""
        if isinstance(candidates, Mapping):
            columns = candidates
            lengths = {
                name: len(values) if isinstance(values, list | tuple | np.ndarray) else None
                for name, values in columns.items()
            }
            if None in lengths.values() or len(set(lengths.values())) > 1:
                raise RequestError(f"expected columns of one length in `candidates`, received {lengths}; give lists")
            self._check_count(next(iter(lengths.values()), 0) or 0)
            return columns
        if not isinstance(candidates, list | tuple):
            raise RequestError(
                f"expected `candidates` as a list of mappings, received {type(candidates).__name__}; give one mapping "
                "a candidate"
            )
        self._check_count(len(candidates))
        first = candidates[0]
        names = tuple(first) if isinstance(first, Mapping) else ()
        if not names or set(map(type, candidates)) != {dict} or set(map(len, candidates)) != {len(names)}:
            for place, candidate in enumerate(candidates):
                if not isinstance(candidate, Mapping) or not candidate or len(candidate) != len(names):
                    raise RequestError(
                        f"candidate {place}: expected values by column, as candidate 0 has, {sorted(map(str, names))}, "
                        f"received {str(candidate)[:80]}; give every candidate the same columns"
                    )
        try:
            if len(names) == 1:
                return {names[0]: [candidate[names[0]] for candidate in candidates]}
            return dict(zip(names, zip(*map(itemgetter(*names), candidates), strict=True), strict=True))
        except KeyError as error:
            place = next(i for i, candidate in enumerate(candidates) if error.args[0] not in candidate)
            raise RequestError(
                f"candidate {place}: expected the column {error.args[0]!r}, as candidate 0 has it, received none; give "
                "every candidate the same columns"
            ) from None

    def _check_count(self, count: int) -> None:
        if not 1 <= count <= self.max_candidates:
            raise RequestError(
                f"expected 1 to {self.max_candidates} candidates, received {count}; split the request, or leave it"
            )

    def _check_columns(self, user: Any, given: Mapping[str, Any]) -> None:
        if not isinstance(user, Mapping):
            raise RequestError(f"expected `user` as a mapping, received {type(user).__name__}; give values by column")
        places = self._places
        fits = [places.get(name, CANDIDATE) != CANDIDATE for name in user]
        fits += [places.get(name, USER) != USER for name in given]
        if len(fits) == len(places) and all(fits) and not user.keys() & given.keys():
            return
        for place, names, other in (("user", user, CANDIDATE), ("each candidate", given, USER)):
            for name in names:
                if name not in self.columns:
                    raise RequestError(
                        f"expected the columns {sorted(self.columns)}, received {name!r} in {place}; leave it out"
                    )
                if self.columns[name].place == other:
                    right = "each candidate" if other == CANDIDATE else "user"
                    raise RequestError(f"expected {name!r} in {right}, received it in {place}; move it there")
        if twice := sorted(user.keys() & given.keys()):
            raise RequestError(f"expected each column once, received {twice[0]!r} in user and in each candidate")
        missing = sorted(self.columns.keys() - user.keys() - given.keys())
        place = {USER: "user", CANDIDATE: "each candidate", EITHER: "user or each candidate"}[
            self.columns[missing[0]].place
        ]
        raise RequestError(f"expected {missing[0]!r} in {place}, received none; add it")

    @staticmethod
    def _read(reader: Reader, values: Sequence[Any], of_user: bool = False) -> np.ndarray:
        try:
            return reader.read(values)
        except (ValueError, OverflowError) as error:
            text = str(error)
            text = text.replace(", row 0:", ":").replace("raw column", "user:") if of_user else text
            raise RequestError(text.replace("raw column", "candidates:").replace(", row ", ", candidate ")) from error


def _columns(fields: Sequence[Field], once: frozenset[str]) -> list[RawColumn]:
    """Return the raw columns of the fields, each with its place."""
    by_name: dict[str, list[Field]] = {}
    for field in fields:
        by_name.setdefault(field.column, []).append(field)
    found = []
    for name, mine in by_name.items():
        sides = {"user" if field.name in once else field.side for field in mine}
        place = USER if "user" in sides else CANDIDATE if sides == {"item"} else EITHER
        found.append(RawColumn(name, place, tuple(mine)))
    return found
