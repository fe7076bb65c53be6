"""Keras Tuner's oracles, proposing points within the budget alone.

A point that misses the budget never becomes a trial: it is measured, noted and left out inside the oracle. So it takes
none of `max_trials`, is no failure that aborts the search, and pads no list of the best.
"""

import math
import time
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner import oracles

from rocket_keras.json_file import write_json
from tuning.gate import UNLIKELY, Gate, frozen, shape_of
from tuning.space import Values, all_values, smallest_and_largest

PUT_ASIDE = 60
"""Points that are put aside as unlikely before the likeliest of them is measured."""


class WithinBudget(keras_tuner.Oracle):
    """Mixin before an oracle of Keras Tuner.

    Args:
        gate: Measures the points.
        patience: Points in a row that may miss the budget before the oracle gives up; None for no end.
        lease_seconds: Silence of a worker after which its trial is given to another one; None where there are none.
        **options: The oracle's own.

    Attributes:
        gave_up: Why no further point was proposed, if it is not that `max_trials` were.
    """

    ongoing_trials: dict[str, Any]
    _retry_queue: list[str]

    def __init__(self, gate: Gate, patience: int | None = 100, lease_seconds: float | None = None, **options: Any):
        self._expected: set[str] = set()
        self._heard: dict[str, float] = {}
        self._owners: dict[str, str] = {}
        self.lease_seconds = lease_seconds
        # Trials fail for reasons of their own; the search goes on and tells them.
        super().__init__(max_consecutive_failed_trials=10**9, **options)
        self.gate, self.patience = gate, patience
        self.gave_up: str | None = None
        self.missed_in_a_row = 0
        self.verbose = 0

    def _random_values(self) -> Values | None:
        """Return untried values within the budget, or None where there are none left."""
        for corner in smallest_and_largest(self.hyperparameters.space) if not self.gate.looks else []:
            # They tell what the model of the latency has to lie between.
            self.gate.look(corner, self.hyperparameters)
        aside: list[tuple[float, Values]] = []
        while True:
            values = self._untried()
            if values is None:
                self._exhausted()
                return None
            chance = self.gate.feasible([values])[0]
            if chance < UNLIKELY and len(aside) < PUT_ASIDE:
                aside.append((chance, values))
                continue
            if chance < UNLIKELY:
                _, values = max(aside, key=lambda pair: pair[0])
            aside = []
            if self.admit(values):
                return values
            if self.gave_up:
                return None

    def admit(self, values: Values) -> bool:
        """Measure a point; one that misses the budget counts as tried, and as missed."""
        if self.gate.look(values, self.hyperparameters).feasible:
            self.missed_in_a_row = 0
            return True
        self._tried_so_far.add(self._compute_values_hash(values))
        self.missed_in_a_row += 1
        if self.patience is not None and self.missed_in_a_row >= self.patience:
            refused = any(look.measurement.decision == "failed" for look in self.gate.looks.values())
            what = "missed the budget or were refused by the builder" if refused else "missed the budget"
            self.gave_up = f"{self.patience} points in a row {what}"
        return False

    def pool(self, count: int, rng: np.random.Generator) -> list[Values]:
        """Return untried points: all of a small space, else so many random ones."""
        points = all_values(self.hyperparameters.space)
        if points is None:
            drawn = (super(WithinBudget, self)._random_values() for _ in range(count))
            points = list({frozen(values): values for values in drawn if values is not None}.values())
        points = [point for point in points if not self._duplicate(point)]
        if len(points) <= count:
            return points
        return [points[i] for i in rng.choice(len(points), count, replace=False)]

    def _untried(self) -> Values | None:
        """Draw as Keras Tuner does; where it gives up after twenty collisions, look what is left."""
        values = super()._random_values()
        if values is None:
            left = self.pool(1, np.random.default_rng(self._seed_state))
            return left[0] if left else None
        return values

    def _exhausted(self) -> None:
        self.gave_up = "every point of the space was tried"

    def create_trial(self, tuner_id: str) -> Any:
        """As in Keras Tuner; a worker waits while another one's trial may have to be done again."""
        worker = self._hear(tuner_id)
        self._end_leases()
        begun = time.monotonic()
        trial = super().create_trial(tuner_id)
        # While a candidate is measured no worker can be heard.
        self._heard = {key: heard + time.monotonic() - begun for key, heard in self._heard.items()}
        if trial.status == "STOPPED" and any(_worker(key) != worker for key in self.ongoing_trials):
            trial.status = "IDLE"
            self.tuner_ids.add(tuner_id)
        if trial.status == "STOPPED":
            # All of the worker's slots: it asks for no more, and the chief ends when no id is left.
            self.tuner_ids = {known for known in self.tuner_ids if _worker(known) != worker}
        if trial.status == "RUNNING":
            self._owners[trial.trial_id] = tuner_id
        return trial

    def get_trial(self, trial_id: str) -> Any:
        """As in Keras Tuner; a worker that asks for its trial is alive."""
        self._hear(self._owners.get(trial_id))
        return super().get_trial(trial_id)

    def score_trial(self, trial: Any) -> None:
        """As in Keras Tuner; a metric that is infinite, or never a number, is none."""
        history = trial.metrics.get_history(self.objective.name)
        if any(math.isfinite(observed.mean()) for observed in history):
            super().score_trial(trial)
        if trial.score is None or not math.isfinite(trial.score):
            trial.score = math.nan

    def end_trial(self, trial: Any) -> None:
        """As in Keras Tuner; a trial may have been given to two workers, and the first that ends it counts."""
        name = trial.trial_id
        self._hear(self._owners.get(name))
        if name not in self.end_order:
            super().end_trial(trial)
        if name in self.end_order:
            ended = self.trials[name]
            if ended.score is not None and math.isnan(ended.score):
                ended.score, ended.message = None, f"{self.objective.name} is not a finite number"
            ended.status = "FAILED" if ended.score is None else "COMPLETED"
            self._retry_queue = [queued for queued in self._retry_queue if queued != name]
            self.ongoing_trials = {key: t for key, t in self.ongoing_trials.items() if t.trial_id != name}
            self._save_trial(ended)
            self.save()

    def get_best_trials(self, num_trials: int = 1) -> list[Any]:
        """Return the best finished trials; Keras Tuner would fill the list up with failed ones."""
        done = sum(trial.status == "COMPLETED" for trial in self.trials.values())
        return super().get_best_trials(min(num_trials, done)) if done else []

    def save(self) -> None:
        """Write the state whole or not at all; Keras Tuner's own file is empty for a moment, where a kill is final."""
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Any) -> None:
        write_json(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def get_state(self) -> dict[str, Any]:
        """Return Keras Tuner's state, and what was measured."""
        return {**super().get_state(), "looks": self.gate.state(), "missed_in_a_row": self.missed_in_a_row}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""
        super().set_state(state)
        for tuner_id, trial in self.ongoing_trials.items():
            # A worker that outlived the chief may still end its trial.
            self._owners[trial.trial_id] = tuner_id
            self._expected.add(tuner_id)
            self._hear(tuner_id)
        self.gate.restore(state["looks"], self.hyperparameters)
        for look in state["looks"]:
            if frozen(look["values"]) not in self.gate.looks:
                self._tried_so_far.discard(self._compute_values_hash(look["values"]))
        self.missed_in_a_row = state["missed_in_a_row"]

    @property
    def tuner_ids(self) -> set[str]:
        """Ids of the workers that are still expected: Keras Tuner's chief waits until there is none."""
        self._end_leases()
        return self._expected

    @tuner_ids.setter
    def tuner_ids(self, ids: set[str]) -> None:
        self._expected = ids

    def _hear(self, tuner_id: str | None) -> str | None:
        """Note that a worker lives."""
        if tuner_id is None:
            return None
        self._heard[_worker(tuner_id)] = time.monotonic()
        return _worker(tuner_id)

    def _end_leases(self) -> None:
        """Expect nothing more of workers that have been silent for too long, and queue their trials."""
        if self.lease_seconds is None:
            return
        late = time.monotonic() - self.lease_seconds
        silent = {worker for worker, heard in self._heard.items() if heard < late}
        self._expected = {known for known in self._expected if _worker(known) not in silent}
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if _worker(tuner_id) in silent:
                del self.ongoing_trials[tuner_id]
                self._retry_queue.append(trial.trial_id)


def _worker(tuner_id: str) -> str:
    """Return the worker of a slot, such as `tuner0` of `tuner0:3`."""
    return tuner_id.partition(":")[0]


class RandomOracle(WithinBudget, oracles.RandomSearchOracle):
    """Random points within the budget."""


class HyperbandOracle(WithinBudget, oracles.HyperbandOracle):
    """Hyperband over points within the budget."""


class GridOracle(WithinBudget, oracles.GridSearchOracle):
    """Every point within the budget, in Keras Tuner's order: the defaults first, the last hyperparameter fastest.

    Without a patience it ends with the grid.
    """

    def __init__(self, gate: Gate, patience: int | None = None, lease_seconds: float | None = None, **options: Any):
        super().__init__(gate, patience, lease_seconds, **options)
        self.place: Values | None = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Go to the next point within the budget.

        Keras Tuner finds it from the trials before and after; points without a trial would break its chain.
        """
        while not self.gave_up:
            following = self._first() if self.place is None else self._get_next_combination(self.place)
            if following is None:
                self._exhausted()
                break
            self.place = following
            if not self._duplicate(following) and self.admit(following):
                return {"status": "RUNNING", "values": dict(following)}
        return {"status": "STOPPED", "values": None}

    def _first(self) -> Values:
        space = self.get_space()
        return {hp.name: hp.default for hp in space.space if space.is_active(hp)}

    def get_state(self) -> dict[str, Any]:
        """Return the state with the place in the grid."""
        return {**super().get_state(), "place": self.place}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""
        super().set_state(state)
        self.place = state["place"]


__all__ = ["GridOracle", "HyperbandOracle", "RandomOracle", "WithinBudget", "shape_of"]
