"""Of a dict with further columns every model takes its own by name, whichever way the dict comes."""

import copy
import runpy
from pathlib import Path

import keras
import pytest

import rocket_keras as rk
import zoo
from rocket_keras.graph import inputs_of
from tuning.hypermodel import LightHyperModel

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_columns.py")))
COLUMNS, WITH_TEXTS, Y, compiled, gauc, input_names, log_of_training, make_pair, same, unpaired = (
    helpers[name]
    for name in (
        "COLUMNS",
        "WITH_TEXTS",
        "Y",
        "compiled",
        "gauc",
        "input_names",
        "log_of_training",
        "make_pair",
        "same",
        "unpaired",
    )
)


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
TRACED = ("predict", "evaluate batches", "fit batches", "train on batch")
"""Ways that are compiled by the backend; the others run eagerly, which is faster for two batches."""


@pytest.mark.parametrize("kind", ["rocket", "light"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_reads_the_columns_of_its_names(kind, way, tmp_path):
    check(kind, [way], tmp_path, run_eagerly=way not in TRACED)


@pytest.mark.parametrize("kind", MODELS)
def test_every_model_reads_the_columns_of_its_names(kind, tmp_path):
    model = check(kind, ["call", "evaluate batches", "train on batch"], tmp_path, run_eagerly=True)
    x = {name: column for name, column in COLUMNS.items() if name != "price"}
    for call in (lambda: model.evaluate(x, Y, verbose=0), lambda: model(x)):
        with pytest.raises(ValueError, match="price") as caught:
            call()
        if kind != "exported":  # plain Keras
            assert "Missing: ['price']" in str(caught.value)
            assert "\n" not in str(caught.value)


def check(kind, ways, folder, **options):
    own, further = (compiled(MODELS[kind](folder), **options) for _ in range(2))
    further.set_weights(own.get_weights())
    for way in ways:
        columns = WITH_TEXTS if way in TEXTS and kind != "exported" else COLUMNS
        expected = WAYS[way](own, {name: COLUMNS[name] for name in sorted(input_names(own))})
        same(WAYS[way](further, columns), expected)
    return further
