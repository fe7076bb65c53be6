"""Stages train what they name, leave alone what is frozen, and are done once."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from rocket_keras.compare import stage as stages_of
from rocket_keras.compare.comparison import final_job
from rocket_keras.compare.job import Job
from rocket_keras.compare.pool import Pool
from rocket_keras.compare.stage import finished_net, train_stage
from rocket_keras.compare.stage_model import LabelledRowsLoss, stage_model
from rocket_keras.methods import METHODS, Stage, get_method
from rocket_keras.methods.rival_rows import ATTENTION_TERM, KD
from rocket_keras.methods.rocket_rows import BOOSTER, KD_TERM

SEED = 1
SCORES = {"toy.images": {"accuracy", "log_loss"}, "toy.clicks": {"auc", "gauc", "log_loss"}}


def weights(net):
    return {v.path: keras.ops.convert_to_numpy(v) for v in net.weights}


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first.values(), second.values(), strict=True))


def trained(make_plan, root, console, *stages):
    """Train the stages one after the other; return the plan and the last one's job."""
    plan = make_plan(SEED)
    for stage in stages:
        train_stage(plan, job := Job(stage, SEED).of(stage), root, console)
    return plan, job


def run_all(make_plan, root, console, methods):
    """Train the methods' stages, one epoch, at one seed; check what they leave behind."""
    plan = make_plan(SEED)
    Pool(make_plan, root, 1, console).run([final_job(m, SEED, 1.0) for m in methods], "all")
    for method in methods:
        job = final_job(method, SEED, 1.0)
        result = json.loads((job.folder(root, plan) / "result.json").read_text())
        scores = result["validation"][method.net]
        assert set(scores) == SCORES[plan.name], method.name
        assert np.isfinite([*scores.values(), *result["history"]["loss"]]).all(), method.name
        assert result["seconds"] > 0
        assert not (job.folder(root, plan) / "checkpoint").exists()
    assert not list(root.glob("**/failed.json"))
    assert not list(root.glob("**/test_*.json"))


def possible(plan):
    return [method for method in METHODS if method.lacks(plan) is None]


def on_clicks(make_toy_plan):
    """What images cannot run, and one of each kind whose rows or loss differ for one logit; the rest runs nightly."""
    images, clicks = (make_toy_plan(kind)(SEED) for kind in ("images", "click"))
    chosen = ("base", "rocket", "rocket+kd", "kd", "compression", "fitnets")
    return [method for method in possible(clicks) if method.name in chosen or method.lacks(images)]


@pytest.fixture(scope="module")
def images_trained(make_toy_plan, quiet, tmp_path_factory):
    """The folder in which every method for images was run."""
    root, make_plan = tmp_path_factory.mktemp("images"), make_toy_plan("images")
    run_all(make_plan, root, quiet, possible(make_plan(SEED)))
    return root


def test_every_method_for_images_trains_and_is_scored(images_trained, make_toy_plan):
    jobs = [final_job(method, SEED, 1.0) for method in possible(make_toy_plan("images")(SEED))]
    folders = {job.folder(images_trained, make_toy_plan("images")(SEED)) for job in jobs}
    assert len(folders) >= len(jobs) - 1  # the recipe shares as `rocket, light_to_shared=True` does


def test_methods_for_clicks_train_and_are_scored(make_toy_plan, quiet, tmp_path):
    methods = on_clicks(make_toy_plan)
    run_all(make_toy_plan("click"), tmp_path, quiet, methods)
    assert {m.name for m in methods + possible(make_toy_plan("images")(SEED))} == {m.name for m in METHODS}


@pytest.mark.nightly
def test_the_other_methods_train_on_clicks_too(make_toy_plan, quiet, tmp_path):
    make_plan, done = make_toy_plan("click"), on_clicks(make_toy_plan)
    run_all(make_plan, tmp_path, quiet, [m for m in possible(make_plan(SEED)) if m not in done])


def test_a_finished_stage_is_read_and_not_trained_again(images_trained, make_toy_plan, quiet):
    plan, job = make_toy_plan("images")(SEED), final_job(get_method("kd"), SEED, 1.0)
    folder = job.folder(images_trained, plan)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    result = train_stage(plan, job, images_trained, quiet)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert result == json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("name", ["at+kd", "rocket+kd"])
def test_a_teacher_in_the_graph_stays_as_it_was(make_toy_plan, quiet, tmp_path, name):
    plan, _ = trained(make_toy_plan("images", augmented=True), tmp_path, quiet, BOOSTER)
    file = Job(BOOSTER, SEED).folder(tmp_path, plan) / "booster.weights.h5"
    teacher, content = weights(finished_net(plan, Job(BOOSTER, SEED), tmp_path, "booster")), file.read_bytes()
    pair = plan.pair()
    model, rows, seconds = stage_model(plan, final_job(get_method(name), SEED, 1.0), tmp_path, pair)
    frozen = model.joint.get_layer("teachers")
    light = weights(pair.light)
    assert equal(weights(frozen), teacher)
    model.fit(rows.x, rows.y, batch_size=16, epochs=2, verbose=0)
    assert equal(weights(frozen), teacher)
    assert not frozen.trainable_variables
    assert not any(a is b for a in frozen.weights for b in model.trainable_variables)
    assert not equal(weights(pair.light), light)
    assert file.read_bytes() == content
    assert seconds == 0.0


def test_computed_before_or_in_the_graph_the_teacher_says_the_same(make_toy_plan, quiet, tmp_path):
    # A weight under which rounding does not grow from step to step.
    stage = dataclasses.replace(KD, hints=(KD_TERM, dataclasses.replace(ATTENTION_TERM, weight=9.0)))
    lights = []
    for augmented in (False, True):
        make_plan = make_toy_plan("images", augmented=augmented, epochs=2)
        plan, job = trained(make_plan, tmp_path / str(augmented), quiet, BOOSTER, stage)
        lights.append(weights(finished_net(plan, job, tmp_path / str(augmented), "light")))
    for a, b in zip(lights[0].values(), lights[1].values(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(("kind", "to_shared"), [("images", False), ("click", False), ("click", True)])
def test_shared_variables_of_the_start_move_only_where_they_may(make_toy_plan, quiet, tmp_path, kind, to_shared):
    stage = dataclasses.replace(KD, start=BOOSTER, light_to_shared=to_shared)
    plan, job = trained(make_toy_plan(kind), tmp_path, quiet, BOOSTER, stage)
    pair = plan.pair()
    shared, own = ({id(v) for v in part} for part in (pair.shared_variables, pair.light_variables))
    fresh = [keras.ops.convert_to_numpy(v) for v in pair.light_variables]
    teacher_folder = Job(BOOSTER, SEED).folder(tmp_path, plan)
    pair.booster.load_weights(teacher_folder / "booster.weights.h5")
    before = [keras.ops.convert_to_numpy(v) for v in pair.light.trainable_variables if id(v) in shared]
    pair.light.load_weights(job.folder(tmp_path, plan) / "light.weights.h5")
    after = [keras.ops.convert_to_numpy(v) for v in pair.light.trainable_variables if id(v) in shared]
    same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same
    assert not any(same) if to_shared else all(same)
    learnt = [keras.ops.convert_to_numpy(v) for v in pair.light.trainable_variables if id(v) in own]
    assert not any(np.array_equal(a, b) for a, b in zip(fresh, learnt, strict=True) if np.ptp(b) > 0)


def test_sparse_tables_are_trained_row_by_row_and_stay_where_they_are_frozen(make_toy_plan, quiet, tmp_path):
    make_plan = make_toy_plan("click")
    plan = dataclasses.replace(make_plan(SEED), options={"embedding": "sparse"})
    train_stage(plan, Job(BOOSTER, SEED), tmp_path, quiet)
    stages = {Stage("light"): True, dataclasses.replace(KD, start=BOOSTER, light_to_shared=False): False}
    for stage, moves in stages.items():
        pair = plan.pair()
        model, _, _ = stage_model(plan, Job(stage, SEED), tmp_path, pair)
        assert bool(model.row_layers) == moves
        assert not any(v.path.endswith("/table") for v in model.trainable_variables)
    train_stage(plan, job := Job(Stage("light"), SEED), tmp_path, quiet)
    assert np.isfinite(list(stages_of.test_scores(plan, job, tmp_path, "light").values())).all()


def test_a_row_without_a_label_costs_nothing():
    y = np.array([0, 2, -1, 1, -1])
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -(log_p[0, 0] + log_p[1, 2] + log_p[3, 1]) / 5
    assert float(LabelledRowsLoss()(y, logits)) == pytest.approx(expected, rel=1e-5)
    clicks, one = np.array([1.0, -1.0], "float32"), np.array([[0.5], [3.0]], "float32")
    assert float(LabelledRowsLoss()(clicks, one)) == pytest.approx(np.log1p(np.exp(-0.5)) / 2, rel=1e-5)


def test_rows_without_labels_alone_teach_nothing_but_the_teachers_word(make_toy_plan, quiet, tmp_path):
    # Bucila's method reads no label: with other labels in the data it ends with the same light net.
    plan, _ = trained(make_toy_plan("images"), tmp_path, quiet, BOOSTER)
    job = final_job(get_method("compression"), SEED, 1.0)
    _, rows, _ = stage_model(plan, job, tmp_path, plan.pair())
    assert (rows.y == -1).all()
    assert len(rows) == len(plan.data.train) + len(plan.data.unlabelled)
    labelled = final_job(get_method("softmax-l2"), SEED, 1.0)
    _, rows, _ = stage_model(plan, labelled, tmp_path, plan.pair())
    assert (rows.y == np.concatenate([plan.data.train.y, plan.data.unlabelled.y])).all()


def hopeless(plan, steps):
    return keras.optimizers.SGD(float("inf"))


def test_a_loss_that_is_not_finite_is_written_down_and_the_others_go_on(make_toy_plan, quiet, tmp_path):
    bad = Stage("booster", optimizer=hopeless)
    taught = dataclasses.replace(KD, teachers=(bad,))
    make_plan = make_toy_plan("images", epochs=3)
    jobs = [Job(stage, SEED) for stage in (taught, Stage("light"))]
    Pool(make_plan, tmp_path, 1, quiet).run(jobs, "runs", {jobs[1]: "light"})
    folders = {stage: Job(stage, SEED).folder(tmp_path, make_plan(SEED)) for stage in (bad, taught, Stage("light"))}
    assert "NaN or infinite loss" in json.loads((folders[bad] / "failed.json").read_text())["why"]
    assert json.loads((folders[taught] / "failed.json").read_text())["why"] == "the booster stage before it failed"
    assert not (folders[bad] / "result.json").exists()
    assert np.isfinite(json.loads((folders[Stage("light")] / "test_light.json").read_text())["accuracy"])
