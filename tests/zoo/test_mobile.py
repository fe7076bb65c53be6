import keras
import numpy as np
import pytest

from rocket_keras import Rocket, export_light, multiply_adds
from zoo.mobile import channel_shuffle, mobile_pair


def parameters(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


# Parameters and millions of multiply-adds for 10 classes and 32 x 32 x 3; then both in millions as the authors gave
# them, in paper or code, for 1000 classes and 224 x 224 x 3. Up to the layer named last the published maps are twice as
# high and wide as the later ones suggest: the published nets have two early strides more.
SIZES = [
    ("shufflenet_v2", 0.5, 352_042, 10.9, 1.4, 41, "light_stem"),
    ("shufflenet_v2", 1.0, 1_263_854, 45.0, 2.3, 146, "light_stem"),
    ("mobilenet_v2", 0.35, 408_938, 15.6, 1.7, 59, "light_block_1_expand"),
    ("mobilenet_v2", 1.0, 2_236_682, 88.0, 3.5, 300, "light_block_1_expand"),
]


@pytest.mark.parametrize(("light", "alpha", "count", "millions", "published", "published_work", "early"), SIZES)
def test_sizes_are_the_documented_and_the_published_ones(
    light, alpha, count, millions, published, published_work, early
):
    net = mobile_pair(light, booster_depth=10, alpha=alpha).light
    assert parameters(net) == count
    assert round(multiply_adds(net) / 1e6, 1) == millions
    table = f"| {light} | {alpha} | {count:,} | {millions} M |"
    assert table in mobile_pair.__doc__
    width = net.get_layer("light_pool").output.shape[-1]
    assert round((count + 990 * (width + 1)) / 1e6, 1) == published
    # 224 / 4 is 56 to our 32: every map has (7 / 4)^2 as many positions, the early ones another 4 times as many.
    convolutions = multiply_adds(keras.Model(net.input, net.get_layer("light_pool").output))
    of_early = multiply_adds(keras.Model(net.input, net.get_layer(early).output))
    at_224 = (convolutions + 3 * of_early) * (7 / 4) ** 2 + 1000 * width
    assert at_224 / 1e6 == pytest.approx(published_work, rel=0.015)


@pytest.mark.parametrize("groups", [2, 3])
def test_channel_shuffle_interleaves_the_groups(groups):
    inputs = keras.Input((2, 3, 6))
    net = keras.Model(inputs, channel_shuffle(inputs, groups, "shuffle"))
    x = np.random.default_rng(0).normal(size=(4, 2, 3, 6)).astype("float32")
    order = {2: [0, 3, 1, 4, 2, 5], 3: [0, 2, 4, 1, 3, 5]}[groups]
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(net(x)), x[..., order])


def test_a_unit_passes_half_of_its_channels_on_untouched():
    net = mobile_pair(booster_depth=10, input_shape=(8, 8, 1)).light
    unit = keras.Model(net.input, [net.get_layer(f"light_stage2_unit{i}_shuffled").output for i in (0, 1)])
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype("float32")
    before, after = (keras.ops.convert_to_numpy(out) for out in unit(x))
    # The lower half passes, and the shuffle puts it on the even channels.
    np.testing.assert_array_equal(after[..., ::2], before[..., : before.shape[-1] // 2])
    assert before.std() > 0


@pytest.fixture(scope="module", params=["shufflenet_v2", "mobilenet_v2"])
def trained(request):
    """A small pair after ten steps, images, the logs, and the paths of weights that did not move."""
    keras.utils.set_random_seed(7)
    pair = mobile_pair(request.param, booster_depth=10, num_classes=3, input_shape=(8, 8, 1))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 8, 8, 1)).astype("float32"), rng.integers(0, 3, 80)
    before = [keras.ops.convert_to_numpy(v).copy() for v in pair.joint.weights]
    rocket = Rocket(pair, hint_weight=0.03)
    rocket.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    # Ten steps, so that the BatchNorm statistics are far from their start where ONNX is compared.
    logs = rocket.fit(x, y, batch_size=8, verbose=0).history
    same = [
        v.path
        for v, b in zip(pair.joint.weights, before, strict=True)
        if np.array_equal(keras.ops.convert_to_numpy(v), b)
    ]
    return pair, x[:7], logs, same


def test_a_pair_of_two_families_trains_and_shares_nothing(trained):
    pair, _, logs, same = trained
    assert all(np.isfinite(logs[name][0]) for name in ("light_loss", "booster_loss", "hint_loss"))
    assert same == []
    assert pair.shared_variables == []
    assert {layer.name for layer in pair.light.layers} & {layer.name for layer in pair.booster.layers} == {"images"}
    assert all(layer.name.startswith("light_") for layer in pair.light.layers if layer.name != "images")


def test_the_light_net_is_the_same_detached_saved_and_exported(trained, tmp_path):
    pair, x, _, _ = trained
    before = pair.light.predict(x, verbose=0)
    np.testing.assert_array_equal(pair.detach().predict(x, verbose=0), before)
    # Both compare what they wrote with Keras, to 1e-5.
    for suffix in ("keras", "onnx"):
        assert export_light(pair, tmp_path / f"light.{suffix}", x).exists()


def test_logits_stay_float32_under_mixed_precision():
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        pair = mobile_pair("mobilenet_v2", booster_depth=10, input_shape=(8, 8, 1))
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    assert pair.light.get_layer("light_Conv1").compute_dtype == "bfloat16"
    assert [tensor.dtype for tensor in keras.tree.flatten(pair.joint.output)] == ["float32", "float32"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"light": "squeezenet"}, "`light` to be one of .*'squeezenet'"),
        ({"alpha": 0.35}, r"`alpha` of ShuffleNet-v2 to be one of \[0.5, 1.0, 1.5, 2.0\], received 0.35"),
        ({"light": "mobilenet_v2", "alpha": 0}, "`alpha` of MobileNetV2 to be above 0, received 0"),
        ({"input_shape": (4, 4, 3)}, r"at least 8 x 8, received \(4, 4, 3\)"),
        ({"input_shape": (None, None, 3)}, r"at least 8 x 8, received \(None, None, 3\)"),
        ({"booster_depth": 12, "input_shape": (8, 8, 1)}, "booster_depth must be 6 n \\+ 4"),
    ],
)
def test_bad_arguments_are_named_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        mobile_pair(**arguments)
    assert "\n" not in str(caught.value)
