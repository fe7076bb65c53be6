import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Rocket, export_light, multiply_adds
from rocket_keras.graph import inputs_of
from zoo.cards import card
from zoo.data import Dataset, Split
from zoo.entries import ENTRIES
from zoo.features import PAD
from zoo.image_entries import IMAGE_ENTRIES
from zoo.preset import save_preset


def made_up(entry):
    """A data set of the entry's kind with a few rows, so that every row of the table builds without a download."""
    rng = np.random.default_rng(0)
    if entry in IMAGE_ENTRIES:
        shape = (8, 8, 1) if "digits" in entry.name else (32, 32, 3)
        classes = 100 if "cifar100" in entry.name else 10
        parts = [Split(rng.normal(size=(12, *shape)).astype("float32"), np.arange(12) % classes) for _ in range(3)]
        return Dataset("made up", *parts, num_classes=classes, source="made up")
    features = (
        zoo.Categorical("user_id", 20, side="user"),
        zoo.Categorical("item_id", 30, side="item"),
        zoo.History("history", of="item_id", length=3),
        zoo.Numeric("count", side="item"),
        zoo.Numeric("dwell", side="item", privileged=True),
    )

    def part():
        x = {f.name: rng.integers(0, f.size, 12).astype("int32") for f in features[:2]}
        x["history"] = rng.integers(0, 30, (12, 3)).astype("int32")
        x["history"][::2, 1:] = PAD
        x |= {f.name: rng.normal(size=12).astype("float32") for f in features[3:]}
        return Split(x, (np.arange(12) % 2).astype("float32"), x["user_id"])

    return Dataset("made up", part(), part(), part(), num_classes=2, source="made up", features=features)


def predicted(model, data):
    return keras.ops.convert_to_numpy(model(inputs_of(model, data.test.x), training=False))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_row_builds_and_says_how_it_is_trained(entry):
    data = made_up(entry)
    pair = entry.build(data)
    assert multiply_adds(pair.light) < multiply_adds(pair.booster)
    assert pair.joint.output["light"].shape[-1] == (1 if data.num_classes == 2 else data.num_classes)
    described = entry.recipe.describe(100)
    assert json.loads(json.dumps(described)) == described
    assert described["epochs"] == entry.recipe.epochs
    assert entry.licence
    assert entry.paper


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_variant_builds_and_its_light_net_serves_without_privileged_columns(entry):
    data = made_up(entry)
    own = entry.build(data)
    assert entry.taps is None or entry.taps(own)
    for options in [*entry.variants.values(), *entry.sweep.values()]:
        pair = entry.build(data, **options)
        assert pair.joint.output["light"].shape == own.joint.output["light"].shape
        assert pair.privileged == (("dwell",) if options.get("privileged") else ())
        assert "dwell" not in {tensor.name for tensor in pair.light.inputs}
        for light, booster in entry.taps(pair) if entry.taps else ():
            assert pair.light.get_layer(light).output.shape[:-1] == pair.booster.get_layer(booster).output.shape[:-1]


IMAGES_EACH_TIME = ("wrn10_1.rocket_wrn28_1_digits", "wrn16_1.rocket_wrn40_1_cifar10")
"""The other rows of images take minutes to export, and have nets of the same builders."""


def costly(entry):
    return entry in IMAGE_ENTRIES and entry.name not in IMAGES_EACH_TIME


EACH_ROW = [pytest.param(entry, id=entry.name, marks=pytest.mark.nightly if costly(entry) else ()) for entry in ENTRIES]


@pytest.mark.parametrize("entry", EACH_ROW)
def test_every_row_trains_a_step_detaches_round_trips_and_exports(entry, tmp_path):
    data = made_up(entry)
    pair = entry.build(data)
    rocket = Rocket(pair, entry.recipe.hint(), entry.recipe.hint_weight, light_to_shared=entry.recipe.light_to_shared)
    loss = keras.losses.BinaryCrossentropy if data.num_classes == 2 else keras.losses.SparseCategoricalCrossentropy
    rocket.compile(entry.recipe.optimizer(10), loss(from_logits=True))
    assert np.isfinite(rocket.fit(inputs_of(rocket, data.train.x), data.train.y, verbose=0).history["loss"][0])
    save_preset(pair, tmp_path / "preset")
    again = zoo.load(tmp_path / "preset")
    for mine, other in ((pair.light, again.light), (pair.booster, again.booster), (pair.light, pair.detach())):
        np.testing.assert_array_equal(predicted(mine, data), predicted(other, data))
    assert len(again.shared_variables) == len(pair.shared_variables)
    export_light(again, tmp_path / "light.onnx", data.test.x)  # compares with Keras


@pytest.mark.parametrize("name", zoo.list_entries(pretrained=True))
def test_a_pretrained_row_has_the_nets_and_files_of_its_card(name):
    entry = zoo.get_entry(name)
    metadata = entry.preset().metadata()
    assert entry.weights.light == metadata["files"]["light.weights.h5"]
    assert entry.weights.booster == metadata["files"]["booster.weights.h5"]
    assert (metadata["name"], metadata["method"]) == (entry.name, entry.method)
    pair = zoo.load(name)
    for head, told in metadata["nets"].items():
        net = getattr(pair, head)
        assert sum(np.prod(v.shape) for v in net.trainable_variables) == told["parameters"]
        assert multiply_adds(net) == told["multiply_adds"]
    assert zoo.load_light(name).count_params() == pair.light.count_params()
    assert (Path(zoo.__file__).parent / "cards" / f"{name}.md").read_text(encoding="utf-8") == card(metadata)


def test_the_weights_in_the_package_stay_small():
    folder = Path(zoo.__file__).parent / "weights"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 30e6
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {
        name for name in zoo.list_entries(pretrained=True) if zoo.get_entry(name).weights.url is None
    }


def test_names_are_unique_and_short_names_lead_to_them():
    names = zoo.list_entries()
    assert len(set(names)) == len(names)
    assert {zoo.get_entry(short).name for short in ("digits", "ml1m", "adsim")} <= set(names)
    assert zoo.get_entry(names[0]).name == names[0]


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(KeyError, match="Did you mean 'digits'"):
        zoo.get_entry("digit")


def test_an_entry_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        zoo.get_entry("digits").name = "other"
