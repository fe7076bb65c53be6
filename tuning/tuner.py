"""The tuner: asks an oracle for points within the budget, and trains them in fleets."""

import contextlib
import dataclasses
import hashlib
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.errors import FailedTrialError

from rocket_keras import Pair
from rocket_keras.callbacks import NonFiniteLoss
from rocket_keras.json_file import write_json
from tuning.distributed import Heartbeat, PatientClient, no_output, role
from tuning.exploring import example, explore, reason_of
from tuning.hypermodel import LightHyperModel
from tuning.quiet import quiet
from tuning.rows import Rows
from tuning.starts import Originals, Start, started
from tuning.training import Course, Training

WAIT_SECONDS = 0.5
"""Pause before an oracle that has nothing to do yet is asked again."""
SPOILT = "a loss became NaN or infinite; a lower learning rate or hint weight may help"
"""Why a trial failed whose scores are not finite."""
Told = Callable[[str], None]


class LatencyTuner(keras_tuner.Tuner):
    """Keras Tuner's tuner for light nets: trials come from an oracle of `tuning.oracles`, so all are within the budget.

    Candidates that are pairs are trained as `training` says, many against one booster where that changes nothing. A
    model that its builder has compiled is trained by `LightHyperModel.fit`, one after the other.

    Args:
        oracle: Proposes points.
        hypermodel: Builds them.
        training: How pairs are trained and scored; None for builders of compiled models alone.
        told: Is called with a line of text as the training goes on.
        beat_seconds: How often a worker tells the chief that it is alive.
        **options: `directory`, `project_name`, `overwrite` and what else Keras Tuner's tuner takes.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        hypermodel: LightHyperModel,
        training: Training | None = None,
        told: Told = lambda line: None,
        beat_seconds: float = 15.0,
        **options: Any,
    ):
        self.oracle: Any
        self.training, self.told, self.beat_seconds = training, told, beat_seconds
        self.originals, self.reasons = Originals(), dict[str, str]()
        with quiet(), contextlib.redirect_stdout(None):
            super().__init__(oracle=oracle, hypermodel=hypermodel, **options)
        self.makes_pairs = isinstance(example(hypermodel, self.oracle.get_space()), Pair)
        if self.makes_pairs and training is None:
            raise ValueError("expected `training` for a builder of pairs, received None; say how they are trained")
        if role() == "worker":
            self.oracle = PatientClient(self.oracle)

    def search(self, *arguments: Any, **options: Any) -> None:
        """Search until the oracle stops; as the chief, hand out trials until all are done.

        Args:
            *arguments, **options: Where candidates are pairs, the rows to train and to choose on, two
                `tuning.rows.Rows`; else what the user's `fit` takes.
        """
        with quiet():
            if role() == "chief":
                with no_output():
                    super().search()
                return
            self.save()
            while True:
                trials, stopped = self._ask()
                if trials:
                    with self._alive(trials):
                        self._run(trials, *arguments, **options)
                elif stopped:
                    return
                else:
                    time.sleep(WAIT_SECONDS)

    def save(self) -> None:
        """Write Keras Tuner's file of this tuner whole or not at all."""
        write_json(Path(self._get_tuner_fname()), self.get_state())

    def _ask(self) -> tuple[list[Any], bool]:
        """Return the trials of the next fleet, and whether the oracle has stopped."""
        fleet = self.training is not None and self.makes_pairs and self.training.in_fleets
        trials: list[Any] = []
        for slot in range(self.training.fleet_size if fleet and self.training else 1):
            trial = self.oracle.create_trial(f"{self.tuner_id}:{slot}")
            if trial.status == "STOPPED":
                return trials, True
            if trial.status == "IDLE":
                break
            trials.append(trial)
        return trials, False

    def _alive(self, trials: list[Any]) -> Any:
        if role() != "worker":
            return contextlib.nullcontext()
        return Heartbeat(self.oracle, [trial.trial_id for trial in trials], self.beat_seconds)

    def _activate_all_conditions(self) -> None:
        explore(self.oracle, self.hypermodel)

    def _run(self, trials: list[Any], *arguments: Any, **options: Any) -> None:
        if not self.makes_pairs:
            for trial in trials:
                self._run_compiled(trial, *arguments, **options)
            return
        groups: dict[Any, dict[str, tuple[Any, Start]]] = {}
        # In their order, whatever the order in which a resumed oracle hands them out: a checkpoint is read in it.
        for trial in sorted(trials, key=lambda trial: trial.trial_id):
            try:
                start = self._start(trial)
            except FailedTrialError as error:
                self._fail(trial, reason_of(error))
                continue
            alone = None if self.training and self.training.in_fleets else trial.trial_id
            key = (start.booster, trial.hyperparameters.values.get("tuner/epochs"), alone)
            groups.setdefault(key, {})[trial.trial_id] = (trial, start)
        for (_, epochs, _), group in groups.items():
            self._train(group, epochs, *arguments, **options)

    def _run_compiled(self, trial: Any, *arguments: Any, **options: Any) -> None:
        """Train a model that its builder compiled, as Keras Tuner does."""
        self.on_trial_begin(trial)
        try:
            with self.originals.kept(self._start(trial).referenced):
                self._try_run_and_update_trial(trial, *arguments, **options)
        except FailedTrialError as error:  # of the builder; of a `fit` Keras Tuner notes a traceback
            trial.status, trial.message = "FAILED", reason_of(error)
        trial.message = self.reasons.get(trial.trial_id, trial.message)
        self.on_trial_end(trial)

    def _run_and_update_trial(self, trial: Any, *arguments: Any, **options: Any) -> None:
        try:
            super()._run_and_update_trial(trial, *arguments, **options)
        except FailedTrialError as error:
            self.reasons[trial.trial_id] = reason_of(error)
            raise

    def _start(self, trial: Any) -> Start:
        """Build a trial's candidate; its booster starts like any trial's booster of that shape."""
        seed = self.training.seed if self.training else 0
        return started(lambda: self.hypermodel.candidate(trial.hyperparameters), seed)

    def _train(self, group: dict[str, tuple[Any, Start]], epochs: int | None, train: Rows, validation: Rows) -> None:
        """Train one fleet, or one pair, and report every trial."""
        assert self.training is not None
        # Hyperband halves by itself.
        training = self.training if epochs is None else dataclasses.replace(self.training, halving=1)
        folder = self._folder(list(group), epochs)
        trials = [trial for trial, _ in group.values()]
        pairs: dict[str, Any] = {name: start.candidate for name, (_, start) in group.items()}
        try:
            with self.originals.kept(v for _, start in group.values() for v in start.referenced):
                course = Course(
                    pairs, training, train, validation, epochs or training.epochs, folder, self._tell(group)
                )
                scores = course.run()
            for name, (trial, _) in group.items():
                self._report(trial, scores[name])
        except NonFiniteLoss as error:
            if len(group) > 1:
                raise  # the booster's own loss: no candidate would fare better
            self._fail(trials[0], SPOILT, f": {error}")
        except FailedTrialError as error:
            if len(group) == 1:
                self._fail(trials[0], reason_of(error))
            for trial in trials if len(group) > 1 else ():
                # Whose error it was is not known: each is trained alone.
                self._train({trial.trial_id: (trial, self._start(trial))}, epochs, train, validation)
        shutil.rmtree(folder, ignore_errors=True)

    def _fail(self, trial: Any, reason: str, more: str = "") -> None:
        self.told(f"trial {trial.trial_id} failed: {reason}{more}")
        trial.status, trial.message = "FAILED", reason
        self.on_trial_end(trial)

    def _report(self, trial: Any, scores: list[float]) -> None:
        sound = [(epoch, value) for epoch, value in enumerate(scores) if math.isfinite(value)]
        for epoch, value in sound:
            self.oracle.update_trial(trial.trial_id, {self.oracle.objective.name: value}, step=epoch)
        if not sound or len(sound) < len(scores):
            self._fail(trial, SPOILT)
            return
        trial.status = "COMPLETED"
        self.on_trial_end(trial)

    def _folder(self, names: list[str], epochs: int | None) -> Path:
        text = ",".join([*sorted(names), str(epochs)])
        return Path(self.project_dir) / "courses" / hashlib.sha256(text.encode()).hexdigest()[:16]

    def _tell(self, group: dict[str, Any]) -> Callable[[int, dict[str, float], list[str]], None]:
        def told(epoch: int, scores: dict[str, float], left: list[str]) -> None:
            assert self.training is not None
            best = self.training.better(list(scores.values()))
            going = f", {len(left)} go on" if len(left) < len(scores) else ""
            who = f"{len(scores)} light nets" if len(scores) > 1 else f"trial {next(iter(scores))}"
            self.told(f"{who}, epoch {epoch}: best {self.training.metric} {best:.4f}{going}")

        return told

    def _configure_tensorboard_dir(self, callbacks: Any, trial: Any, execution: int = 0) -> None:
        # Keras Tuner imports tensorboard here under TensorFlow, whether or not one logs to it.
        if any(type(callback).__name__ == "TensorBoard" for callback in callbacks):
            super()._configure_tensorboard_dir(callbacks, trial, execution)
