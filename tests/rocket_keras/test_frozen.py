"""Frozen nets: the same in every mode, and never moved."""

import keras
import numpy as np
import pytest

from rocket_keras import Pair, Rocket, hints
from rocket_keras.layers import Frozen

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def net(seed=0, first="low"):
    """Dropout and BatchNorm, with statistics that are not the fresh ones."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5,), name="x")
    x = keras.layers.Dense(6, "tanh", name=first)(inputs)
    x = keras.layers.Dropout(0.5)(x)
    norm = keras.layers.BatchNormalization(momentum=0.5)
    built = keras.Model(inputs, keras.layers.Dense(3)(norm(x)))
    norm.moving_mean.assign(np.linspace(-1, 1, 6))
    norm.moving_variance.assign(np.linspace(0.5, 2, 6))
    return built


def arrays(layer):
    return [np.array(w) for w in layer.get_weights()]


def numpy(tensors):
    return keras.tree.map_structure(lambda t: keras.ops.convert_to_numpy(t), tensors)


def test_training_mode_changes_nothing(rows):
    x, y = rows(16)
    inner = net()
    expected = numpy(inner(x, training=False))
    frozen = Frozen([inner])
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Dense(3)(frozen(inputs)))
    np.testing.assert_allclose(numpy(frozen(x, training=True)), expected, atol=1e-6)
    before, head = arrays(frozen), arrays(model.layers[-1])
    model.compile(keras.optimizers.SGD(0.5), LOSS)
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert len(before) == 8
    assert all(np.array_equal(a, b) for a, b in zip(before, arrays(frozen), strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(head, arrays(model.layers[-1]), strict=True))


def test_nothing_of_it_is_trainable():
    inner = net()
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Dense(3, name="own")(Frozen([inner])(inputs)))
    assert inner.trainable_variables == []
    assert [v.path for v in model.trainable_variables] == ["own/kernel", "own/bias"]
    # A frozen net stays frozen where all around it is made trainable.
    model.get_layer("own").trainable = True
    assert len(model.trainable_variables) == 2


def test_several_nets_say_their_mean(rows):
    x, _ = rows(4)
    nets = [net(seed) for seed in range(3)]
    expected = np.mean([numpy(n(x, training=False)) for n in nets], axis=0)
    np.testing.assert_allclose(numpy(Frozen(nets)(x)), expected, atol=1e-6)


def test_outputs_in_a_dict_keep_their_names(rows):
    x, _ = rows(4)
    tapped = []
    for seed in range(2):
        inner = net(seed)
        tapped.append(keras.Model(inner.input, {"logits": inner.output, "low": inner.get_layer("low").output}))
    said, each = numpy(Frozen(tapped)(x)), [numpy(n(x, training=False)) for n in tapped]
    assert set(said) == {"logits", "low"}
    for name in said:
        np.testing.assert_allclose(said[name], (each[0][name] + each[1][name]) / 2, atol=1e-6)


def test_it_is_saved_with_its_nets(rows, tmp_path):
    x, _ = rows(4)
    inputs = keras.Input((5,))
    model = keras.Model(inputs, Frozen([net(1), net(2)], name="teachers")(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    again = loaded.get_layer("teachers")
    assert (len(again.nets), again.trainable, again.trainable_variables) == (2, False, [])


def test_no_net_is_refused():
    with pytest.raises(ValueError, match="at least one model"):
        Frozen([])


def test_what_trains_is_no_frozen_layer():
    with pytest.raises(ValueError, match="expected no trainable=True"):
        Frozen([net()], trainable=True)


def test_a_layer_of_the_teacher_may_have_the_name_of_one_that_learns(rows):
    # PyTorch knows variables by path: a twin's gradients were once added up from step to step.
    def light_weights(teachers_layer):
        teacher = net(1, teachers_layer)
        keras.utils.set_random_seed(2)
        inputs = keras.Input((5,), name="x")
        hidden = keras.layers.Dense(6, "tanh", name="low")(inputs)
        light = keras.Model(inputs, keras.layers.Dense(3, name="light_logits")(hidden), name="light")
        booster = keras.Model(inputs, Frozen([teacher], name="teachers")(inputs), name="booster")
        rocket = Rocket(Pair(light, booster), hints.SquaredLogitHint(), 0.5)
        rocket.compile(keras.optimizers.SGD(0.1), LOSS)
        rocket.fit(*rows(32), batch_size=8, shuffle=False, verbose=0)
        return arrays(light)

    for a, b in zip(light_weights("low"), light_weights("another"), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
