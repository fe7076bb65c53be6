"""Of a dict with further columns, or in another order, every model takes its own columns by name."""

import copy
import pickle
from collections import OrderedDict
from functools import cache

import keras
import numpy as np
import pytest

import rocket_keras as rk
import zoo
from rocket_keras.columns_by_name import by_name
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import NumberField
from rocket_keras.graph import inputs_of
from rocket_keras.streaming import Stream, iter_batches, read_log
from tuning.hypermodel import LightHyperModel

LOSS = keras.losses.BinaryCrossentropy(from_logits=True)
LIGHT, BOTH = ("age", "price"), ("age", "dwell", "price")
DENSE = keras.layers.Dense
# Names around those of the nets, so that each column would be read for another one.
DRAWN = np.random.default_rng(0).normal(size=(5, 32, 1)).astype("float32")
COLUMNS = dict(zip(("zeal", "price", "aaa", "dwell", "age"), DRAWN * [[[1]], [[1]], [[50]], [[1]], [[1]]], strict=True))
Y = (DRAWN[1] > 0).astype("float32")
WITH_TEXTS = {**COLUMNS, "user_id": np.array([f"user {i // 4}" for i in range(32)])}


def make_pair(units=2):
    keras.utils.set_random_seed(1)

    def net(name, columns, units):
        inputs = {column: keras.Input((1,), name=column) for column in columns}
        hidden = DENSE(units, "tanh", name=f"{name}_hidden")(keras.layers.Concatenate()(list(inputs.values())))
        return keras.Model(inputs, DENSE(1, name=f"{name}_logits")(hidden), name=name)

    return rk.Pair(net("light", LIGHT, units), net("booster", BOTH, 4), privileged=("dwell",))


def compiled(model):
    model.compile(keras.optimizers.SGD(0.1), LOSS)
    return model


def saved_light(folder):
    return keras.models.load_model(rk.export_light(make_pair(), folder / "light.keras"))


def saved_preset(folder):
    zoo.save_preset(make_pair(), folder / "preset")
    return zoo.load_light(folder / "preset")


def loaded_rocket(folder):
    compiled(rk.Rocket(make_pair())).save(folder / "rocket.keras")
    return keras.models.load_model(folder / "rocket.keras")


MODELS = {
    "rocket": lambda folder: rk.Rocket(make_pair()),
    "routed rocket": lambda folder: rk.Rocket(make_pair(), light_to_shared=False),
    "fleet": lambda folder: rk.Fleet({str(units): make_pair(units) for units in (2, 3)}),
    "sparse net": lambda folder: rk.SparseNet(make_pair().light),
    "light": lambda folder: make_pair().light,
    "booster": lambda folder: make_pair().booster,
    "detached": lambda folder: make_pair().detach(),
    "fleet's light": lambda folder: rk.Fleet({str(units): make_pair(units) for units in (2, 3)}).pairs["3"].light,
    "clone": lambda folder: keras.models.clone_model(make_pair().light),
    "copy": lambda folder: copy.deepcopy(make_pair().light),
    "exported": saved_light,
    "preset": saved_preset,
    "preset's booster": lambda folder: (saved_preset(folder), zoo.load(folder / "preset"))[1].booster,
    "loaded rocket": loaded_rocket,
    "loaded rocket's light": lambda folder: loaded_rocket(folder).pair.light,
    "of a search": lambda folder: LightHyperModel(lambda hp: keras.Model(*unpaired())).build(None),
}


def unpaired():
    inputs = {column: keras.Input((1,), name=column) for column in LIGHT}
    return inputs, DENSE(1)(keras.layers.Concatenate()(list(inputs.values())))


class Batches(keras.utils.PyDataset):
    """Two batches, of which the columns come in the order that is given."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(16 * index, 16 * index + 16)
        x = {name: column[rows] for name, column in self.x.items()}
        return (x,) if self.y is None else (x, self.y[rows])


def tf_data(x, y):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((x,) if y is None else (x, y)).batch(16)


def loader(x, y):
    torch = pytest.importorskip("torch")
    rows = [tuple(part for part in ({n: c[i] for n, c in x.items()}, y[i]) if part is not None) for i in range(32)]
    return torch.utils.data.DataLoader(rows, batch_size=16)


def generator(x, y):
    batches = Batches(x, y)
    return (batches[index] for index in range(2))


def log_of_training(model, x, y=Y, **options):
    logs = model.fit(x, y, batch_size=16, shuffle=False, verbose=0, **options).history
    return logs, model.get_weights()


def numbers(value):
    return [keras.ops.convert_to_numpy(leaf) for leaf in keras.tree.flatten(value)]


def gauc(model, x):
    callback, logs = rk.callbacks.GroupAUC((x, Y, np.arange(32) // 4)), {}
    callback.set_model(model)
    callback.on_epoch_end(0, logs)
    return logs


WAYS = {
    "call": lambda model, x: model(x),
    "traced call": lambda model, x: model.predict(Batches(x, Y), verbose=0),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "evaluate": lambda model, x: model.evaluate(x, Y, verbose=0),
    "predict on batch": lambda model, x: model.predict_on_batch(x),
    "test on batch": lambda model, x: model.test_on_batch(x, Y),
    "train on batch": lambda model, x: (model.train_on_batch(x, Y), model.get_weights()),
    "evaluate batches": lambda model, x: model.evaluate(Batches(x, Y), verbose=0),
    "fit batches": lambda model, x: log_of_training(model, Batches(x, Y), None),
    "evaluate tf.data": lambda model, x: model.evaluate(tf_data(x, Y), verbose=0),
    "fit tf.data": lambda model, x: log_of_training(model, tf_data(x, Y), None),
    "evaluate loader": lambda model, x: model.evaluate(loader(x, Y), verbose=0),
    "fit generator": lambda model, x: log_of_training(model, generator(x, Y), None, steps_per_epoch=2),
    "validate batches": lambda model, x: log_of_training(model, inputs_of(model, x), validation_data=Batches(x, Y)),
    "GAUC": gauc,
}
TEXTS = ("predict", "evaluate", "predict on batch", "test on batch", "train on batch", "GAUC")
"""Ways in which arrays come to the model before Keras reads them."""


@pytest.mark.parametrize("kind", ["rocket", "light"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_reads_the_columns_of_its_names(kind, way, tmp_path):
    check(kind, way, tmp_path)


@pytest.mark.parametrize("way", ["call", "evaluate batches", "train on batch"])
@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind not in ("rocket", "light")])
def test_every_model_reads_the_columns_of_its_names(kind, way, tmp_path):
    check(kind, way, tmp_path)


def check(kind, way, folder):
    own, further = (compiled(MODELS[kind](folder)) for _ in range(2))
    further.set_weights(own.get_weights())
    columns = WITH_TEXTS if way in TEXTS and kind != "exported" else COLUMNS
    expected = WAYS[way](own, {name: COLUMNS[name] for name in sorted(input_names(own))})
    same(WAYS[way](further, columns), expected)


def input_names(model):
    graph = getattr(model, "joint", getattr(model, "net", model))
    return {tensor.name for tensor in graph.inputs}


def same(got, expected):
    for value, wanted in zip(numbers(got), numbers(expected), strict=True):
        np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("kind", MODELS)
def test_a_missing_column_is_one_line(kind, tmp_path):
    model = compiled(MODELS[kind](tmp_path))
    x = {name: column for name, column in COLUMNS.items() if name != "price"}
    for call in (lambda: model.evaluate(x, Y, verbose=0), lambda: model(x)):
        with pytest.raises(ValueError, match="price") as caught:
            call()
        if kind != "exported":  # plain Keras
            assert "Missing: ['price']" in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["x", "validation_data"])
@pytest.mark.parametrize("kind", ["rocket", "fleet"])
def test_arrays_to_train_on_must_have_no_further_column(kind, part, tmp_path):
    model, x = compiled(MODELS[kind](tmp_path)), {name: COLUMNS[name] for name in BOTH}
    options = {"validation_data": (COLUMNS, Y)} if part == "validation_data" else {}
    with pytest.raises(ValueError, match=r"Missing: \[\]; too many: \['aaa', 'zeal'\]"):
        model.fit(COLUMNS if part == "x" else x, Y, verbose=0, **options)


def test_validation_data_of_one_net_are_read_by_name():
    light, again = compiled(make_pair().light), compiled(make_pair().light)
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
        rocket = compiled(rk.Rocket(make_pair()))
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
