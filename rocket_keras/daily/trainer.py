"""One day of a daily training: evaluated, trained on, published, saved."""

import dataclasses
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from rocket_keras.daily.days import fingerprint
from rocket_keras.daily.learners import Learner, Part, learner
from rocket_keras.daily.publishing import publish, remove_old, withdraw
from rocket_keras.daily.scores import day_scores
from rocket_keras.daily.settings import Daily
from rocket_keras.daily.state import (
    Morning,
    State,
    forget_morning,
    load_weights,
    read_morning,
    read_state,
    save_morning,
    save_state,
)
from rocket_keras.daily.vocabulary import capacities, first_day, note_seen, turn_over
from rocket_keras.encoding import Encoder
from rocket_keras.graph import inputs_of
from rocket_keras.json_file import without_nan, write_json
from rocket_keras.launch.run_folder import check_nets
from rocket_keras.pair import Pair
from rocket_keras.row_turnover import free_rows, grow_rows
from rocket_keras.streaming import Log, Report, Stream, StreamCheckpoint, Tolerance, iter_batches, learn_encoder

LOGGER = logging.getLogger(__name__)
MakePair = Callable[[Encoder, Mapping[str, int]], Pair]
BATCH = 8192
CHECKED = 64
JUDGED = Tolerance(share=1.0)
"""Of the passes over a part of a day, whose bad rows were counted in the pass over all of it."""


@dataclass
class _Clock:
    seconds: dict[str, float]

    def __call__(self, name: str, begun: float) -> float:
        now = time.perf_counter()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - begun, 3)
        return now


class Trainer:
    """A daily training in its folder."""

    def __init__(self, log: Log, fields: Encoder, make: MakePair, folder: Path, plan: Daily) -> None:
        self.log, self.make, self.folder, self.plan = log, make, folder, plan
        self.learner: Learner | None = None
        found = read_state(folder / "state")
        self.state = State(fields) if found is None else found[0]
        if found is not None:
            keras.utils.set_random_seed(plan.seed)
            self.learner = self._learner(self.state.encoder, self.state.sizes)
            check_nets(folder, self.state.nets, self.learner.describe())
            load_weights(found[1], self.learner)

    def tidy(self) -> list[dict[str, Any]]:
        """Remove what the days that are done need no more, write days.json, and return their records."""
        days = self.state.days
        for path in (self.folder / "training").glob("*"):
            if path.name in days:
                shutil.rmtree(path)
        if self.plan.keep_files is not None:
            remove_old(self.folder / "published", days, self.state.published, self.plan.keep_files)
        records = [read_record(self.folder, day) for day in days]
        write_json(self.folder / "days.json", records)
        return records

    def day(self, day: str) -> dict[str, Any]:
        """Evaluate, train, publish, and save."""
        clock = _Clock({})
        begun = time.perf_counter()
        morning = self._begun(day)
        if morning is None:
            morning = self._morning(day)
            clock("evaluation", begun)
            morning.seconds = clock.seconds
            save_morning(self.folder / "state", morning)
        clock.seconds = dict(morning.seconds)
        begun = time.perf_counter()
        learner = self._turned_over(day, morning)
        begun = clock("tables", begun)
        for part in learner.parts:
            part.begin()
            self._train(part, morning.encoder, day)
            begun = clock(f"training {part.name}", begun)
        publication = self._publish(learner, morning.encoder, day)
        clock("publishing", begun)
        published = day if publication["published"] else self.state.published
        self.state = State(morning.encoder, [*self.state.days, day], self._sizes(morning), morning.last_seen, published)
        record = {
            "day": day,
            "rows": morning.rows,
            "log": morning.log,
            "scores": without_nan(morning.scores),
            "ids": {"added": morning.added, "reused": {name: len(ids) for name, ids in morning.freed.items()}},
            "table_rows": self.state.sizes,
            "publication": without_nan(publication),
            "serves": published,
            "seconds": clock.seconds,
        }
        write_json(self.folder / "days" / f"{day}.json", record)
        save_state(self.folder / "state", self.state, learner)
        self.tidy()
        return record

    def _begun(self, day: str) -> Morning | None:
        """What is known of a day that a call before has begun; None where its files are others now."""
        morning = read_morning(self.folder / "state", day)
        if morning is None or morning.files == fingerprint(self._log(day)):
            return morning
        LOGGER.warning("%s=%s: its files have changed since it was begun; it begins anew", self.plan.by, day)
        shutil.rmtree(self.folder / "training" / day, ignore_errors=True)
        withdraw(self.folder / "published", day, self.state.published)
        forget_morning(self.folder / "state")
        return None

    def _morning(self, day: str) -> Morning:
        """Score the nets on the new day, and learn its new values."""
        number, state, plan = len(self.state.days), self.state, self.plan
        log, train = self._log(day), self._log(day, held=False)
        last_seen = {name: days.copy() for name, days in state.last_seen.items()}
        report = Report()
        scores, rows = day_scores(
            self._batches(log, state.encoder, self._tolerance(day), report),
            (lambda x: {}) if self.learner is None else self.learner.predict,
            plan.group,
            lambda batch: note_seen(state.encoder, last_seen, batch.x, number),
        )
        first = self.learner is None
        learnt = learn_encoder(
            train, state.encoder.fields, plan.min_count, label=plan.label, numbers=first, tolerance=JUDGED
        )
        if first:
            turned = first_day(learnt, number)
        else:
            turned = turn_over(state.encoder, learnt, last_seen, number, plan.keep_days)
        told = report.to_json()
        return Morning(
            day,
            scores,
            rows,
            turned.encoder,
            turned.last_seen,
            turned.freed,
            turned.added,
            files=fingerprint(log),
            log={
                "files": len(log.files),
                "bytes": log.bytes,
                **{name: told[name] for name in ("bad", "reasons", "empty", "empty_files")},
            },
        )

    def _tolerance(self, day: str) -> Tolerance:
        """The plan's, with a file for the rows of this day that do not parse, if it names none."""
        told = self.plan.tolerance
        if told.quarantine is not None:
            return told
        path = self.folder / "bad" / f"{day}.jsonl"
        path.unlink(missing_ok=True)  # of a call that stopped
        return dataclasses.replace(told, quarantine=path)

    def _turned_over(self, day: str, morning: Morning) -> Learner:
        """Give the tables the rows of the day's vocabularies."""
        # New rows begin as they would have without a kill.
        keras.utils.set_random_seed(self.plan.seed + 1 + len(self.state.days))
        sizes = self._sizes(morning)
        if self.learner is None:
            self.learner = self._learner(morning.encoder, sizes)
            return self.learner
        for part in self.learner.parts:
            free_rows(part.model, {name: ids.tolist() for name, ids in morning.freed.items()})
            grow_rows(part.model, sizes)
        return self.learner

    def _sizes(self, morning: Morning) -> dict[str, int]:
        return capacities(morning.encoder, self.state.sizes, self.plan.headroom)

    def _learner(self, encoder: Encoder, sizes: Mapping[str, int]) -> Learner:
        return learner(self.plan, lambda: self.make(encoder, sizes))

    def _train(self, part: Part, encoder: Encoder, day: str) -> None:
        plan = self.plan
        stream = Stream(
            self._log(day, held=False),
            encoder,
            label=plan.label,
            batch_size=plan.batch_size,
            shuffle_rows=plan.shuffle_rows,
            seed=plan.seed + len(self.state.days),
            columns=tuple(inputs_of(part.model, {field.name: () for field in encoder.fields})),
            tolerance=JUDGED,
        )
        checkpoint = StreamCheckpoint(stream, self.folder / "training" / day / part.name, epochs=plan.epochs)
        try:
            checkpoint.restore(part.model)
            done = stream.position // len(stream)
            if done < plan.epochs:
                part.model.fit(
                    stream, epochs=plan.epochs, initial_epoch=done, shuffle=False, verbose=0, callbacks=[checkpoint]
                )
        finally:
            stream.close()

    def _publish(self, learner: Learner, encoder: Encoder, day: str) -> dict[str, Any]:
        held = self._log(day, held=True)
        first = next(iter(self._batches(held, encoder)), None)
        if first is None:
            return {"published": False, "why": "the day has too few rows to hold any out", "rows": 0}
        rows = {name: column[:CHECKED] for name, column in inputs_of(learner.light, first.x).items()}
        return publish(
            learner.light,
            encoder,
            rows,
            partial(self._batches, held),
            self.folder / "published",
            day,
            self.state.published,
            self.plan,
        )

    def _log(self, day: str, held: bool | None = None) -> Log:
        """The rows of a day: all, those that are held out, or the others."""
        log = self.log.where(**{self.plan.by: day})
        return log if held is None else log.hold_out(self.plan.held_out, held)

    def _batches(
        self, log: Log, encoder: Encoder, tolerance: Tolerance = JUDGED, report: Report | None = None
    ) -> Iterable[Any]:
        return iter_batches(
            log,
            encoder,
            label=self.plan.label,
            batch_size=BATCH,
            extra=() if self.plan.group is None else (self.plan.group,),
            tolerance=tolerance,
            report=report,
        )


def read_record(folder: Path, day: str) -> dict[str, Any]:
    """Return the record of a day that is done."""
    return json.loads((folder / "days" / f"{day}.json").read_text(encoding="utf-8"))
