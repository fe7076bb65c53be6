import copy
import pickle

import keras
import numpy as np
import pytest

from rocket_keras import Pair, Rocket


def dense(units, name=None, activation=None):
    return keras.layers.Dense(units, activation, name=name)


def test_partition_is_complete_and_disjoint(make_pair):
    pair = make_pair()
    parts = [pair.shared_variables, pair.light_variables, pair.booster_variables]
    ids = [id(v) for part in parts for v in part]
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(v) for v in pair.joint.trainable_variables}
    assert [len(part) for part in parts] == [2, 2, 4]


def test_light_holds_no_variable_of_the_boosters_own(make_pair):
    pair = make_pair()
    own = {id(v) for v in pair.booster_variables}
    assert own
    assert not own & {id(v) for v in pair.light.variables}


def test_joint_equals_the_two_models(make_pair, rows):
    pair = make_pair()
    x, _ = rows()
    joint = pair.joint.predict(x, verbose=0)
    np.testing.assert_allclose(joint["light"], pair.light.predict(x, verbose=0), atol=1e-6)
    np.testing.assert_allclose(joint["booster"], pair.booster.predict(x, verbose=0), atol=1e-6)


class CountCalls(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x, training=None):
        if training:
            self.calls.assign_add(1.0)
        return x


def test_models_with_inputs_of_their_own_are_merged_and_a_shared_layer_runs_once(rows):
    bottom, count, taps = dense(8, "bottom", "relu"), CountCalls(), {}

    def model(name, units):
        inputs = keras.Input((5,))
        taps[name] = dense(units, f"{name}_hidden", "relu")(count(bottom(inputs)))
        return keras.Model(inputs, dense(3)(taps[name]), name=name)

    pair = Pair(light=model("light", 4), booster=model("booster", 16), taps={"booster_hidden": taps["booster"]})
    x, _ = rows(6)
    outputs = pair.joint(x, training=True)
    assert float(count.calls) == 1.0
    assert tuple(outputs["booster_hidden"].shape) == (6, 16)
    np.testing.assert_allclose(pair.joint.predict(x, verbose=0)["light"], pair.light.predict(x, verbose=0), atol=1e-6)
    assert len(pair.shared_variables) == 2


def test_inputs_are_the_union_and_privileged_ones_stay_with_the_booster():
    user, dwell = keras.Input((4,), name="user"), keras.Input((2,), name="dwell")
    light = keras.Model({"user": user}, dense(1)(user))
    booster = keras.Model({"user": user, "dwell": dwell}, dense(1)(keras.layers.Concatenate()([user, dwell])))
    pair = Pair(light=light, booster=booster, privileged=["dwell"])
    assert [t.name for t in pair.light.inputs] == ["user"]
    outputs = pair.joint({"user": np.ones((3, 4)), "dwell": np.ones((3, 2))})
    assert set(outputs) == {"light", "booster"}
    with pytest.raises(ValueError, match="must serve without the privileged inputs, but it needs \\['user'\\]"):
        Pair(light=light, booster=booster, privileged=["user"])


def test_detach_is_a_copy_with_variables_of_its_own(make_pair, rows):
    pair = make_pair()
    x, _ = rows()
    before = pair.light.predict(x, verbose=0)
    alone = pair.detach()
    pair.light.set_weights([w * 0 for w in pair.light.get_weights()])
    np.testing.assert_array_equal(alone.predict(x, verbose=0), before)


def test_sequential_models_make_a_pair():
    bottom = dense(6)
    light = keras.Sequential([keras.Input((5,)), bottom, dense(2)])
    booster = keras.Sequential([keras.Input((5,)), bottom, dense(9, activation="relu"), dense(2)])
    assert len(Pair(light=light, booster=booster).shared_variables) == 2


def build(*widths, last=None, shape=(5,)):
    inputs = keras.Input(shape)
    x = inputs
    for width in widths[:-1]:
        x = dense(width)(x)
    return keras.Model(inputs, dense(widths[-1], activation=last)(x))


class Subclassed(keras.Model):
    def call(self, x):
        return x


def light_on_top_of_the_booster():
    booster = build(8, 3)
    return keras.Model(booster.inputs, dense(3)(booster.outputs[0])), booster


@pytest.mark.parametrize(
    ("light", "booster", "message"),
    [
        (lambda: build(2), lambda: build(8, 3), "logits of one shape"),
        (lambda: build(3, last="softmax"), lambda: build(8, 3), "light model must end in logits.*softmax"),
        (lambda: build(3), lambda: build(8, 3, last="sigmoid"), "booster model must end in logits.*sigmoid"),
        (lambda: Subclassed(), lambda: build(8, 3), "subclassed and has no graph"),
        (lambda: keras.Sequential([dense(3)]), lambda: build(8, 3), "has no input yet"),
        (lambda: "net", lambda: build(8, 3), "must be a keras.Model"),
        (lambda: build(3, shape=(4,)), lambda: build(8, 3), "in one shape and dtype"),
    ],
    ids=["logits", "softmax", "sigmoid", "subclassed", "unbuilt", "no model", "input shape"],
)
def test_refusals_say_what_is_wrong(light, booster, message):
    with pytest.raises(ValueError, match=message):
        Pair(light=light(), booster=booster())


def test_a_light_net_that_contains_the_booster_is_refused():
    light, booster = light_on_top_of_the_booster()
    with pytest.raises(ValueError, match="holds every variable of the booster"):
        Pair(light=light, booster=booster)


def test_a_softmax_layer_at_the_end_is_refused():
    inputs = keras.Input((5,))
    light = keras.Model(inputs, keras.layers.Softmax()(dense(3)(inputs)))
    with pytest.raises(ValueError, match="applies softmax"):
        Pair(light=light, booster=build(8, 3))


@pytest.mark.parametrize("nested", [False, True])
def test_an_operation_at_the_end_is_seen_also_inside_of_a_net(nested):
    inputs = keras.Input((5,))
    light = keras.Model(inputs, keras.ops.sigmoid(dense(3)(inputs)))
    if nested:
        light = keras.Model(inputs, light(inputs))
    with pytest.raises(ValueError, match="applies sigmoid"):
        Pair(light=light, booster=build(8, 3))


def test_a_tap_must_not_take_the_name_of_a_head(make_pair):
    pair = make_pair()
    with pytest.raises(ValueError, match="must not be called 'light'"):
        Pair(light=pair.light, booster=pair.booster, taps={"light": pair.light.outputs[0]})


def test_an_unknown_argument_of_from_joint_is_refused(make_pair):
    with pytest.raises(TypeError, match="privilege"):
        Pair.from_config({**make_pair().get_config(), "privilege": ["x"]})


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["copy", "pickle"]
)
def test_a_copied_pair_is_one_graph(make_pair, rows, again):
    x, y = rows(16)
    pair = make_pair()
    twin = again(pair)
    np.testing.assert_allclose(twin.light.predict(x, verbose=0), pair.light.predict(x, verbose=0), atol=1e-6)
    for part in ("shared", "light", "booster"):
        assert len(getattr(twin, f"{part}_variables")) == len(getattr(pair, f"{part}_variables"))
    rocket = Rocket(twin)
    rocket.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    rocket.fit(x, y, epochs=3, verbose=0)
    np.testing.assert_array_equal(twin.light.predict(x, verbose=0), rocket.predict(x, verbose=0)["light"])
    assert not np.array_equal(twin.light.predict(x, verbose=0), pair.light.predict(x, verbose=0))
