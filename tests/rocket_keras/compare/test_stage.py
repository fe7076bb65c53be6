"""Stages train what they name, leave alone what is frozen, and are done once."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from rocket_keras.compare.comparison import final_job
from rocket_keras.compare.job import Job
from rocket_keras.compare.pool import Pool
from rocket_keras.compare.stage import LabelledRowsLoss, _model, finished_net, train_stage
from rocket_keras.methods import METHODS, Stage, get_method
from rocket_keras.methods.rival_rows import ATTENTION_TERM, KD
from rocket_keras.methods.rocket_rows import BOOSTER, KD_TERM

SEED = 1
FINITE = {"images": {"accuracy", "log_loss"}, "click": {"auc", "gauc", "log_loss"}}


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


@pytest.fixture(scope="module")
def all_trained(make_toy_plan, quiet, tmp_path_factory):
    """Every method that each toy plan can run, one epoch, at one seed: the plans' makers and roots by kind."""
    done = {}
    for kind in FINITE:
        make_plan, root = make_toy_plan(kind), tmp_path_factory.mktemp(kind)
        methods = [m for m in METHODS if m.lacks(make_plan(SEED)) is None]
        Pool(make_plan, root, 1, quiet).run([final_job(m, SEED, 1.0) for m in methods], "all")
        done[kind] = make_plan, root, methods
    return done


@pytest.mark.parametrize("kind", FINITE)
def test_every_method_trains_and_is_scored(all_trained, kind):
    make_plan, root, methods = all_trained[kind]
    plan = make_plan(SEED)
    for method in methods:
        job = final_job(method, SEED, 1.0)
        result = json.loads((job.folder(root, plan) / "result.json").read_text())
        scores = result["validation"][method.net]
        assert set(scores) == FINITE[kind], method.name
        assert np.isfinite([*scores.values(), *result["history"]["loss"]]).all(), method.name
        assert result["seconds"] > 0
        assert not (job.folder(root, plan) / "checkpoint").exists()
    assert not list(root.glob("**/failed.json"))
    assert not list(root.glob("**/test_*.json"))


def test_each_method_runs_on_one_of_the_plans_at_least(all_trained):
    assert {m.name for _, _, methods in all_trained.values() for m in methods} == {m.name for m in METHODS}


def test_a_finished_stage_is_read_and_not_trained_again(all_trained, quiet):
    make_plan, root, _ = all_trained["images"]
    job = final_job(get_method("kd"), SEED, 1.0)
    folder = job.folder(root, make_plan(SEED))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    result = train_stage(make_plan(SEED), job, root, quiet)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert result == json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("name", ["kd", "at+kd", "rocket+kd"])
def test_a_teacher_in_the_graph_stays_as_it_was(make_toy_plan, quiet, tmp_path, name):
    plan, _ = trained(make_toy_plan("images", augmented=True), tmp_path, quiet, BOOSTER)
    file = Job(BOOSTER, SEED).folder(tmp_path, plan) / "booster.weights.h5"
    teacher, content = weights(finished_net(plan, Job(BOOSTER, SEED), tmp_path, "booster")), file.read_bytes()
    pair = plan.pair()
    model, rows, seconds = _model(plan, final_job(get_method(name), SEED, 1.0), tmp_path, pair)
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


@pytest.mark.parametrize("hints", [(KD_TERM,), (KD_TERM, ATTENTION_TERM)], ids=["logits", "logits and maps"])
def test_computed_before_or_in_the_graph_the_teacher_says_the_same(make_toy_plan, quiet, tmp_path, hints):
    stage = dataclasses.replace(KD, hints=hints)
    lights = []
    for augmented in (False, True):
        make_plan = make_toy_plan("images", augmented=augmented, epochs=2)
        plan, job = trained(make_plan, tmp_path / str(augmented), quiet, BOOSTER, stage)
        lights.append(weights(finished_net(plan, job, tmp_path / str(augmented), "light")))
    for a, b in zip(lights[0].values(), lights[1].values(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("kind", FINITE)
@pytest.mark.parametrize("to_shared", [False, True])
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
    _, rows, _ = _model(plan, job, tmp_path, plan.pair())
    assert (rows.y == -1).all()
    assert len(rows) == len(plan.data.train) + len(plan.data.unlabelled)
    labelled = final_job(get_method("softmax-l2"), SEED, 1.0)
    _, rows, _ = _model(plan, labelled, tmp_path, plan.pair())
    assert (rows.y == np.concatenate([plan.data.train.y, plan.data.unlabelled.y])).all()


def hopeless(plan, steps):
    return keras.optimizers.SGD(1e30)


def test_a_loss_that_is_not_finite_is_written_down_and_the_others_go_on(make_toy_plan, quiet, tmp_path):
    bad = Stage("booster", optimizer=hopeless)
    taught = dataclasses.replace(KD, teachers=(bad,))
    make_plan = make_toy_plan("images", epochs=3)
    jobs = [Job(stage, SEED) for stage in (taught, Stage("light"))]
    Pool(make_plan, tmp_path, 1, quiet).run(jobs, "runs", {jobs[1]: "light"})
    folders = {stage: Job(stage, SEED).folder(tmp_path, make_plan(SEED)) for stage in (bad, taught, Stage("light"))}
    assert "infinite loss" in json.loads((folders[bad] / "failed.json").read_text())["why"]
    assert json.loads((folders[taught] / "failed.json").read_text())["why"] == "the booster stage before it failed"
    assert not (folders[bad] / "result.json").exists()
    assert np.isfinite(json.loads((folders[Stage("light")] / "test_light.json").read_text())["accuracy"])
