"""Trained nets that give targets and learn nothing more."""

import keras
import numpy as np
import pytest

from rocket_keras.layers import Frozen


def net(seed=0):
    keras.utils.set_random_seed(seed)
    x = keras.Input((4,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(6, "relu")(x))
    return keras.Model(x, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(hidden)))


def weights(model):
    return [keras.ops.convert_to_numpy(v.value).copy() for v in model.weights]


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(32, 4)).astype("float32")


def test_it_runs_in_inference_mode_inside_a_training_graph(x):
    frozen = net()
    before = weights(frozen)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Frozen([frozen])(inputs))
    np.testing.assert_allclose(model(x, training=True), frozen(x, training=False), atol=1e-6)
    head = keras.layers.Dense(1)
    trained = keras.Model(inputs, head(model(inputs)))
    trained.compile("sgd", "mse")
    trained.fit(x, np.zeros((32, 1), "float32"), verbose=0)
    assert len(trained.trainable_variables) == len(head.trainable_variables)
    for a, b in zip(before, weights(frozen), strict=True):
        np.testing.assert_array_equal(a, b)


def test_several_nets_give_their_mean(x):
    nets = [net(seed) for seed in range(3)]
    expected = np.mean([n.predict(x, verbose=0) for n in nets], axis=0)
    inputs = keras.Input((4,))
    found = keras.Model(inputs, Frozen(nets)(inputs)).predict(x, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_it_is_saved_with_its_nets(x, tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Frozen([net()])(inputs))
    model.save(tmp_path / "frozen.keras")
    loaded = keras.models.load_model(tmp_path / "frozen.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert loaded.trainable_variables == []


def test_no_net_is_refused():
    with pytest.raises(ValueError, match="at least one model"):
        Frozen([])
