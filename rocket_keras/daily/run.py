"""Day by day: evaluate on the new day, let ids come and go, train on it, publish the light net if it is not worse."""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from rocket_keras.daily.learners import Learner, Part, learner
from rocket_keras.daily.publishing import publish
from rocket_keras.daily.scores import day_scores
from rocket_keras.daily.settings import Daily
from rocket_keras.daily.state import Morning, State, load_weights, read_morning, read_state, save_morning, save_state
from rocket_keras.daily.vocabulary import capacities, first_day, note_seen, turn_over
from rocket_keras.encoding import Encoder
from rocket_keras.graph import inputs_of
from rocket_keras.json_file import write_json
from rocket_keras.launch.run_folder import claim
from rocket_keras.pair import Pair
from rocket_keras.row_turnover import free_rows, grow_rows
from rocket_keras.streaming import Log, Stream, StreamCheckpoint, iter_batches, learn_encoder

MakePair = Callable[[Encoder, Mapping[str, int]], Pair]
BATCH = 8192
CHECKED = 64


def run_daily(
    log: Log,
    fields: Encoder,
    make: MakePair,
    folder: str | Path,
    plan: Daily | None = None,
    days: Sequence[str] | None = None,
    told: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Train a light net on a log that grows by a day every day.

    Each day is first scored by the nets as they are (progressive validation: every row is a test row before it is a
    train row), then trained on. Called again with the same folder it goes on after the last day that was done, or in
    the middle of one where it was killed, and ends as if it had not been.

    Args:
        log: Its files lie in folders `DAY=...`; days that come later are found by a later call.
        fields: What the nets read, without vocabularies: these, and the spread of numbers, are learnt from the first
            day, and vocabularies from every later one.
        make: Builds the pair from the encoder and from the rows that the table of each field shall have; the tables
            must be `SparseEmbedding` layers whose `field_names` are those of the fields.
        folder: Belongs to this training: `days/DAY.json`, `published/light.onnx`, `state/`, `days.json`.
        plan: Settings; the defaults of `Daily` otherwise.
        days: Which days; all of the log otherwise.
        told: Is given the record of each day when it is done.

    Returns:
        The records of all days that are done. `scores` holds by net `auc`, `gauc`, `log_loss` and `calibration` before
        the day was trained on (empty on the first day); `publication` what was decided; `ids` how many values got a
        row, and how many of these rows were another's; `seconds` what took how long.

    Raises:
        ValueError: The folder belongs to another training, or a file of the log cannot be read. One line.
        KeyError: The log has no such day.
    """
    plan, folder = plan or Daily(), Path(folder)
    claim(folder, {"fields": fields.to_json(), "backend": keras.backend.backend(), **plan.told()})
    trainer = _Trainer(log, fields, make, folder, plan)
    for day in log.partitions(plan.by) if days is None else days:
        if day not in trainer.state.days:
            record = trainer.day(day)
            if told is not None:
                told(record)
    return trainer.records()


@dataclass
class _Clock:
    seconds: dict[str, float]

    def __call__(self, name: str, begun: float) -> float:
        now = time.perf_counter()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - begun, 3)
        return now


class _Trainer:
    """A daily training in its folder."""

    def __init__(self, log: Log, fields: Encoder, make: MakePair, folder: Path, plan: Daily) -> None:
        self.log, self.make, self.folder, self.plan = log, make, folder, plan
        self.learner: Learner | None = None
        found = read_state(folder / "state")
        self.state = State(fields) if found is None else found[0]
        if found is not None:
            keras.utils.set_random_seed(plan.seed)
            self.learner = self._learner(self.state.encoder, self.state.sizes)
            load_weights(found[1], self.learner)

    def records(self) -> list[dict[str, Any]]:
        """The records of the days that are done."""
        return [read_record(self.folder, day) for day in self.state.days]

    def day(self, day: str) -> dict[str, Any]:
        """Evaluate, train, publish, and save."""
        clock = _Clock({})
        begun = time.perf_counter()
        morning = read_morning(self.folder / "state", day)
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
            "scores": morning.scores,
            "ids": {"added": morning.added, "reused": {name: len(ids) for name, ids in morning.freed.items()}},
            "table_rows": self.state.sizes,
            "publication": publication,
            "serves": published,
            "seconds": clock.seconds,
        }
        write_json(self.folder / "days" / f"{day}.json", record)
        save_state(self.folder / "state", self.state, learner)
        shutil.rmtree(self.folder / "training", ignore_errors=True)
        write_json(self.folder / "days.json", self.records())
        return record

    def _morning(self, day: str) -> Morning:
        """Score the nets on the new day, and learn its new values."""
        number, state, plan = len(self.state.days), self.state, self.plan
        log = self.log.where(**{plan.by: day})
        train = log.hold_out(plan.held_out, held=False)
        if self.learner is None:
            encoder = learn_encoder(train, state.encoder.fields, plan.min_count, label=plan.label)
            turned = first_day(encoder, number)
            return Morning(day, {}, 0, turned.encoder, turned.last_seen, turned.freed, turned.added)
        last_seen = {name: days.copy() for name, days in state.last_seen.items()}
        scores, rows = day_scores(
            self._batches(log, state.encoder),
            self.learner.predict,
            plan.group,
            lambda batch: note_seen(state.encoder, last_seen, batch.x, number),
        )
        learnt = learn_encoder(train, state.encoder.fields, plan.min_count, numbers=False, label=plan.label)
        turned = turn_over(state.encoder, learnt, last_seen, number, plan.keep_days)
        return Morning(day, scores, rows, turned.encoder, turned.last_seen, turned.freed, turned.added)

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
            self.log.where(**{plan.by: day}).hold_out(plan.held_out, held=False),
            encoder,
            label=plan.label,
            batch_size=plan.batch_size,
            shuffle_rows=plan.shuffle_rows,
            seed=plan.seed + len(self.state.days),
            columns=tuple(inputs_of(part.model, {field.name: () for field in encoder.fields})),
        )
        checkpoint = StreamCheckpoint(stream, self.folder / "training" / f"{day}-{part.name}", epochs=plan.epochs)
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
        held = self.log.where(**{self.plan.by: day}).hold_out(self.plan.held_out, held=True)
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

    def _batches(self, log: Log, encoder: Encoder) -> Iterable[Any]:
        extra = () if self.plan.group is None else (self.plan.group,)
        return iter_batches(log, encoder, label=self.plan.label, batch_size=BATCH, extra=extra)


def read_record(folder: Path, day: str) -> dict[str, Any]:
    """Return the record of a day that is done."""
    return json.loads((folder / "days" / f"{day}.json").read_text(encoding="utf-8"))
