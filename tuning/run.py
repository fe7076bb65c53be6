"""`tuning.search`: from a builder and a budget to the best light net within it."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner

from rocket_keras import Latency, Pair, hints
from rocket_keras.json_file import write_json
from rocket_keras.launch.run_folder import claim
from tuning.bayesian import BayesianOracle
from tuning.board import Board
from tuning.budget import LatencyBudget
from tuning.cache import MeasurementCache
from tuning.distributed import role
from tuning.exploring import example
from tuning.facts import facts_of, stopped
from tuning.gate import Gate, hyperparameters
from tuning.hypermodel import Builder, LightHyperModel, served
from tuning.measure import Meter
from tuning.oracles import GridOracle, HyperbandOracle, RandomOracle, WithinBudget
from tuning.outcome import candidate_rows, confirmed_winner
from tuning.result import NoFeasibleModel, Row, SearchResult, pareto_front
from tuning.rows import as_rows, check_rows
from tuning.settings import Settings
from tuning.starts import started
from tuning.training import Course, Training
from tuning.tuner import LatencyTuner
from tuning.unchanged import check_unchanged

ORACLES: dict[str, type[WithinBudget]] = {
    "bayesian": BayesianOracle,
    "random": RandomOracle,
    "hyperband": HyperbandOracle,
    "grid": GridOracle,
}
MAX_TRIALS = 20


def search(
    builder: Builder | keras_tuner.HyperModel,
    budget: LatencyBudget,
    train: Any,
    validation: Any,
    max_trials: int | None = None,
    oracle: str = "bayesian",
    *,
    training: Training | None = None,
    epochs: int = 1,
    batch_size: int = 1024,
    optimizer: Callable[[int], keras.optimizers.Optimizer] | None = None,
    hint: Callable[[], keras.distillation.DistillationLoss] = hints.SquaredLogitHint,
    hint_weight: Any = 1.0,
    light_to_shared: bool = False,
    metric: str = "auc",
    objective: keras_tuner.Objective | None = None,
    fleet_size: int = 8,
    halving: int = 2,
    seed: int = 0,
    headroom: float = 0.1,
    patience: int | None = None,
    folder: str | Path = "search",
    cache: str | Path | None = None,
    encoder: Any = None,
    console: Any = None,
    lease_seconds: float = 180.0,
    told: dict[str, Any] | None = None,
    **fit_options: Any,
) -> SearchResult | None:
    """Find the light net with the best validation metric whose measured latency, as exported, meets a budget.

    Each candidate is built untrained, exported and measured; only one within the budget is trained. Light nets of one
    booster are trained in one launch (`rocket_keras.Fleet`), of which the worse halves are dropped on the way. The
    winner is measured once more by a fresh process, and trained again from the beginning. The same call goes on with a
    search that was interrupted.

    Args:
        builder: From `keras_tuner.HyperParameters` to a `rocket_keras.Pair`, such as `zoo.ctr_pair_builder(...)`; or to
            a compiled Rocket or model, or a `keras_tuner.HyperModel` of these, whose own `fit` then trains.
        budget: What a request may take, and what the light net may weigh.
        train, validation: `(x, y)`, `(x, y, groups)` or a split with these; arrays. Requests for the measurements are
            drawn from the validation rows.
        max_trials: Candidates that are trained, 20 by default; what misses the budget does not count. Hyperband, whose
            trials follow from the epochs, takes none.
        oracle: `"bayesian"`, `"random"`, `"hyperband"` or `"grid"`.
        training: How pairs are trained, instead of `epochs` to `halving` below.
        epochs, batch_size: Of each candidate.
        optimizer: From the number of training steps to a fresh optimizer; Adam by default.
        hint, hint_weight, light_to_shared: As in `rocket_keras.Rocket`; the hint from a function. With
            `light_to_shared=True` candidates cannot share a launch, and are trained one after the other.
        metric: What is chosen by, on validation: `"auc"`, `"gauc"`, `"accuracy"` or `"log_loss"`.
        objective: What is chosen by where the builder compiles its models: a name that their `fit` logs. One, not a
            list.
        fleet_size: Light nets in one launch.
        halving: Of so many light nets one goes on, after a quarter and after half of the epochs where there are eight;
            1 drops none.
        seed: Of proposals, initial weights and batches.
        headroom: Share of each limit of time that stays free when candidates are measured, so that the winner meets the
            whole budget again and again.
        patience: Candidates in a row that may miss the budget before the search gives up: 100 by default, and no end of
            them for a grid.
        folder: Where the search is kept, to go on from, and its results: `search.json`, `pareto.png`, `report.html`,
            `light.keras`, `light.onnx`.
        cache: Folder of measurements, shared between searches; `folder / "measurements"` otherwise.
        encoder: What turns raw values into the net's inputs; goes into `light.onnx`, as in `rk.export_light`.
        console: A `rich.console.Console` for the table of what runs; standard error by default.
        lease_seconds: Silence of a worker after which the chief gives its trial to another one.
        told: Further facts for `search.json`; `entry` and `dataset` tell another data set in the same folder.
        **fit_options: For the `fit` of a user's HyperModel.

    Returns:
        The result; None in a worker of Keras Tuner's chief/worker mode, where the chief has it.

    Raises:
        NoFeasibleModel: No candidate meets the budget, or the budget is below what the runtime itself takes.
        ValueError: Arguments that contradict each other, rows that cannot train or score a candidate, such as
            validation labels of one class for an AUC, or a folder of another search.
    """
    _check(oracle, max_trials, objective)
    training = training or Training(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer or (lambda steps: keras.optimizers.Adam()),
        metric=metric,
        hint=hint,
        hint_weight=hint_weight,
        light_to_shared=light_to_shared,
        fleet_size=fleet_size,
        halving=halving,
        seed=seed,
    )
    settings = Settings(
        oracle, objective, budget, headroom, training,
        as_rows(train, "train"), as_rows(validation, "validation"), fit_options, told or {},
    )  # fmt: skip
    run = _Search(builder, settings, Path(folder), Path(cache) if cache else None, console)
    return run.go(max_trials or MAX_TRIALS, patience, lease_seconds, encoder)


def _check(oracle: str, max_trials: int | None, objective: Any) -> None:
    if oracle not in ORACLES:
        raise ValueError(f"expected `oracle` as one of {', '.join(ORACLES)}, received {oracle!r}; choose one of them")
    if max_trials is not None and max_trials < 1:
        raise ValueError(f"expected `max_trials` of at least 1, received {max_trials}; it counts trained candidates")
    if max_trials is not None and oracle == "hyperband":
        raise ValueError(
            f"expected no `max_trials` with the oracle 'hyperband', received {max_trials}; its trials follow from the "
            "epochs, so leave it out"
        )
    if isinstance(objective, list | tuple) or type(objective).__name__ == "MultiObjective":
        raise ValueError(
            "expected `objective` as one keras_tuner.Objective, received several: Keras Tuner would add them up as "
            "they are; choose by one, and limit the light net's cost by the budget"
        )


class _Search:
    """The state of one search; its methods are its steps, in their order."""

    def __init__(self, builder: Any, settings: Settings, folder: Path, cache: Path | None, console: Any):
        self.settings, self.training, self.folder = settings, settings.training, folder
        self.train, self.validation = settings.train, settings.validation
        self.hypermodel = LightHyperModel(builder, lambda pair: self.training.rocket(pair, self.train))
        self.cache = MeasurementCache(cache or folder / "measurements")
        self.meter = Meter(settings.budget, self.validation.x, settings.headroom, self.cache)
        self.board = Board(console, settings.budget, self.training.metric)
        self.gate = Gate(self.hypermodel, self.meter, self.board.look)
        self.seconds: dict[str, float] = {}

    def go(self, max_trials: int, patience: int | None, lease_seconds: float, encoder: Any) -> SearchResult | None:
        """Search, confirm, train the winner again, and write; without a winner, write why there is none."""
        candidate = example(self.hypermodel)
        if isinstance(candidate, Pair):
            check_rows(candidate, self.train, self.validation, self.training.metric)
        if role() != "worker" or (self.folder / "run.json").exists():
            claim(self.folder, *self.settings.claimed(self.hypermodel))
        tuner, guide = self._tuner(max_trials, patience, lease_seconds)
        if tuner.makes_pairs and self.settings.fit_options:
            raise ValueError(
                f"expected no further arguments where the builder makes pairs, received "
                f"{sorted(self.settings.fit_options)}; say in `training` how pairs are trained"
            )
        if role() != "worker":
            check_unchanged(guide, self.folder)
        try:
            result = self._result(tuner, guide)
            return self._written(result, encoder) if result else None
        except NoFeasibleModel as error:
            told = {"reason": str(error), "rows": error.rows, "facts": facts_of(self.settings, guide, self.seconds)}
            with contextlib.suppress(OSError):  # of a full disk the notes tell
                write_json(self.folder / "search.json", told)
            raise
        finally:
            for line in self.notes():
                self.board.say(line)

    def _result(self, tuner: LatencyTuner, guide: WithinBudget) -> SearchResult | None:
        begun = time.perf_counter()
        floor = self._floor() if role() != "worker" else None
        with self.board:
            if tuner.makes_pairs:
                tuner.search(self.train, self.validation)
            else:
                tuner.search(self.train.x, self.train.y, **self._fit_options())
        if role() == "worker":
            return None
        self.seconds["search"] = time.perf_counter() - begun
        rows = candidate_rows(guide, self.training if tuner.makes_pairs else None)
        row, latency = confirmed_winner(rows, guide, self.board.say)
        goal = guide.objective
        self.board.say(f"{stopped(guide)}; winner {row['values']}: {goal.name} {row['metric']:.4f}; training it again")
        begun = time.perf_counter()
        pair, model, again = self._again(tuner, row)
        self.seconds["retraining"] = time.perf_counter() - begun
        return SearchResult(
            pair=pair,
            model=model,
            trial=row["trial"],
            values=row["values"],
            metric=self.training.metric if tuner.makes_pairs else goal.name,
            direction=goal.direction,
            score=row["metric"],
            retrained_score=again,
            latency=latency,
            rows=rows,
            front=pareto_front(rows, goal.direction),
            latency_model=self.gate.model.errors if self.gate.model else None,
            floor=floor,
            facts=facts_of(self.settings, guide, self.seconds),
        )

    def _tuner(self, max_trials: int, patience: int | None, lease_seconds: float) -> tuple[LatencyTuner, WithinBudget]:
        training, oracle = self.training, self.settings.oracle
        goal = self.settings.objective
        goal = goal or keras_tuner.Objective(f"val_light_{training.metric}", training.direction)
        options: dict[str, Any] = (
            {"max_epochs": training.epochs} if oracle == "hyperband" else {"max_trials": max_trials}
        )
        if patience is not None:
            options["patience"] = patience
        options["lease_seconds"] = lease_seconds if role() == "chief" else None
        # Keras Tuner takes a seed of 0 for none.
        guide = ORACLES[oracle](self.gate, objective=goal, seed=training.seed + 1, **options)
        tuner = LatencyTuner(
            guide, self.hypermodel, training, self.board.say, directory=str(self.folder), project_name="trials"
        )
        return tuner, guide

    def _floor(self) -> Latency | None:
        """Measure what the runtime itself takes, and stop where that is over the budget already."""
        floor = self.meter.floor(served(example(self.hypermodel)))
        if floor is not None and floor.decision == "over":
            budget, headroom = self.settings.budget, self.settings.headroom
            free = f", of which {headroom:.0%} stays free" if headroom else ""
            raise NoFeasibleModel(
                f"no light net within {budget.describe()}{free}: a net that does nothing takes p50 "
                f"{floor.p50_ms:.4f} ms, p99 {floor.p99_ms:.4f} ms here; widen the budget, or ask for fewer rows a "
                "request",
                share=max(getattr(floor, name) / limit for name, limit in budget.limits().items()),
            )
        return floor

    def _again(self, tuner: LatencyTuner, row: Row) -> tuple[Pair | None, keras.Model, float]:
        """Train the winner from the beginning, and keep its best epoch's weights."""
        hp = hyperparameters(tuner.oracle, row["values"])
        if not tuner.makes_pairs:
            keras.utils.set_random_seed(self.training.seed)
            model = self.hypermodel.build(hp)
            history = self.hypermodel.fit(hp, model, self.train.x, self.train.y, **self._fit_options())
            values = getattr(history, "history", {}).get(tuner.oracle.objective.name, [row["metric"]])
            pair = getattr(model, "pair", None)
            return pair, served(model), float(values[-1])
        winner: Any = started(lambda: self.hypermodel.candidate(hp), self.training.seed).candidate
        course = Course({"winner": winner}, self.training, self.train, self.validation, self.training.epochs)
        best = course.run_to_best()
        return winner, winner.light, best

    def _fit_options(self) -> dict[str, Any]:
        data = (self.validation.x, self.validation.y)
        return {"validation_data": data, "verbose": 0, **self.settings.fit_options}

    def _written(self, result: SearchResult, encoder: Any) -> SearchResult:
        from rocket_keras import export_light

        rows = self.validation.rows(slice(min(len(self.validation), 64))).x
        export_light(result.model, self.folder / "light.keras", rows)
        export_light(result.model, self.folder / "light.onnx", rows, encoder)
        result.save(self.folder)
        return result

    def notes(self) -> list[str]:
        """Return what a user should know of the measurements."""
        lines = []
        if self.cache.foreign:
            lines.append(f"{len(self.cache.foreign)} measurements of another machine were ignored")
        if self.cache.trouble:
            lines.append(self.cache.trouble)
        return lines
