import dataclasses
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console

import zoo
from rocket_keras import Pair
from rocket_keras.callbacks import NonFiniteLoss
from rocket_keras.launch import Plan, Recipe, launch
from rocket_keras.launch.batches import Batches, predict_logits
from rocket_keras.launch.recipe import Augmentation
from rocket_keras.launch.scoring import score
from rocket_keras.row_training import RowTraining
from zoo.data import Dataset, Split

FEATURES = (zoo.Categorical("user_id", 12), zoo.Categorical("item_id", 9), zoo.Numeric("age"))


def clicks(count=96, seed=0):
    rng = np.random.default_rng(seed)

    def part(rows):
        x = {f.name: rng.integers(0, f.size, rows).astype("int32") for f in FEATURES[:2]}
        x["age"] = rng.normal(size=rows).astype("float32")
        chance = 1 / (1 + np.exp(-x["age"] - (x["user_id"] % 3 - 1) * (x["item_id"] % 2 - 0.5) * 4))
        return Split(x, (rng.random(rows) < chance).astype("float32"), x["user_id"])

    return Dataset("made up", part(count), part(40), part(50), num_classes=2, source="made up", features=FEATURES)


def plan(data=None, epochs=3, **recipe):
    data = data or clicks()
    build = lambda: zoo.ctr_pair(FEATURES, light_units=(4,), booster_units=(16, 8))  # noqa: E731
    adam = lambda steps: keras.optimizers.Adam(0.01)  # noqa: E731
    options = {"optimizer": adam, "hint_weight": 0.5, "serving_batch": 20, **recipe}
    return Plan("made.up", data, build, Recipe(epochs=epochs, batch_size=32, **options))


def quiet():
    return Console(file=io.StringIO())


def numbers(metrics):
    """All that must not depend on when and how often a run was interrupted."""
    nets = {name: {k: row[k] for k in ("test", "validation", "parameters")} for name, row in metrics["nets"].items()}
    return nets, metrics["history"]


def leaves(value, path=""):
    """Every number by its path."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        return {path: value}
    return {name: leaf for key, inner in items for name, leaf in leaves(inner, f"{path}/{key}").items()}


def with_tanh(pair):
    """The pair with tanh for every relu: as many parameters, and the same names."""

    def clone(layer):
        config = layer.get_config()
        return type(layer).from_config(
            {**config, "activation": "tanh"} if config.get("activation") == "relu" else config
        )

    config = pair.get_config()
    joint = keras.models.clone_model(pair.joint, clone_function=clone)
    return Pair.from_joint(joint, config["light_inputs"], config["booster_inputs"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, launch(plan(), folder, seed=1, command="the command", console=quiet())


def test_nets_with_sparse_tables_are_all_trained_row_by_row(tmp_path, monkeypatch):
    moved, compile_rows = [], RowTraining.compile_rows

    def noted(self, row_optimizer):
        compile_rows(self, row_optimizer)
        moved.append((type(self).__name__, [layer.name for layer in self.row_layers]))

    monkeypatch.setattr(RowTraining, "compile_rows", noted)
    sparse = dataclasses.replace(
        plan(epochs=1), build=lambda: zoo.ctr_pair(FEATURES, light_units=(4,), booster_units=(8,), embedding="sparse")
    )
    metrics = launch(sparse, tmp_path, seed=1, command="the command", console=quiet())
    assert moved == [(name, ["shared_embedding_16"]) for name in ("SparseNet", "SparseNet", "Rocket")]
    nets = metrics["nets"]
    assert nets["base"]["parameters"] == nets["light"]["parameters"] > 21 * 16
    assert all(np.isfinite(net["test"]["log_loss"]) for net in nets.values())


def test_the_run_folder_is_whole(finished):
    folder, metrics = finished
    plots = {"learning_curves.png", "comparison.png", "latency_quality.png"}
    names = plots | {"metrics.json", "report.html", "light.keras", "light.onnx"}
    assert names <= {path.name for path in folder.iterdir()}
    assert json.loads((folder / "metrics.json").read_text()) == json.loads(json.dumps(metrics))
    for key in ("seed", "command", "versions", "backend", "device", "git_commit", "dataset", "recipe"):
        assert key in metrics
    assert len(metrics["dataset"]["hash"]) == 64
    assert set(metrics["nets"]) == {"base", "light", "booster", "booster_in_rocket"}
    for row in metrics["nets"].values():
        assert set(row["test"]) == {"auc", "gauc", "log_loss"}
    assert metrics["nets"]["base"]["multiply_adds"] == metrics["nets"]["light"]["multiply_adds"]
    assert metrics["nets"]["light"]["latency"]["batch_size"] == 20
    assert len(metrics["history"]["rocket"]["val_light_auc"]) == 3


def test_base_and_light_net_are_one_graph_and_share_its_latency(finished):
    nets = finished[1]["nets"]
    assert nets["base"]["latency"] == nets["light"]["latency"]
    assert nets["base"]["latency"]["p50_ms"] != nets["booster"]["latency"]["p50_ms"]
    assert {"disturbed", "steady", "decision", "budget_ms"} <= nets["light"]["latency"].keys()


def test_the_scores_are_those_of_the_exported_light_net(finished):
    folder, metrics = finished
    from rocket_keras.onnx_runtime import onnx_feed, onnx_session

    data = clicks()
    session = onnx_session(folder / "light.onnx")
    logits = session.run(None, onnx_feed(session, data.test.x))[0]
    assert score(logits, data.test)["auc"] == pytest.approx(metrics["nets"]["light"]["test"]["auc"], abs=1e-4)


@pytest.mark.parametrize("name", ["base", "rocket"])
def test_an_interrupted_run_ends_with_the_numbers_of_an_uninterrupted_one(finished, tmp_path, monkeypatch, name):
    from rocket_keras.launch import run

    def stop(self, epoch, logs=None, original=run.Checkpoint.on_epoch_end):
        original(self, epoch, logs)
        if self.folder.name == name and epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run.Checkpoint, "on_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            launch(plan(), tmp_path, seed=1, console=quiet())
    assert not (tmp_path / "metrics.json").exists()
    assert json.loads((tmp_path / "checkpoints" / name / "state.json").read_text())["epoch"] == 2
    assert numbers(launch(plan(), tmp_path, seed=1, console=quiet())) == numbers(finished[1])


def test_a_finished_run_is_not_trained_again(finished):
    folder, metrics = finished
    states = {path: path.stat().st_mtime_ns for path in folder.glob("checkpoints/*/state.json")}
    again = launch(plan(), folder, seed=1, console=quiet())
    assert numbers(again) == numbers(metrics)
    assert len(states) == 3
    assert states == {path: path.stat().st_mtime_ns for path in folder.glob("checkpoints/*/state.json")}


def test_a_folder_of_another_run_is_refused(finished):
    with pytest.raises(ValueError, match=r"holds a run with seed=1, and this one has seed=2. Choose another folder"):
        launch(plan(), finished[0], seed=2, console=quiet())


def test_a_folder_of_a_run_with_another_activation_is_refused(finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    other = dataclasses.replace(plan(), build=lambda: with_tanh(plan().pair()))
    line = r"holds a run with other nets than are built now, in the pair, layer .*: relu before, tanh now"
    with pytest.raises(ValueError, match=line) as caught:
        launch(other, folder, seed=1, console=quiet())
    assert "\n" not in str(caught.value)
    # A folder of an older version knows no nets: they are noted, and compared from then on.
    told = json.loads((folder / "run.json").read_text())
    del told["nets"]
    (folder / "run.json").write_text(json.dumps(told))
    assert numbers(launch(plan(), folder, seed=1, console=quiet())) == numbers(finished[1])
    with pytest.raises(ValueError, match=line):
        launch(other, folder, seed=1, console=quiet())


def test_a_nan_keeps_the_last_good_checkpoint(tmp_path):
    class Fading(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return keras.ops.where(step < 4, 0.01, 1e38)

        def get_config(self):
            return {}

    with pytest.raises(NonFiniteLoss, match="loss"):
        launch(plan(optimizer=lambda steps: keras.optimizers.SGD(Fading())), tmp_path, console=quiet())
    state = json.loads((tmp_path / "checkpoints" / "base" / "state.json").read_text())
    assert state["epoch"] == 1
    assert (tmp_path / "checkpoints" / "base" / state["weights"]).exists()
    assert np.isfinite(state["history"]["loss"]).all()


def test_the_order_depends_on_seed_and_epoch_alone():
    split, net = clicks().train, plan().build().light
    first = Batches(net, split, 32, seed=5)
    orders = []
    for epoch in range(3):
        first.draw(epoch)
        orders.append([first[i][1] for i in range(len(first))])
    later = Batches(net, split, 32, seed=5)
    later.draw(2)
    np.testing.assert_array_equal([later[i][1] for i in range(len(later))], orders[2])
    assert not np.array_equal(orders[0], orders[1])


def test_augmentation_draws_anew_for_each_image_and_batch():
    images = Split(np.zeros((8, 1), "float32"), np.arange(8))
    net = keras.Sequential([keras.Input((1,))])
    augment = Augmentation("named", 10**6, lambda x, choice: x + choice[:, None])
    batches = Batches(net, images, 4, seed=0, augment=augment)
    drawn = np.concatenate([batches[i][0][:, 0] for i in range(2)])
    assert len(set(drawn)) == 8
    assert drawn.min() >= 0
    assert 10**5 < drawn.max() < 10**6
    batches.draw(1)
    assert not set(drawn) & set(batches[0][0][:, 0])


@pytest.mark.parametrize("rows", [1, 7, 16])
def test_predictions_are_filled_up_and_cut(rows):
    pair = zoo.ctr_pair(FEATURES, light_units=(4,), booster_units=(8,))
    x = clicks().test.rows(slice(rows)).x
    expected = keras.ops.convert_to_numpy(pair.light({k: keras.ops.convert_to_tensor(v) for k, v in x.items()}))
    np.testing.assert_allclose(predict_logits(pair.light, x, 8), expected, atol=1e-6)


def test_a_light_net_beside_privileged_features_reads_its_own_columns(tmp_path):
    # The privileged column comes first: matched by position, the light net would take it for the age.
    def build():
        inputs = {name: keras.Input((), name=name) for name in ("a_dwell", "age")}
        columns = {name: keras.layers.Reshape((1,))(tensor) for name, tensor in inputs.items()}
        light = keras.Model({"age": inputs["age"]}, keras.layers.Dense(1, name="head")(columns["age"]), name="light")
        both = keras.layers.Concatenate()(list(columns.values()))
        return Pair(light, keras.Model(inputs, keras.layers.Dense(1)(both), name="booster"), privileged=["a_dwell"])

    def spoilt(split):
        return Split({"a_dwell": np.full(len(split), 1e6, "float32"), "age": split.x["age"]}, split.y, split.groups)

    data = clicks()
    data = dataclasses.replace(
        data, train=spoilt(data.train), validation=spoilt(data.validation), test=spoilt(data.test), features=()
    )
    recipe = dataclasses.replace(plan().recipe, epochs=1, hint_weight=0.0)
    metrics = launch(Plan("privileged", data, build, recipe), tmp_path, console=quiet())
    assert metrics["nets"]["base"]["test"]["log_loss"] < 2
    assert metrics["nets"]["light"]["test"]["log_loss"] < 2


def test_class_scores_equal_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(30, 4)), rng.integers(0, 4, 30)
    got = score(logits, Split(logits, y))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert got["accuracy"] == pytest.approx(metrics.accuracy_score(y, logits.argmax(-1)))
    assert got["log_loss"] == pytest.approx(metrics.log_loss(y, p))


SCRIPT = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_launch import plan, quiet
from rocket_keras.launch import launch
from rocket_keras.launch.batches import Batches
from pathlib import Path

def read(self, index, original=Batches.__getitem__):
    if self.epoch == {killed} and index == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, index)

if {killed} is not None:
    Batches.__getitem__ = read
launch(plan(epochs={epochs}), Path({folder!r}), seed=1, console=quiet())
"""


def test_kill_9_and_the_same_command_end_with_the_same_numbers(tmp_path):
    folder, epochs = tmp_path / "run", 5
    known = {"tests": str(Path(__file__).parent), "epochs": epochs, "folder": str(folder)}
    # In the middle of the third epoch of the first training.
    killed, whole = ([sys.executable, "-c", SCRIPT.format(**known, killed=epoch)] for epoch in (2, None))
    environment = {**os.environ, "PYTHONSAFEPATH": ""}
    assert subprocess.run(killed, env=environment, check=False).returncode == -signal.SIGKILL
    assert json.loads((folder / "checkpoints/base/state.json").read_text())["epoch"] == 2
    subprocess.run(whole, env=environment, check=True)
    straight = launch(plan(epochs=epochs), tmp_path / "straight", seed=1, console=quiet())
    found, expected = leaves(numbers(json.loads((folder / "metrics.json").read_text()))), leaves(numbers(straight))
    assert found.keys() == expected.keys()
    # Sums of a process of its own may be rounded otherwise; a lost optimizer state or another order shows at once.
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_split_of_one_class_is_named_before_anything_is_trained(tmp_path, part):
    data = clicks()
    getattr(data, part).y[:] = 0
    rows = len(getattr(data, part))
    line = f"expected both classes in the {part} labels, received only 0 in {rows} rows"
    with pytest.raises(ValueError, match=line):
        launch(plan(data), tmp_path, console=quiet())
    assert list(tmp_path.iterdir()) == []
