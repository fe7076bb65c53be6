"""Trainings on the device's own rows, in mixed precision, and in windows of time, as on a lent GPU."""

import dataclasses
import json
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from rocket_keras.compare import Comparison, WindowOver, compare, pick_methods
from rocket_keras.compare.comparison import final_job
from rocket_keras.compare.pool import Pool
from rocket_keras.compare.stage import finished_net, predicted, train_stage
from rocket_keras.compare.stage_model import stage_model
from rocket_keras.launch.recipe import Augmentation
from rocket_keras.launch.scoring import score
from rocket_keras.methods import get_method

SEED = 1


def flipped(images, choice):
    images = keras.ops.convert_to_tensor(images)
    upside_down = keras.ops.reshape(keras.ops.cast(choice, "float32"), (-1, 1, 1, 1))
    return upside_down * keras.ops.flip(images, 1) + (1 - upside_down) * images


@dataclasses.dataclass(frozen=True)
class Changed:
    """A toy plan with other fields."""

    make_plan: object
    recipe: tuple = ()
    on_device: bool = False

    def __call__(self, seed):
        plan = self.make_plan(seed)
        recipe = dataclasses.replace(plan.recipe, **dict(self.recipe))
        return dataclasses.replace(plan, recipe=recipe, on_device=self.on_device)


def run(make_plan, root, console, name, **options):
    job = final_job(get_method(name), SEED, 1.0)
    Pool(make_plan, root, 1, console, **options).run([job], "all")
    plan = make_plan(SEED)
    return json.loads((job.folder(root, plan) / "result.json").read_text()), plan, job


FLIPPED = (("augment", Augmentation("flipped", 2, flipped)), ("epochs", 2))


@pytest.mark.parametrize(
    ("kind", "name", "recipe"),
    [
        ("images", "base", FLIPPED),
        ("images", "rocket+kd", FLIPPED),  # the frozen teacher runs in the graph
        ("images", "kd", ()),  # what the teacher says is a column
        ("click", "rocket", ()),
    ],
)
def test_rows_on_the_device_give_the_same_training(make_toy_plan, quiet, tmp_path, kind, name, recipe):
    results = [
        run(Changed(make_toy_plan(kind), recipe, on_device), tmp_path / str(on_device), quiet, name)[0]
        for on_device in (False, True)
    ]
    host, device = results
    assert host["job"] == device["job"]
    np.testing.assert_allclose(host["history"]["loss"], device["history"]["loss"], rtol=1e-5)
    for head, scores in host["validation"].items():
        assert device["validation"][head] == pytest.approx(scores, abs=1e-5)


def test_the_rows_are_not_in_the_checkpoint(make_toy_plan, quiet, tmp_path):
    plan = Changed(make_toy_plan("images"), on_device=True)(SEED)
    model, _, _ = stage_model(plan, final_job(get_method("rocket"), SEED, 1.0), tmp_path, plan.pair())
    model.save_weights(tmp_path / "saved.weights.h5")
    assert (tmp_path / "saved.weights.h5").stat().st_size < 2**17
    rows = model.feed.columns
    assert tuple(rows.shape) == plan.data.train.x.shape
    before = keras.ops.convert_to_numpy(rows)
    model.load_weights(tmp_path / "saved.weights.h5")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(rows), before)


def test_mixed_precision_trains_in_it_and_is_scored_in_float32(make_toy_plan, quiet, tmp_path, monkeypatch):
    policies = []

    class Spy(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            nets = [layer for layer in self.model.joint.layers if layer.name == "light_map0"]
            policies.extend(layer.compute_dtype for layer in nets)

    monkeypatch.setattr("rocket_keras.compare.stage.StopOnNonFinite", Spy)
    make_plan = Changed(make_toy_plan("images"), (("precision", "mixed_bfloat16"),))
    result, plan, job = run(make_plan, tmp_path, quiet, "rocket")
    assert policies == ["bfloat16"]
    assert keras.config.dtype_policy().name == "float32"
    net = finished_net(plan, job, tmp_path, "light")
    assert net.get_layer("light_map0").compute_dtype == "float32"
    assert result["validation"]["light"] == score(predicted(net, plan.data.validation.x), plan.data.validation)
    assert job.key(plan) != job.key(make_toy_plan("images")(SEED))
    assert result["job"]["recipe"]["precision"] == "mixed_bfloat16"


def test_a_window_ends_at_an_epoch_and_the_next_one_goes_on(make_toy_plan, quiet, tmp_path):
    make_plan = Changed(make_toy_plan("images"), (("epochs", 4),))
    plan, job = make_plan(SEED), final_job(get_method("rocket"), SEED, 1.0)
    whole, _, _ = run(make_plan, tmp_path / "whole", quiet, "rocket")
    # Within the first epoch the time is over, so each window holds one epoch.
    for epoch in (1, 2, 3):
        with pytest.raises(WindowOver, match=f"after epoch {epoch} of 4"):
            train_stage(plan, job, tmp_path / "cut", quiet, until=time.time())
        assert not (job.folder(tmp_path / "cut", plan) / "result.json").exists()
    again, _, _ = run(make_plan, tmp_path / "cut", quiet, "rocket")
    assert again["history"]["loss"] == whole["history"]["loss"]
    assert again["validation"] == whole["validation"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_comparison_that_ran_out_of_time_begins_nothing_more(make_toy_plan, quiet, tmp_path, workers):
    make_plan = make_toy_plan("images")
    comparison = Comparison(
        make_plan=make_plan,
        root=tmp_path,
        methods=pick_methods(["base"]),
        seeds=(0, 1),
        grid=(1.0,),
        workers=workers,
        until=time.time(),
    )
    with pytest.raises(WindowOver, match="runs: 0 of 2 stages finished"):
        compare(comparison, quiet)
    assert not list(tmp_path.glob("stages/*/result.json"))
    result = compare(dataclasses.replace(comparison, workers=1, until=None), quiet)
    assert result["complete"]
    assert [one["seed"] for one in result["methods"]["base"]["runs"]] == [0, 1]


def test_the_command_says_that_it_goes_on(tmp_path):
    command = ["compare", "digits", "--methods", "base", "--seeds", "1", "--minutes", "0", "--out", str(tmp_path)]
    call = "from rocket_keras_start import main; main()"
    done = subprocess.run([sys.executable, "-c", call, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 75
    assert done.stderr.splitlines()[-1] == (
        "rocket-keras: runs: 0 of 1 stages finished in the time given. The same command goes on; finished runs and "
        "epochs are kept."
    )
