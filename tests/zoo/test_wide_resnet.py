import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Rocket, multiply_adds
from zoo.wide_resnet import group_taps


def parameters(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


# Parameters and millions of multiply-adds per 32x32 image: the table of the published nets.
SIZES = [
    ({"light_depth": 16, "booster_depth": 40, "width": 1, "sharing": "interval"}, (175_066, 26.7), (563_930, 83.3)),
    ({"light_depth": 16, "booster_depth": 40, "width": 2, "sharing": "interval"}, (691_674, 101.1), (2_243_546, 327.6)),
    ({"light_depth": 16, "booster_depth": 40, "width": 1, "sharing": "bottom"}, (136_090, 56.0), (563_930, 83.3)),
    ({"light_depth": 16, "booster_depth": 40, "width": 1, "sharing": "none"}, (175_066, 26.7), (563_930, 83.3)),
]


@pytest.mark.parametrize(("arguments", "light", "booster"), SIZES, ids=lambda v: str(v))
def test_sizes_are_the_published_ones(arguments, light, booster):
    pair = zoo.wide_resnet_pair(**arguments)
    for model, (count, millions) in ((pair.light, light), (pair.booster, booster)):
        assert parameters(model) == count
        assert round(multiply_adds(model) / 1e6, 1) == millions


def small(sharing, **options):
    return zoo.wide_resnet_pair(10, 16, input_shape=(8, 8, 1), sharing=sharing, **options)


def kernels(model):
    return {id(layer.kernel) for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}


def norms(model):
    return {id(layer) for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}


@pytest.mark.parametrize("sharing", ["interval", "bottom", "none"])
def test_convolutions_are_shared_norms_and_heads_never(sharing):
    pair = small(sharing)
    assert kernels(pair.light) & kernels(pair.booster) == (set() if sharing == "none" else kernels(pair.light))
    assert not norms(pair.light) & norms(pair.booster)
    assert {id(v) for v in pair.shared_variables} == kernels(pair.light) & kernels(pair.booster)


def test_interval_takes_the_lowest_blocks_of_every_group():
    shared = {v.path.split("/")[0] for v in small("interval").shared_variables}
    blocks = {name.rsplit("_", 1)[0] for name in shared - {"shared_stem"}}
    assert blocks == {f"booster_group{g}_block0" for g in range(3)}


def test_bottom_takes_the_first_two_groups_whole():
    shared = {v.path.split("/")[0] for v in small("bottom").shared_variables}
    blocks = {name.rsplit("_", 1)[0] for name in shared - {"shared_stem"}}
    assert blocks == {f"booster_group{g}_block{b}" for g in range(2) for b in range(2)}


@pytest.mark.parametrize("sharing", ["interval", "bottom"])
def test_the_stem_is_computed_once(sharing):
    pair = small(sharing)
    joint = pair.joint.get_config()["layers"]
    (stem,) = [layer for layer in joint if layer["name"] == "shared_stem"]
    assert len(stem["inbound_nodes"]) == 1


def test_the_light_net_works_alone_after_training_the_pair(tmp_path):
    pair = small("interval")
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype("float32")
    pair.joint(x, training=True)
    before = pair.light.predict(x, verbose=0)
    np.testing.assert_allclose(pair.joint.predict(x, verbose=0)["light"], before, atol=1e-5)
    pair.light.save(tmp_path / "light.keras")
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "light.keras").predict(x, verbose=0), before, atol=1e-6
    )


@pytest.mark.parametrize(("sharing", "groups"), [("interval", 3), ("bottom", 2), ("none", 3)])
def test_group_taps_are_the_last_blocks_outputs(sharing, groups):
    pair = small(sharing)
    last = 1 if sharing == "bottom" else 0
    taps = group_taps(pair)
    assert taps == tuple((f"light_group{g}_block{last}_add", f"booster_group{g}_block1_add") for g in range(groups))
    outputs = pair.with_taps([name for tap in taps for name in tap]).joint.output
    shapes = [[outputs[name].shape[1:] for name in tap] for tap in taps]
    assert shapes == [[(8 // 2**g, 8 // 2**g, 16 * 2**g)] * 2 for g in range(groups)]


def test_the_last_block_of_ten_is_found():
    taps = group_taps(zoo.wide_resnet_pair(10, 70, input_shape=(8, 8, 1)))
    assert taps[0] == ("light_group0_block0_add", "booster_group0_block10_add")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"light_depth": 15}, "6 n \\+ 4"),
        ({"light_depth": 22, "booster_depth": 16}, "must not be deeper"),
        ({"sharing": "top"}, "sharing must be"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.wide_resnet_pair(**arguments)


@pytest.mark.parametrize(
    ("sharing", "blocks"),
    [
        ("interval", {"group0_block1", "group1_block1", "group2_block1"}),
        ("bottom", {"group2_block0", "group2_block1"}),
        ("none", {f"group{g}_block{b}" for g in range(3) for b in range(2)}),
    ],
)
def test_dropout_is_in_the_blocks_that_the_booster_has_alone(sharing, blocks):
    pair = small(sharing, booster_dropout=0.2)
    dropping = {layer.name: layer.rate for layer in pair.joint.layers if isinstance(layer, keras.layers.Dropout)}
    assert dropping == {f"booster_{block}_dropout": 0.2 for block in blocks}
    assert not [layer for layer in small(sharing).joint.layers if isinstance(layer, keras.layers.Dropout)]


def test_dropout_drops_in_training_alone():
    pair = small("bottom", booster_dropout=0.5)
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype("float32")

    def outputs(training):
        # BatchNorm differs in training too, so one dropout is looked at alone.
        names = ["booster_group2_block0_relu2", "booster_group2_block0_dropout"]
        probe = keras.Model(pair.booster.input, [pair.booster.get_layer(name).output for name in names])
        return [keras.ops.convert_to_numpy(v) for v in probe(images, training=training)]

    before, after = outputs(training=True)
    assert np.mean(after == 0) - np.mean(before == 0) > 0
    before, after = outputs(training=False)
    np.testing.assert_array_equal(before, after)


def test_a_pair_with_dropout_trains():
    pair = small("interval", booster_dropout=0.2)
    rocket = Rocket(pair)
    rocket.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).normal(size=(16, 8, 8, 1)).astype("float32")
    history = rocket.fit(images, np.arange(16) % 10, batch_size=8, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_dropout_of_all_or_less_than_nothing_is_refused(share):
    with pytest.raises(ValueError, match=f"`booster_dropout` from 0 to below 1, received {share}"):
        small("interval", booster_dropout=share)
