"""The net below a softmax or sigmoid, with the same variables."""

import keras
import numpy as np
import pytest

import rocket_keras as rk
from rocket_keras import Pair
from rocket_keras.layers import Frozen
from rocket_keras.logits import logits_of

L = keras.layers


def functional(units, top):
    inputs = keras.Input((5,))
    return keras.Model(inputs, top(L.Dense(4, "tanh")(inputs)))


def sequential(units, activation):
    return keras.Sequential([keras.Input((5,)), L.Dense(4, "tanh"), L.Dense(units, activation), L.Reshape((units,))])


def nested(units, activation):
    inner = keras.Sequential([keras.Input((4,)), L.Dense(units, activation)])
    return functional(units, lambda x: L.Flatten()(inner(x)))


NETS = {
    "argument": lambda units, name: functional(units, L.Dense(units, name)),
    "layer": lambda units, name: functional(units, lambda x: L.Activation(name)(L.Dense(units)(x))),
    "operation": lambda units, name: functional(units, lambda x: getattr(keras.ops, name)(L.Dense(units)(x))),
    "sequential": sequential,
    "nested": nested,
    "convolution": lambda units, name: functional(
        units, lambda x: L.Flatten()(L.Conv1D(units, 4, activation=name)(L.Reshape((4, 1))(x)))
    ),
}


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize(("units", "name"), [(1, "sigmoid"), (3, "softmax")])
@pytest.mark.parametrize("net", NETS)
def test_the_activation_of_the_logits_is_the_models_output(rows, net, units, name):
    x, _ = rows(8)
    model = NETS[net](units, name)
    logits = rk.logits_of(model)
    np.testing.assert_allclose(numpy(getattr(keras.ops, name)(logits(x))), numpy(model(x)), atol=1e-6)
    assert np.abs(numpy(logits(x)) - numpy(model(x))).max() > 1e-3
    assert {id(v) for v in logits.variables} == {id(v) for v in model.variables}
    assert rk.logits_of(logits) is logits
    bias = model.variables[-1]
    bias.assign(np.linspace(0.5, 2, bias.shape[0]))
    np.testing.assert_allclose(numpy(getattr(keras.ops, name)(logits(x))), numpy(model(x)), atol=1e-6)


def test_the_logits_are_a_model_that_is_saved_and_trained(rows, tmp_path):
    x, y = rows(8)
    logits = rk.logits_of(sequential(3, "softmax"))
    logits.save(tmp_path / "logits.keras")
    loaded = keras.models.load_model(tmp_path / "logits.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), logits.predict(x, verbose=0))
    logits.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    logits.fit(x, y, verbose=0)
    assert np.abs(loaded.predict(x, verbose=0) - logits.predict(x, verbose=0)).max() > 0


@pytest.mark.parametrize("net", NETS)
def test_probabilities_are_refused_as_a_head_and_as_a_teacher(net):
    model = NETS[net](1, "sigmoid")
    other = functional(1, L.Dense(1))
    for make in (lambda: Pair(model, other), lambda: Pair(other, model), lambda: Frozen([model])):
        with pytest.raises(ValueError, match=r"applies sigmoid. Give rk.logits_of\(model\)") as caught:
            make()
        assert "\n" not in str(caught.value)
    Frozen([rk.logits_of(model)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: functional(1, lambda x: L.SimpleRNN(1, activation="sigmoid")(L.Reshape((4, 1))(x))), "SimpleRNN"),
        (lambda: functional(1, lambda x: [L.Dense(1)(x), L.Dense(1)(x)]), "one output"),
        (lambda: keras.Sequential([L.Dense(1, "sigmoid")]), "no input yet"),
    ],
)
def test_what_cannot_be_done_is_refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        logits_of(make())
    assert "\n" not in str(caught.value)


TOPS = {
    "a linear activation above": lambda x: keras.layers.Activation("linear", dtype="float32")(
        keras.layers.Dense(3, activation="softmax")(x)
    ),
    "a layer as activation": lambda x: keras.layers.Dense(3, activation=keras.layers.Softmax())(x),
    "an activation layer as activation": lambda x: keras.layers.Dense(3, activation=keras.layers.Activation("softmax"))(
        x
    ),
    "dropout above": lambda x: keras.layers.Dropout(0.5)(keras.layers.Dense(3, activation="softmax")(x)),
}


@pytest.mark.parametrize("top", TOPS)
def test_probabilities_are_seen_below_what_leaves_them(top):
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, TOPS[top](inputs))
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    logits = logits_of(model).predict(x, verbose=0)
    assert logits.min() < 0
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(keras.ops.convert_to_tensor(logits)))
    np.testing.assert_allclose(expected, model.predict(x, verbose=0), atol=1e-6)
    with pytest.raises(ValueError, match=r"must end in logits.*rk\.logits_of"):
        Frozen([model])
