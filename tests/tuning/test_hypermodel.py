"""A Keras Tuner user's own HyperModel: a compiled model, and a fit."""

import math
import runpy
import sys
from pathlib import Path

import keras
import keras_tuner
import pytest

from tuning import NoFeasibleModel

UNITS = runpy.run_path(str(Path(__file__).with_name("small_space.py")))["UNITS"]
GOAL = keras_tuner.Objective("val_auc", "max")


class Own(keras_tuner.HyperModel):
    def build(self, hp):
        x = keras.Input((6,), name="x")
        h = keras.layers.Dense(hp.Choice("units", list(UNITS)), "relu")(x)
        model = keras.Model(x, keras.layers.Dense(1)(h))
        model.compile(
            "adam",
            keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=[keras.metrics.AUC(from_logits=True, name="auc")],
        )
        return model

    def fit(self, hp, model, *arguments, **options):
        return model.fit(*arguments, batch_size=hp.Choice("batch", [32, 64]), epochs=2, **options)


class Untrained(Own):
    """Its fit returns a number at once: 1 / units, but `bad` for the narrowest net."""

    def __init__(self, bad):
        super().__init__()
        self.bad = bad

    def fit(self, hp, model, *arguments, **options):
        return self.bad if hp.get("units") == UNITS[0] else 1 / hp.get("units")


def test_it_is_searched_within_the_budget(find, monkeypatch):
    # Keras Tuner imports tensorboard under TensorFlow, whether or not one logs to it.
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    result = find(builder=Own(), objective=GOAL, limit=120, max_trials=4)
    assert result.pair is None
    assert result.metric == "val_auc"
    assert set(result.values) == {"units", "batch"}
    trained = [row for row in result.rows if row["metric"] is not None]
    assert all(7 * row["values"]["units"] <= 120 for row in trained)
    assert any(row["status"] == "over" for row in result.rows)


@pytest.mark.parametrize(("oracle", "bad"), [("bayesian", math.nan), ("grid", math.inf)])
def test_a_metric_that_is_no_number_is_a_failed_trial(find, oracle, bad):
    result = find(builder=Untrained(bad), objective=GOAL, limit=10**6, max_trials=4, oracle=oracle)
    assert {row["values"]["units"]: (row["status"], row["metric"]) for row in result.rows} == {
        UNITS[0]: ("failed", None),
        **{units: ("completed", 1 / units) for units in UNITS[1:]},
    }
    assert result.values == {"units": UNITS[1]}
    (failed,) = [row for row in result.rows if row["status"] == "failed"]
    assert failed["why"] == "val_auc is not a finite number"


def test_of_a_fit_that_fails_the_last_line_is_told(find):
    class Broken(Own):
        def fit(self, hp, model, *arguments, **options):
            raise ZeroDivisionError("a batch\nof no rows")

    with pytest.raises(NoFeasibleModel) as caught:
        find(builder=Broken(), objective=GOAL, max_trials=2)
    assert str(caught.value) == ("every candidate within 300 multiply-adds failed in training, 2 of them: of no rows")
    assert {row["why"] for row in caught.value.rows if row["status"] == "failed"} == {"of no rows"}
