"""What a user loaded, froze or adapted is the same before, during and after a search; what is drawn starts the same."""

import keras
import keras_tuner
import numpy as np
import pytest

import tuning
from rocket_keras import Pair
from rocket_keras.layers import Frozen
from rocket_keras.metrics import auc
from tuning.starts import Originals, started

LOSS = keras.losses.BinaryCrossentropy(from_logits=True)
WORDS = 12


class Own(keras.layers.Layer):
    """Unregistered, without `build`: its inner layer is built when it is called."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = keras.layers.Dense(units, "relu")

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def point(**values):
    hp = keras_tuner.HyperParameters()
    hp.values = values
    return hp


def tower(x, *units):
    for width in units:
        x = keras.layers.Dense(width, "relu")(x)
    return keras.layers.Dense(1)(x)


def pair_with(booster_of, hp):
    """A light net of one to three layers, built before the booster: it takes more or fewer numbers of the stream."""
    x = keras.Input((6,), name="x")
    light = keras.Model(x, tower(x, *[4] * hp.Int("light_depth", 1, 3)))
    return Pair(light, booster_of(keras.Input((6,), name="x")))


def values_of(net):
    return [keras.ops.convert_to_numpy(variable).copy() for variable in net.variables]


def same(mine, others):
    return len(mine) == len(others) and all(np.array_equal(a, b) for a, b in zip(mine, others, strict=True))


@pytest.fixture
def teacher(data):
    x, y = data["train"]
    keras.utils.set_random_seed(7)
    inputs = keras.Input((6,), name="x")
    net = keras.Model(inputs, tower(inputs, 16))
    net.compile(keras.optimizers.Adam(0.05), LOSS)
    net.fit(x, y, epochs=8, batch_size=64, verbose=0)
    return net


@pytest.fixture(params=[True])
def seen(monkeypatch, request):
    """The values of the booster's variables before every first epoch, the winner's second training included.

    With the parameter False nothing is trained.
    """
    found = []
    real = tuning.training.Course.epoch if request.param else lambda self, number: dict.fromkeys(self.left, 0.5)

    def epoch(self, number):
        if number == 0:
            pair = self.model.pair if self.alone else next(iter(self.model.pairs.values()))
            found.append(values_of(pair.booster))
        return real(self, number)

    monkeypatch.setattr(tuning.training.Course, "epoch", epoch)
    return found


def test_a_frozen_teacher_is_bit_equal_after_a_search_and_in_the_winner(find, teacher, data):
    before, expected = values_of(teacher), teacher.predict(data["validation"][0], verbose=0)

    def build(hp):
        return pair_with(lambda x: keras.Model(x, Frozen([teacher])(x)), hp)

    result = find(10**6, build, light_to_shared=True, training=None, epochs=1, batch_size=64, max_trials=1)
    assert same(values_of(teacher), before)
    logits = result.pair.booster.predict(data["validation"][0], verbose=0)
    np.testing.assert_allclose(logits, expected, atol=1e-6)
    labels = data["validation"][1]
    assert auc(labels, logits) == pytest.approx(auc(labels, expected), abs=1e-6)
    assert auc(labels, logits) > 0.7


@pytest.mark.parametrize("seen", [False], indirect=True)
def test_a_loaded_booster_starts_at_the_loss_of_its_weights(find, teacher, seen, data, tmp_path):
    teacher.save(tmp_path / "teacher.keras")

    def build(hp):
        return pair_with(lambda x: keras.Model(x, keras.models.load_model(tmp_path / "teacher.keras")(x)), hp)

    find(10**6, build, max_trials=2)
    loaded = values_of(teacher)
    assert len(seen) == 2
    assert all(same(start, loaded) for start in seen)
    x, y = (column[:64] for column in data["train"])
    booster = started(lambda: build(point(light_depth=2)), 0).candidate.booster
    first = LOSS(y[:, None], booster(x, training=False))
    expected = LOSS(y[:, None], teacher(x, training=False))
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (first, expected)), atol=1e-6)


def test_a_frozen_pretrained_embedding_is_the_users_in_the_winner(find):
    table = np.random.default_rng(0).normal(size=(WORDS, 4)).astype("float32")

    def build(hp):
        ids = keras.Input((2,), dtype="int32", name="ids")
        embedding = keras.layers.Embedding(WORDS, 4, trainable=False, name="pretrained")
        h = keras.layers.Flatten()(embedding(ids))
        embedding.set_weights([table])
        light = keras.Model(ids, tower(h, *[4] * hp.Int("light_depth", 1, 2)))
        return Pair(light, keras.Model(ids, tower(h, 8)))

    rng = np.random.default_rng(1)
    ids = rng.integers(0, WORDS, (200, 2)).astype("int32")
    rows = ids, (ids[:, 0] > ids[:, 1]).astype("float32")
    result = find(10**6, build, train=rows, validation=rows, max_trials=1)
    for net in (result.model, result.pair.booster):
        np.testing.assert_array_equal(net.get_layer("pretrained").get_weights()[0], table)


def test_a_trainable_object_of_the_user_starts_every_trial_with_its_own_values(find, teacher, seen):
    teacher.trainable, original = True, values_of(teacher)

    def build(hp):
        return pair_with(lambda x: keras.Model(x, teacher(x)), hp)

    options = {"epochs": 1, "batch_size": 64, "optimizer": lambda steps: keras.optimizers.Adam(0.1)}
    result = find(10**6, build, light_to_shared=True, training=None, max_trials=2, **options)
    assert len(seen) == 3
    assert all(same(start, original) for start in seen)
    # The winner's pair holds the object itself, trained with the winner's light net.
    assert same(values_of(result.pair.booster), values_of(teacher))
    assert not same(values_of(teacher), original)


def test_the_users_objects_have_their_values_again_where_a_training_was_interrupted(teacher):
    original, originals = values_of(teacher), Originals()

    def interrupted():
        with originals.kept(teacher.variables):
            teacher.set_weights([np.zeros_like(value) for value in teacher.get_weights()])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert same(values_of(teacher), original)


def test_a_model_of_a_users_own_fit_trains_the_users_object_from_its_own_values(find, teacher, data):
    teacher.trainable, original, starts = True, values_of(teacher), []

    class Tuned(keras_tuner.HyperModel):
        def build(self, hp):
            x = keras.Input((6,), name="x")
            model = keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(hp.Choice("units", [2, 3]))(teacher(x))))
            model.compile(keras.optimizers.Adam(0.1), LOSS)
            return model

        def fit(self, hp, model, *arguments, **options):
            starts.append(values_of(teacher))
            return model.fit(*arguments, batch_size=64, **options)

    find(10**6, Tuned(), objective=keras_tuner.Objective("val_loss", "min"), max_trials=2)
    assert len(starts) == 3
    assert all(same(start, original) for start in starts)


def test_adapted_statistics_and_constants_stay_and_the_rest_starts_the_same_whatever_the_light_net(data):
    x = data["train"][0] * 50 + 100

    def booster_of(inputs):
        norm = keras.layers.Normalization()
        norm.adapt(x)
        inner = keras.Input((8,))
        nested = keras.Model(inner, keras.layers.Dense(5, "relu")(inner))
        h = keras.layers.Dense(8, kernel_initializer=keras.initializers.Constant(0.25))(norm(inputs))
        h = keras.layers.Dropout(0.5)(nested(Own(8)(h)))
        return keras.Model(inputs, keras.layers.Dense(1)(h))

    def start(depth, seed=0):
        return started(lambda: pair_with(booster_of, point(light_depth=depth)), seed)

    one, other = start(1), start(3)
    assert same(values_of(one.candidate.booster), values_of(other.candidate.booster))
    assert one.booster == other.booster
    assert one.referenced == []
    assert not same(values_of(one.candidate.booster), values_of(start(1, seed=1).candidate.booster))
    normalised = next(layer for layer in one.candidate.booster.layers if type(layer).__name__ == "Normalization")
    found = keras.ops.convert_to_numpy(normalised(x))
    np.testing.assert_allclose(found, (x - x.mean(0)) / x.std(0), atol=1e-3)
    (constant,) = [layer for layer in one.candidate.booster.layers if getattr(layer, "units", 0) == 8][:1]
    np.testing.assert_array_equal(constant.get_weights()[0], np.full((6, 8), 0.25, "float32"))


@pytest.mark.parametrize("seen", [False], indirect=True)
def test_boosters_of_one_shape_and_other_weights_are_not_trained_in_one_fleet(find, seen, console):
    def build(hp):
        value = hp.Choice("loaded", [0.1, 0.2])

        def booster_of(x):
            net = keras.Model(x, tower(x, 8))
            net.set_weights([np.full_like(weight, value) for weight in net.get_weights()])
            return net

        hp.Fixed("light_depth", 1)
        return pair_with(booster_of, hp)

    find(10**6, build, oracle="grid", max_trials=2)
    assert sorted(float(start[0].flat[0]) for start in seen[:2]) == pytest.approx([0.1, 0.2])


def test_a_layer_that_cannot_be_made_again_starts_as_the_builder_drew_it():
    class Unsaved(keras.layers.Layer):
        def __init__(self, width, wide):
            super().__init__()
            self.dense = keras.layers.Dense(width + wide)

        def build(self, shape):
            self.dense.build(shape)
            self.built = True

        def call(self, x):
            return self.dense(x)

    hp = point(light_depth=1)
    start = started(lambda: pair_with(lambda x: keras.Model(x, tower(Unsaved(2, 3)(x))), hp), 0)
    keras.utils.set_random_seed(0)
    expected = pair_with(lambda x: keras.Model(x, tower(Unsaved(2, 3)(x))), hp)
    mine, others = (p.booster.layers[1].get_weights() for p in (start.candidate, expected))
    assert same(mine, others)
