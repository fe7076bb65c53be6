"""Columns by name in streams, exports, teachers and groups, of inputs of any structure, and what is refused."""

import pickle
import runpy
from collections import OrderedDict
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest

import rocket_keras as rk
from rocket_keras.columns_by_name import by_name
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import NumberField
from rocket_keras.graph import inputs_of
from rocket_keras.streaming import Stream, iter_batches, read_log

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_columns.py")))
BOTH, COLUMNS, DENSE, LIGHT, LOSS, WITH_TEXTS, Y, compiled, gauc, log_of_training, make_pair, same, unpaired = (
    helpers[name]
    for name in (
        "BOTH",
        "COLUMNS",
        "DENSE",
        "LIGHT",
        "LOSS",
        "WITH_TEXTS",
        "Y",
        "compiled",
        "gauc",
        "log_of_training",
        "make_pair",
        "same",
        "unpaired",
    )
)


@pytest.mark.parametrize("part", ["x", "validation_data"])
@pytest.mark.parametrize("kind", ["rocket", "fleet"])
def test_arrays_to_train_on_must_have_no_further_column(kind, part):
    model = compiled(rk.Rocket(make_pair()) if kind == "rocket" else rk.Fleet([make_pair()]))
    x = {name: COLUMNS[name] for name in BOTH}
    options = {"validation_data": (COLUMNS, Y)} if part == "validation_data" else {}
    with pytest.raises(ValueError, match=r"Missing: \[\]; too many: \['aaa', 'zeal'\]"):
        model.fit(COLUMNS if part == "x" else x, Y, verbose=0, **options)


def test_validation_data_of_one_net_are_read_by_name():
    light, again = (compiled(make_pair().light, run_eagerly=True) for _ in range(2))
    logs = log_of_training(light, inputs_of(light, COLUMNS), validation_data=(inputs_of(light, COLUMNS), Y))
    same(log_of_training(again, WITH_TEXTS, validation_data=(WITH_TEXTS, Y)), logs)


def test_groups_may_be_a_column_that_no_net_takes():
    rocket, logs = compiled(rk.Rocket(make_pair())), {}
    callback = rk.callbacks.GroupAUC((WITH_TEXTS, Y))
    callback.set_model(rocket)
    callback.on_epoch_end(0, logs)
    assert logs == gauc(rocket, {name: COLUMNS[name] for name in BOTH})


@cache
def two_columns():
    """Logits of a net of two columns that are no other's, however it is given its inputs."""
    inputs = [keras.Input((1,), name=name) for name in LIGHT]
    return inputs, inputs[0] - 3 * inputs[1]


STRUCTURES = {
    "dict": lambda age, price: {"age": age, "price": price},
    "dict in another order": lambda age, price: {"price": price, "age": age},
    "ordered dict": lambda age, price: OrderedDict(price=price, age=age),
    "list": lambda age, price: [price, age],
    "nested": lambda age, price: {"user": {"age": age}, "ads": [{"price": price}]},
}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_inputs_of_any_structure_are_read_by_name(structure):
    (age, price), logits = two_columns()
    model = by_name(keras.Model(STRUCTURES[structure](age, price), logits))
    expected = COLUMNS["age"] - 3 * COLUMNS["price"]
    if structure == "nested":
        ways = [{"user": COLUMNS, "ads": [COLUMNS], "aaa": COLUMNS["aaa"]}]
    else:
        ways = [COLUMNS, OrderedDict(COLUMNS), {"price": COLUMNS["price"], "age": COLUMNS["age"]}]
        ways.append(OrderedDict(age=COLUMNS["age"], price=COLUMNS["price"]))
    ways.append(STRUCTURES[structure](COLUMNS["age"], COLUMNS["price"]))
    for x in ways:
        for got in (model(x), model.predict(x, verbose=0), model.predict_on_batch(x)):
            np.testing.assert_allclose(keras.ops.convert_to_numpy(got), expected, rtol=1e-6, atol=1e-6)


def test_a_single_input_is_an_array_or_one_column():
    age = keras.Input((1,), name="age")
    for structure in (age, [age], {"age": age}):
        model = by_name(keras.Model(structure, 2 * age))
        for x in (COLUMNS, WITH_TEXTS, {"age": COLUMNS["age"]}, *([COLUMNS["age"]] if structure is age else [])):
            np.testing.assert_allclose(model.predict(x, verbose=0), 2 * COLUMNS["age"], rtol=1e-6)
        with pytest.raises(ValueError, match=r"expected the columns \['age'\].*Missing: \['age'\]"):
            model.predict({"price": COLUMNS["price"]}, verbose=0)


def test_columns_of_other_shapes_and_types_are_ignored():
    light = make_pair().light
    other = {"bag": np.zeros((32, 7), "int32"), "few": np.zeros(5), "text": np.array(["a"] * 32)}
    expected = light.predict(inputs_of(light, COLUMNS), verbose=0)
    np.testing.assert_array_equal(light.predict({**other, **COLUMNS}, verbose=0), expected)


def test_a_light_net_with_a_column_of_its_own_beside_its_booster():
    def net(columns, units):
        inputs = {column: keras.Input((1,), name=column) for column in columns}
        return keras.Model(inputs, DENSE(1)(DENSE(units)(keras.layers.Concatenate()(list(inputs.values())))))

    pair = rk.Pair(net(("age", "zeal"), 2), net(("age", "price"), 3))
    assert set(pair.joint.input) == {"age", "price", "zeal"}
    logits = rk.Rocket(pair).predict(WITH_TEXTS, verbose=0)
    for head in ("light", "booster"):
        model = getattr(pair, head)
        expected = model.predict({name: COLUMNS[name] for name in sorted(model.input)}, verbose=0)
        np.testing.assert_allclose(logits[head], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(model.predict(COLUMNS, verbose=0), expected)


def test_frozen_teachers_read_their_own_columns():
    (age, price), logits = two_columns()
    teacher = keras.Model({"age": age, "price": price}, logits)
    inputs = {name: keras.Input((1,), name=name) for name in COLUMNS}
    frozen = keras.Model(inputs, rk.layers.Frozen([teacher])(inputs))
    expected = COLUMNS["age"] - 3 * COLUMNS["price"]
    np.testing.assert_allclose(frozen.predict(COLUMNS, verbose=0), expected, rtol=1e-6, atol=1e-6)


def test_a_net_inside_of_another_is_given_its_own_columns():
    light = make_pair().light
    inputs = {name: keras.Input((1,), name=name) for name in COLUMNS}
    outer = keras.Model(inputs, light(inputs))
    expected = light.predict(inputs_of(light, COLUMNS), verbose=0)
    np.testing.assert_allclose(outer.predict(COLUMNS, verbose=0), expected, rtol=1e-5, atol=1e-6)


@pytest.fixture
def log(tmp_path):
    """A log of all columns, and its encoder, which makes more of them than a net takes."""
    lines = [",".join(("click", *COLUMNS))]
    lines += [",".join(map(repr, row)) for row in np.hstack([Y, *COLUMNS.values()]).tolist()]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    fields = (NumberField(name, name, 0.0, 1.0, privileged=name == "dwell") for name in COLUMNS)
    return read_log(tmp_path / "log.csv"), Encoder(tuple(fields))


def test_streams_of_an_encoder_with_further_fields(log):
    weights = []
    for columns in (BOTH, None):
        rocket = compiled(rk.Rocket(make_pair()), run_eagerly=True)
        stream = Stream(*log, "click", batch_size=8, shuffle_rows=0, columns=columns)
        weights.append((rocket.fit(stream, verbose=0).history, rocket.get_weights()))
        stream.close()
    same(*weights)


def test_batches_with_a_privileged_column_are_what_a_light_net_takes(log):
    light = make_pair().light
    for batch in iter_batches(*log, "click", 8):
        expected = light.predict_on_batch({name: batch.x[name] for name in LIGHT})
        np.testing.assert_array_equal(light.predict_on_batch(batch.x), expected)


def test_rows_of_an_export_and_of_a_latency_may_have_further_columns(tmp_path):
    pair = make_pair()
    path = rk.export_light(pair, tmp_path / "light.onnx", rows=WITH_TEXTS)
    for model in (path, pair.light):
        assert rk.measure_latency(model, 8, rows=WITH_TEXTS, requests=20, warm_up=0).requests == 20
    # An exported file is a net like any other.
    again = keras.models.load_model(rk.export_light(pair, tmp_path / "light.keras", rows=WITH_TEXTS))
    assert rk.export_light(again, tmp_path / "again.onnx").is_file()


def test_an_exported_file_keeps_what_was_compiled(tmp_path):
    light = make_pair().light
    light.compile(keras.optimizers.Adam(0.01), LOSS)
    light.fit(COLUMNS, Y, verbose=0)
    again = keras.models.load_model(rk.export_light(light, tmp_path / "light.keras"))
    for model in (light, again):
        model.fit({name: COLUMNS[name] for name in LIGHT}, Y, batch_size=16, shuffle=False, verbose=0)
    for value, expected in zip(again.get_weights(), light.get_weights(), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_nets_of_a_pair_stay_the_models_that_were_given():
    """The same objects, compiled as they were, and functional models to whoever saves or pickles them."""
    given = keras.Model(*unpaired())
    before = keras.saving.serialize_keras_object(given)
    pair = rk.Pair(compiled(given), make_pair().booster)
    assert pair.light is given
    assert given.compiled
    after = keras.saving.serialize_keras_object(pair.light)
    assert {**after, "compile_config": {}} == before
    plain = type(keras.Model(*unpaired()))
    assert type(keras.saving.deserialize_keras_object(before)) is plain
    copied = pickle.loads(pickle.dumps(given))
    assert type(copied) is plain
    same(copied.get_weights(), given.get_weights())
