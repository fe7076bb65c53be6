"""Scores a user's candidates with an exported light net."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import Field, HistoryField, IdsField, NumberField
from rocket_keras.extras import require
from rocket_keras.onnx_runtime import onnx_run, onnx_session
from rocket_keras.serving.ahead import Ahead, one_row_inputs
from rocket_keras.serving.artefact import KEY, read_artefact
from rocket_keras.serving.catalogue import Catalogue
from rocket_keras.serving.json_request import cut, read_candidate, read_json, user_and_candidates
from rocket_keras.serving.memory import Key, Memory, Rows
from rocket_keras.serving.readers import Reader
from rocket_keras.serving.request import (
    CANDIDATE,
    EITHER,
    USER,
    RequestError,
    candidate_keys,
    candidate_names,
    check_count,
    raw_columns,
)
from rocket_keras.serving.seal import check_seal

MEMORIES = 4
"""Kept, each of one set of columns that candidates have: a column of the impression may be theirs or the user's."""


class Scorer:
    """A light net that takes raw feature values.

    Args:
        path: An ONNX file that `rocket-keras export` or `export_light(..., encoder=...)` wrote.
        threads: Threads of ONNX Runtime.
        max_candidates: Candidates that a request may have.
        number_texts: Whether a number may be written as a text, as in CSV files.

    Attributes:
        name: Name of the net.
        sha256: Of the file, hex.
        columns: The raw columns of a request, by name.
        unseen: How many values had no id of their own so far (they share the id of the rare ones), by raw column.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is cut or changed, was replaced while it was opened, has no preprocessing, or is a net of
            several classes. One line.
        ImportError: ONNX Runtime is missing.

    Example:
        scorer = rocket_keras.Scorer("light.onnx")
        scores = scorer.score({"UserID": 7, ...}, [{"MovieID": 1193, ...}, {"MovieID": 661, ...}])
        ads = scorer.read(all_ads)  # once, where the same candidates come again and again
        scores = scorer.score({"UserID": 7, ...}, ads.take([3, 14, 15]))
    """

    def __init__(
        self, path: str | Path, threads: int = 1, max_candidates: int = 5000, number_texts: bool = True
    ) -> None:
        self.sha256 = check_seal(path, KEY)
        self.max_candidates = max_candidates
        session = onnx_session(path, threads)
        once = one_row_inputs(session)
        model = require("onnx", "serve").load(str(path)) if once else None
        if check_seal(path, KEY) != self.sha256:
            raise ValueError(f"expected {path} to stay while it is opened, received another file; open it again")
        artefact = read_artefact(session, path)
        self.name, self.unseen, self._lock = artefact.name, Counter[str](), threading.Lock()
        if artefact.encoder is None or session.get_outputs()[0].shape[-1:] != [1]:
            raise ValueError(
                f"expected a net of clicks, one logit over raw columns, in {path}, received one "
                f"{'of several classes' if artefact.encoder else 'without an encoder'}; run other nets with ONNX "
                "Runtime itself"
            )
        encoder = Encoder.from_json(artefact.encoder)
        fields = _fields_of(session.get_inputs(), encoder, path)
        shapes = {value.name: value.shape for value in session.get_inputs()}
        self._readers = {field.name: Reader(field, encoder, number_texts, shapes[field.name]) for field in fields}
        self.columns = raw_columns(fields, frozenset(artefact.once))
        self._once = once
        self._ahead = Ahead.of(model, self._readers.keys() - once, threads) if once else None
        # The net in three has all weights as well: not twice in memory.
        self._session = None if self._ahead else session
        self._vocabulary = sha256(f"{artefact.encoder} {list(self._readers)}".encode()).hexdigest()
        self._places = {name: column.place for name, column in self.columns.items()}
        self._memories: dict[frozenset[str], Memory] = {}

    def score(
        self,
        user: Mapping[str, Any],
        candidates: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]] | Catalogue = ({},),
    ) -> np.ndarray:
        """Return the click probability of each candidate, `(candidates,)` float32.

        Args:
            user: Raw values of the user by column, and those of the impression that all candidates have alike.
            candidates: A mapping of raw values each; or one mapping of columns, a list of values each; or what `read`
                made of them. Left out for a net without columns of the candidates, whose request has one score.

        Raises:
            RequestError: No candidates or too many, a column missing, unknown, or given twice, or a value that cannot
                be read. Nothing was scored.
        """
        if isinstance(candidates, list | tuple) and self._are_users(user, candidates):
            user, candidates = {}, [user] * len(candidates)
        names = self._names(candidates)
        self._check_columns(user, names)
        memory = self._memory(names)
        if isinstance(candidates, Catalogue):
            feed, unseen = candidates.feed()
        else:
            feed, unseen = memory.find(candidates) or self._read(memory, candidate_keys(candidates, memory.names))
        return self._scores(user, memory, feed, unseen)

    def score_json(self, body: bytes) -> np.ndarray:
        """Return what `score` would of a request in JSON, `{"user": {...}, "candidates": [{...}, ...]}`.

        Candidates that come again with the same text are not read again: where the user stands first, and the same
        space is between all candidates, as an encoder of JSON writes them.

        Raises:
            RequestError: As `score`; or the body is no JSON, or has other parts.
        """
        parts = cut(body)
        found = None if parts is None else self._score_texts(*parts)
        return self.score(*user_and_candidates(read_json(body))) if found is None else found

    def _score_texts(self, user: Mapping[str, Any], texts: list[bytes]) -> np.ndarray | None:
        """Return the scores; None where the texts do not tell what is wrong, or can only be read as a whole."""
        try:
            check_count(len(texts), self.max_candidates)
            names = candidate_names([read_candidate(texts[0])])
            self._check_columns(user, names)
        except RequestError:
            return None
        memory = self._memory(names)
        found = memory.find_texts(texts)
        return None if found is None else self._scores(user, memory, *found)

    def _scores(self, user: Mapping[str, Any], memory: Memory, feed: Rows, unseen: Counter[str]) -> np.ndarray:
        mine = {
            name: self._read_user(reader, user[reader.column], unseen)
            for name, reader in self._readers.items()
            if reader.column in user
        }
        if unseen:
            with self._lock:
                self.unseen.update(unseen)
        scores = 0.5 * (1 + np.tanh(0.5 * self._logits(feed, mine, memory.ahead)[:, 0]))
        if np.isnan(scores).any():
            raise RequestError(
                "wrong_value",
                f"candidate {int(np.argmax(np.isnan(scores)))}: expected numbers like those of the training, received "
                "some for which the net has no score; mend the largest",
            )
        return scores

    def read(self, candidates: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]) -> Catalogue:
        """Read candidates once, to score some of them in each of many requests.

        Args:
            candidates: As in `score`, however many, with the columns that they will have in every request.

        Raises:
            RequestError: As `score`. Nothing was read.
        """
        names = candidate_names(candidates)
        may_be_users = [name for name, place in self._places.items() if place != CANDIDATE and name not in names]
        self._check_columns(dict.fromkeys(may_be_users), names)
        memory = self._memory(names)
        keys = candidate_keys(candidates, memory.names)
        try:
            return Catalogue(memory.names, *memory.fed(keys), self._net(memory))
        except (ValueError, OverflowError) as error:
            raise _wrong_candidate(error) from error

    def _are_users(self, user: Any, candidates: Sequence[Any]) -> bool:
        """Return whether candidates without values are scored by the user's alone, as a net may that has no others."""
        empty = bool(candidates) and all(isinstance(one, Mapping) and not one for one in candidates)
        return empty and isinstance(user, Mapping) and bool(user) and CANDIDATE not in self._places.values()

    def _names(self, candidates: Any) -> tuple[str, ...]:
        if not isinstance(candidates, Catalogue):
            return candidate_names(candidates, self.max_candidates)
        check_count(len(candidates), self.max_candidates)
        if candidates.net != self._net(self._memory(candidates.names)):
            raise RequestError(
                "wrong_shape",
                "expected candidates that this Scorer has read, received those of another net; read them again",
            )
        return candidates.names

    def _memory(self, names: tuple[str, ...]) -> Memory:
        """Return what is known of candidates with these columns."""
        chosen = frozenset(names)
        memory = self._memories.get(chosen)
        if memory is None:
            readers = {name: reader for name, reader in self._readers.items() if reader.column in chosen}
            # The net in three wants of the candidates all inputs that are not the user's.
            ahead = self._ahead if readers.keys() == self._readers.keys() - self._once else None
            memory = Memory(tuple(name for name in self.columns if name in chosen), readers, ahead)
            kept = self._memories if len(self._memories) < MEMORIES else {}
            self._memories = {**kept, chosen: memory}
        return memory

    def _net(self, memory: Memory) -> str:
        """Name what can be fed with these columns' rows: this very net, or all of one preprocessing."""
        return self.sha256 if memory.ahead else self._vocabulary

    def _logits(self, rows: Rows, user: Rows, ahead: Ahead | None) -> np.ndarray:
        if ahead:
            return ahead.logits(rows, user)
        count = len(next(iter(rows.values())))
        mine = {name: row if name in self._once else np.repeat(row, count, axis=0) for name, row in user.items()}
        if self._ahead:
            inputs, own = rows | mine, self._readers.keys() - self._once
            made = self._ahead.candidates({name: inputs[name] for name in own})
            return self._ahead.logits(made, {name: mine[name] for name in self._once})
        return onnx_run(self._session, {**rows, **mine})

    @staticmethod
    def _read(memory: Memory, keys: Sequence[Key]) -> tuple[Rows, Counter[str]]:
        try:
            return memory.read(keys)
        except (ValueError, OverflowError) as error:
            raise _wrong_candidate(error) from error

    @staticmethod
    def _read_user(reader: Reader, value: Any, unseen: Counter[str]) -> np.ndarray:
        try:
            row, count = reader.read_one(value)
        except (ValueError, OverflowError) as error:
            raise RequestError(
                "wrong_value", str(error).replace("raw column", "user:", 1).replace(", row 0:", ":", 1)
            ) from error
        if count:
            unseen[reader.column] = max(unseen[reader.column], count)
        return row

    def _check_columns(self, user: Any, given: Sequence[str]) -> None:
        if not isinstance(user, Mapping):
            raise RequestError(
                "wrong_shape", f"expected `user` as a mapping, received {type(user).__name__}; give values by column"
            )
        places = self._places
        fits = [places.get(name, CANDIDATE) != CANDIDATE for name in user]
        fits += [places.get(name, USER) != USER for name in given]
        if len(fits) == len(places) and all(fits) and user.keys().isdisjoint(given):
            return
        for place, names, other in (("user", user, CANDIDATE), ("each candidate", given, USER)):
            for name in names:
                if name not in self.columns:
                    raise RequestError(
                        "unknown_column",
                        f"expected the columns {sorted(self.columns)}, received {str(name)[:80]!r} in {place}; leave "
                        "it out",
                    )
                if self.columns[name].place == other:
                    right = "each candidate" if other == CANDIDATE else "user"
                    raise RequestError(
                        "misplaced_column", f"expected {name!r} in {right}, received it in {place}; move it there"
                    )
        if twice := sorted(user.keys() & set(given)):
            raise RequestError(
                "repeated_column",
                f"expected each column once, received {twice[0]!r} in user and in each candidate; leave one out",
            )
        missing = min(self.columns.keys() - user.keys() - set(given))
        place = {USER: "user", CANDIDATE: "each candidate", EITHER: "user or each candidate"}[places[missing]]
        raise RequestError("missing_column", f"expected {missing!r} in {place}, received none; add it")


def _wrong_candidate(error: Exception) -> RequestError:
    text = str(error).replace("raw column", "candidates:", 1).replace(", row ", ", candidate ", 1)
    return RequestError("wrong_value", text)


def _fields_of(inputs: Sequence[Any], encoder: Encoder, path: str | Path) -> list[Field]:
    """Return the field that makes each input.

    Raises:
        ValueError: The net has inputs that the encoder does not make.
    """
    fields = {field.name: field for field in encoder.fields}
    for value in inputs:
        field = fields.get(value.name)
        kind = "tensor(float)" if isinstance(field, NumberField) else "tensor(int32)"
        widths = [[field.length]] if isinstance(field, IdsField | HistoryField) else [[], [1]]
        if field is None or value.type != kind or list(value.shape[1:]) not in widths:
            raise ValueError(
                f"expected an encoder of all inputs in {path}, received none of {value.name!r} ({value.type}, "
                f"{value.shape}); export it again"
            )
    return [fields[value.name] for value in inputs]
