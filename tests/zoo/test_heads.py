import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Pair, Rocket, export_light
from rocket_keras.export import made_up_rows
from rocket_keras.graph import inputs_of
from zoo.heads import replace_head, without_head
from zoo.mobile import mobile_pair
from zoo.wide_resnet import group_taps

FEATURES = [zoo.Categorical("user", 9, side="user"), zoo.Categorical("ad", 5, side="item")]


def wide_resnet(sharing):
    return zoo.wide_resnet_pair(10, 16, num_classes=3, input_shape=(8, 8, 1), sharing=sharing)


def ctr(**options):
    features = [*FEATURES, zoo.Numeric("dwell", privileged=True)]
    return zoo.ctr_pair(features, light_units=(4,), booster_units=(8, 4), **options)


def of_two_inputs():
    """Each net has an input of its own, and both begin with one layer."""
    bottom, nets = keras.layers.Dense(6, "tanh", name="bottom"), []
    for width in (4, 8):
        x = keras.Input((5,))
        nets.append(keras.Model(x, keras.layers.Dense(3)(keras.layers.Dense(width)(bottom(x)))))
    return Pair(light=nets[0], booster=nets[1])


def of_sequential_nets():
    nets = [[keras.Input((5,)), keras.layers.Dense(width), keras.layers.Dense(3)] for width in (4, 8)]
    return Pair(light=keras.Sequential(nets[0]), booster=keras.Sequential(nets[1]))


def of_one_head():
    """Both nets end in the same dense layer."""
    x, head = keras.Input((5,)), keras.layers.Dense(3, name="head")
    light = keras.Model(x, head(keras.layers.Dense(4, name="narrow")(x)), name="light")
    deep = keras.layers.Dense(4, name="deep1")(keras.layers.Dense(8, "tanh", name="deep0")(x))
    return Pair(light=light, booster=keras.Model(x, head(deep), name="booster"))


BUILDERS = {
    "interval": lambda: wide_resnet("interval"),
    "bottom": lambda: wide_resnet("bottom"),
    "no sharing": lambda: wide_resnet("none"),
    "mobile": lambda: mobile_pair(booster_depth=10, num_classes=3, input_shape=(8, 8, 1)),
    "ctr": ctr,
    "ctr, bottom": lambda: ctr(bottom_units=(6,)),
    "two inputs": of_two_inputs,
    "sequential": of_sequential_nets,
    "one head": of_one_head,
    "rebuilt": lambda: Pair.from_config(wide_resnet("interval").get_config()),
}


def with_weights(pair):
    """Give every weight, BatchNorm statistics among them, values that no initializer gives."""
    rng = np.random.default_rng(1)
    pair.joint.set_weights([rng.uniform(0.1, 0.3, w.shape).astype("float32") for w in pair.joint.get_weights()])
    return pair


def predict(model, x):
    return keras.ops.convert_to_numpy(model(inputs_of(model, x), training=False))


def shared(pair):
    """Paths of all weights, statistics among them, that both nets use."""
    of_booster = {id(v) for v in pair.booster.weights}
    return sorted(v.path for v in pair.light.weights if id(v) in of_booster)


def calls(model):
    return {layer["name"]: len(layer["inbound_nodes"]) for layer in model.get_config()["layers"]}


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_everything_below_the_heads_stays(build):
    old = with_weights(build())
    new = replace_head(old, 4)
    x = made_up_rows(old.joint, 6)
    for before, after in ((old.light, new.light), (old.booster, new.booster)):
        np.testing.assert_array_equal(predict(without_head(after), x), predict(without_head(before), x))
        assert predict(after, x).shape == (6, 4)
        assert after.name == before.name
    assert shared(new) == shared(old)
    assert calls(new.joint) == calls(old.joint)
    assert new.privileged == old.privileged
    assert not {id(v) for v in new.joint.weights} & {id(v) for v in old.joint.weights}


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_features_are_what_the_dense_layer_reads(build):
    pair = with_weights(build())
    x = made_up_rows(pair.joint, 6)
    for model in (pair.light, pair.booster):
        kernel, bias = model.get_layer(model.output_names[0]).get_weights()
        features = without_head(model)
        np.testing.assert_allclose(predict(features, x) @ kernel + bias, predict(model, x), rtol=1e-5, atol=1e-6)
        assert {id(v) for v in features.weights} < {id(v) for v in model.weights}


def test_new_nets_on_the_features_of_both_compute_the_shared_part_once():
    old = wide_resnet("interval")
    features = [without_head(model) for model in (old.light, old.booster)]
    light, booster = (keras.Model(f.input, keras.layers.Dense(4, name=f"{f.name}_top")(f.output)) for f in features)
    new = calls(Pair(light=light, booster=booster).joint)
    assert {name: count for name, count in calls(old.joint).items() if name in new} == {
        name: count for name, count in new.items() if not name.endswith("_top")
    }


@pytest.mark.parametrize("name", ["interval", "ctr", "two inputs", "one head"])
def test_a_new_pair_trains_and_round_trips(name, tmp_path):
    pair = replace_head(BUILDERS[name](), 4)
    x, y = made_up_rows(pair.joint, 8), np.arange(8) % 4
    rocket = Rocket(pair)
    rocket.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert np.isfinite(rocket.fit(x, y, verbose=0).history["loss"]).all()
    again = Pair.from_config(pair.get_config())
    again.joint.set_weights(pair.joint.get_weights())
    for model, other in ((pair.light, again.light), (pair.booster, again.booster), (pair.light, pair.detach())):
        np.testing.assert_array_equal(predict(other, x), predict(model, x))
    # Both compare what they wrote with Keras, to 1e-5.
    for suffix in ("keras", "onnx"):
        assert export_light(pair, tmp_path / f"light.{suffix}", x).exists()


def test_only_the_new_heads_train_above_frozen_features():
    pair = replace_head(with_weights(wide_resnet("interval")), 4)
    for net in (pair.light, pair.booster):
        without_head(net).trainable = False
    heads = {"light_logits/kernel", "light_logits/bias", "booster_logits/kernel", "booster_logits/bias"}
    assert {v.path for v in pair.joint.trainable_variables} == heads
    before = {v.path: keras.ops.convert_to_numpy(v).copy() for v in pair.joint.weights}
    rocket = Rocket(pair)
    rocket.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rocket.fit(made_up_rows(pair.joint, 8), np.arange(8) % 4, verbose=0)
    moved = {v.path for v in pair.joint.weights if not np.array_equal(keras.ops.convert_to_numpy(v), before[v.path])}
    assert moved == heads


def test_taps_stay_and_one_on_the_logits_follows_the_head():
    pair = with_weights(wide_resnet("interval"))
    names = [name for tap in group_taps(pair) for name in tap]
    pair = pair.with_taps([*names, "light_logits"])
    new = replace_head(pair, 4)
    assert new.tap_names == pair.tap_names
    x = made_up_rows(pair.joint, 6)
    before, after = (keras.tree.map_structure(keras.ops.convert_to_numpy, p.joint(x)) for p in (pair, new))
    for name in names:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    np.testing.assert_array_equal(after["light_logits"], after["light"])


def test_heads_are_fresh_and_keep_their_options():
    def head(name):
        return keras.layers.Dense(3, use_bias=False, kernel_regularizer="l2", dtype="mixed_bfloat16", name=name)

    x = keras.Input((5,))
    light = keras.Model(x, head("small")(keras.layers.Dense(4)(x)))
    pair = Pair(light=light, booster=keras.Model(x, head("big")(keras.layers.Dense(8)(x))))
    pair.joint.trainable = False
    new = replace_head(pair, 3)
    for name in ("small", "big"):
        old, fresh = pair.joint.get_layer(name), new.joint.get_layer(name)
        assert {**fresh.get_config(), "trainable": False} == old.get_config()
        assert fresh.trainable
        assert not np.array_equal(fresh.get_weights()[0], old.get_weights()[0])


def towers(**nets):
    return zoo.ctr_pair(FEATURES, light_units=(4,), booster_units=(8,), **nets)


def read_by_the_booster():
    x = keras.Input((5,))
    logits = keras.layers.Dense(3, name="light_logits")(x)
    hidden = keras.layers.Dense(8, name="hidden")(keras.layers.Concatenate(name="both")([x, logits]))
    return Pair(light=keras.Model(x, logits), booster=keras.Model(x, keras.layers.Dense(3)(hidden)))


def of_an_operation():
    x = keras.Input((5,))
    booster = keras.Model(x, keras.layers.Dense(3)(keras.layers.Dense(8)(x)))
    return Pair(light=keras.Model(x, keras.ops.multiply(keras.layers.Dense(3)(x), 2.0)), booster=booster)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: zoo.ctr_pair(FEATURES, light="two_tower", light_units=(4,)),
            "the light net .*Rescaling 'light_logits'",
        ),
        (lambda: zoo.ctr_pair(FEATURES, booster="mlp_ensemble"), "the booster net .*Average 'booster_logits'"),
        (of_an_operation, "the light net to end in .*received an operation 'multiply"),
        (read_by_the_booster, "no layer above the logits, received 'both', which reads 'light_logits'"),
    ],
)
def test_other_ends_are_refused_in_one_line(build, message):
    with pytest.raises(ValueError, match=message) as caught:
        replace_head(build(), 4)
    assert "\n" not in str(caught.value)


def test_a_net_without_a_dense_end_has_no_features():
    with pytest.raises(ValueError, match=r"the net 'light' to end in a keras\.layers\.Dense"):
        without_head(towers(light="two_tower").light)


@pytest.mark.parametrize("num_classes", [0, True, 2.0, "3"])
def test_a_number_of_classes_is_a_whole_number(num_classes, make_pair):
    with pytest.raises(ValueError, match=f"received {num_classes!r}"):
        replace_head(make_pair(), num_classes)
