"""A builder or a training that raises Keras Tuner's FailedTrialError: that trial fails, and the search goes on."""

import json
import runpy
from pathlib import Path

import keras
import keras_tuner
import pytest
from keras_tuner.errors import FailedTrialError

from tuning import NoFeasibleModel
from tuning.exploring import TRIES, explore
from tuning.hypermodel import LightHyperModel

SMALL = runpy.run_path(str(Path(__file__).with_name("small_space.py")))
build, UNITS = SMALL["build"], SMALL["UNITS"]
GOAL = keras_tuner.Objective("val_loss", "min")


def refusing(refused, depth=1):
    """The small space with nets of one depth, whose widths in `refused` the builder does not build."""

    def make(hp):
        hp.Fixed("light_depth", depth)
        units = hp.Choice("light_units_0", list(UNITS))
        if units in refused:
            raise FailedTrialError(f"{units} units\nare too many")
        return build(hp)

    return make


def by_units(rows):
    return {row["values"]["light_units_0"]: row for row in rows}


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("refused", [{4}, {8, 16}])
def test_a_point_that_the_builder_refuses_is_failed_with_its_reason_and_takes_no_trial(find, tmp_path, refused):
    result = find(10**6, refusing(refused), oracle="grid", max_trials=4 - len(refused))
    rows = by_units(result.rows)
    assert {units: row["status"] == "failed" for units, row in rows.items()} == {u: u in refused for u in UNITS}
    for units in refused:
        assert rows[units]["why"] == f"{units} units are too many"
        assert rows[units]["trial"] is rows[units]["metric"] is rows[units]["multiply_adds"] is None
    trained = [row for row in rows.values() if row["trial"] is not None]
    assert len(trained) == result.facts["trials"] == 4 - len(refused)
    assert result.score == max(row["metric"] for row in trained)
    assert result.facts["refused"] == len(refused)
    assert result.facts["rejected"] == 0
    told = json.loads((tmp_path / "search" / "search.json").read_text())
    assert [row["status"] for row in told["rows"]] == [row["status"] for row in result.rows]
    page = (tmp_path / "search" / "report.html").read_text()
    assert f"0 were rejected before a training step, {len(refused)} refused by the builder." in page


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("oracle", ["bayesian", "hyperband"])
def test_every_oracle_goes_on(find, oracle):
    result = find(10**6, refusing({4}), oracle=oracle)
    assert result.values["light_units_0"] != 4
    assert all(row["status"] != "failed" for units, row in by_units(result.rows).items() if units != 4)


def test_hyperparameters_behind_a_refusal_and_under_conditions_belong_to_the_space():
    def make(hp):
        if hp.Choice("kind", ["a", "b", "c"]) == "a":
            raise FailedTrialError("not a")
        with hp.conditional_scope("kind", ["b"]):
            if hp.get("kind") == "b":
                hp.Int("width", 1, 3)
        with hp.conditional_scope("kind", ["a"]):
            pass
        return build(hp)

    oracle = keras_tuner.oracles.RandomSearchOracle(GOAL, seed=1)
    explore(oracle, LightHyperModel(make))
    assert {p.name for p in oracle.hyperparameters.space} == {
        "kind", "width", "light_depth", "light_units_0", "light_units_1",
    }  # fmt: skip


def test_a_builder_that_refuses_everything_is_named_in_one_line(find):
    with pytest.raises(NoFeasibleModel) as caught:
        find(10**6, refusing(set(UNITS)))
    assert str(caught.value).startswith(
        "expected a builder that builds a net at some point of its space, received FailedTrialError at all 4 points "
        "that were tried, the last time with '"
    )
    assert "\n" not in str(caught.value)
    assert TRIES > 4


def test_what_the_builder_refuses_is_not_the_nearest_to_the_budget(find):
    with pytest.raises(NoFeasibleModel) as caught:
        find(20, refusing({32}), oracle="grid")
    assert "1 of them refused by the builder, the first with '32 units are too many'. Nearest of 3: " in str(
        caught.value
    )
    assert caught.value.fastest["values"]["light_units_0"] == 4


class Refuses(keras.layers.Layer):
    def call(self, x, training=None):
        if training:
            raise FailedTrialError("too slow\nto train")
        return x


@pytest.mark.parametrize("light_to_shared", [False, True])
def test_a_training_that_refuses_fails_alone_also_in_a_fleet(find, training, light_to_shared):
    def make(hp):
        hp.Fixed("light_depth", 1)
        pair = build(hp)
        if hp.get("light_units_0") != 4:
            return pair
        net = pair.light
        return type(pair)(keras.Model(net.input, Refuses()(net.output), name="light"), pair.booster)

    options = {"training": training(epochs=1, light_to_shared=light_to_shared)}
    result = find(10**6, make, oracle="grid", max_trials=2, **options)
    rows = by_units(result.rows)
    assert {units: row["status"] for units, row in rows.items()} == {4: "failed", 8: "completed"}
    assert "too slow" in rows[4]["why"]
    assert rows[4]["trial"] is not None
    assert result.retrained_score == pytest.approx(result.score, abs=1e-5)


@pytest.mark.parametrize("where", ["build", "fit"])
def test_a_hypermodel_of_ones_own_may_refuse_when_it_builds_and_when_it_fits(find, where):
    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            units = hp.Choice("units", [2, 3, 4])
            if where == "build" and units == 3:
                raise FailedTrialError("not\nthree")
            x = keras.Input((6,), name="x")
            return keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(units)(x)))

        def fit(self, hp, model, *arguments, **options):
            if hp.get("units") == 3:
                raise FailedTrialError("not\nthree")
            return 1 / hp.get("units")

    result = find(10**6, Own(), objective=GOAL, oracle="grid", max_trials=3)
    assert {row["values"]["units"]: (row["status"], row["metric"], row["why"]) for row in result.rows} == {
        2: ("completed", 0.5, ""), 3: ("failed", None, "not three"), 4: ("completed", 0.25, ""),
    }  # fmt: skip
    assert result.values == {"units": 4}
