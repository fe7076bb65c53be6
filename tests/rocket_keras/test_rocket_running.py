"""Rocket trains alike however it is run: eagerly, compiled, in mixed precision, on every source of data."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import Pair

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rocket.py")))
compiled, values = helpers["compiled"], helpers["values"]


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"jit_compile": False}], ids=str)
@pytest.mark.parametrize("light_to_shared", [True, False])
def test_uncompiled_steps_equal_compiled_ones(make_pair, rows, options, light_to_shared):
    def weights(**kwargs):
        keras.utils.set_random_seed(6)
        pair = make_pair()
        x, y = rows()
        compiled(pair, light_to_shared=light_to_shared, **kwargs).fit(x, y, shuffle=False, verbose=0)
        return values(pair.joint.trainable_variables)

    for a, b in zip(weights(**options), weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_several_steps_an_execution_equal_single_ones(make_pair, rows, light_to_shared):
    def weights(**kwargs):
        keras.utils.set_random_seed(6)
        pair = make_pair()
        rocket = compiled(pair, light_to_shared=light_to_shared, **kwargs)
        rocket.fit(*rows(64), batch_size=8, shuffle=False, verbose=0)
        return values(pair.joint.trainable_variables), int(rocket.step)

    try:
        several, steps = weights(steps_per_execution=4)
    except ValueError as error:
        pytest.skip(f"Keras: {error}")
    assert steps == 8
    for a, b in zip(several, weights()[0], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("light_to_shared", [True, False])
def test_jit_compiled_steps_equal_others(make_pair, rows, light_to_shared):
    def weights(jit_compile):
        keras.utils.set_random_seed(6)
        pair = make_pair()
        compiled(pair, light_to_shared=light_to_shared, jit_compile=jit_compile).fit(*rows(), shuffle=False, verbose=0)
        return values(pair.joint.trainable_variables)

    for a, b in zip(weights(True), weights(False), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_mixed_precision_trains_and_hints_in_float32(make_pair, rows, light_to_shared):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        rocket = compiled(make_pair(), hint_weight=0.5, light_to_shared=light_to_shared)
        logs = rocket.fit(*rows(64), epochs=3, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert logs["loss"][-1] < logs["loss"][0]


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_float16_scales_the_loss(make_pair, rows, light_to_shared):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        rocket = compiled(make_pair(), hint_weight=0.5, light_to_shared=light_to_shared)
        assert type(rocket.optimizer).__name__ == "LossScaleOptimizer"
        logs = rocket.fit(*rows(64), epochs=4, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert logs["loss"][-1] < logs["loss"][0]


def test_float16_without_scaling_is_what_was_asked_for(make_pair, rows, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        rocket = compiled(make_pair(), auto_scale_loss=False)
        assert isinstance(rocket.optimizer, keras.optimizers.SGD)
        rocket.fit(*rows(8), verbose=0)
        rocket.save(tmp_path / "rocket.keras")
        loaded = keras.models.load_model(tmp_path / "rocket.keras")
        assert isinstance(loaded.optimizer, keras.optimizers.SGD)
    finally:
        keras.config.set_dtype_policy("float32")


def test_predict_leaves_the_taps_out(make_pair, rows):
    plain = make_pair()
    hidden = plain.booster.get_layer("booster_hidden").output
    pair = Pair(light=plain.light, booster=plain.booster, taps={"hidden": hidden})
    x, _ = rows(5)
    assert set(pair.joint(x)) == {"light", "booster", "hidden"}
    assert set(compiled(pair).predict(x, verbose=0)) == {"light", "booster"}


class Rows(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x) // 8

    def __getitem__(self, index):
        part = slice(index * 8, index * 8 + 8)
        return self.x[part], self.y[part]


def torch_loader(x, y):
    data = pytest.importorskip("torch.utils.data", reason="PyTorch's DataLoader needs PyTorch")
    torch = pytest.importorskip("torch")
    return data.DataLoader(data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=8)


def tf_dataset(x, y):
    tf = pytest.importorskip("tensorflow", reason="tf.data needs TensorFlow")
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


@pytest.mark.parametrize("source", [Rows, torch_loader, tf_dataset], ids=["PyDataset", "DataLoader", "tf.data"])
def test_every_data_source_trains_as_arrays_do(make_pair, rows, source):
    x, y = rows(32)

    def weights(*data, **kwargs):
        keras.utils.set_random_seed(6)
        pair = make_pair()
        compiled(pair).fit(*data, shuffle=False, verbose=0, **kwargs)
        return values(pair.joint.trainable_variables)

    for a, b in zip(weights(source(x, y)), weights(x, y, batch_size=8), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
