import keras
import numpy as np
import pytest

from rocket_keras import Pair, Rocket, hints, schedules

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def variables(rocket):
    return [keras.ops.convert_to_numpy(v.value) for v in rocket.pair.joint.trainable_variables]


@pytest.mark.parametrize("booster_optimizer", [None, "sgd"])
@pytest.mark.parametrize("light_to_shared", [True, False])
def test_a_loaded_rocket_trains_on_as_if_it_had_not_stopped(
    make_pair, rows, tmp_path, booster_optimizer, light_to_shared
):
    keras.utils.set_random_seed(0)
    rate = keras.optimizers.schedules.CosineDecay(0.05, 20)
    rocket = Rocket(
        make_pair(),
        hint=hints.SoftTargetHint(2.0),
        hint_weight=schedules.WarmUp(0.5, swap_step=6),
        light_to_shared=light_to_shared,
    )
    rocket.compile(keras.optimizers.Adam(rate), LOSS, metrics=["accuracy"], booster_optimizer=booster_optimizer)
    first, second = rows(32), rows(32, seed=1)
    rocket.fit(*first, batch_size=8, shuffle=False, verbose=0)
    rocket.save(tmp_path / "rocket.keras")
    loaded = keras.models.load_model(tmp_path / "rocket.keras")
    np.testing.assert_array_equal(
        np.concatenate([v.ravel() for v in variables(loaded)]), np.concatenate([v.ravel() for v in variables(rocket)])
    )
    for model in (rocket, loaded):
        model.fit(*second, batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(variables(rocket), variables(loaded), strict=True):
        np.testing.assert_array_equal(a, b)
    assert isinstance(loaded.hints[0], hints.SoftTargetHint)
    assert loaded.hints[0].temperature == 2.0
    assert loaded.hint_weights[0].swap_step == 6
    assert loaded.light_to_shared is light_to_shared
    assert int(loaded.step) == 8


def test_a_loaded_pair_shares_what_it_shared(make_pair, tmp_path):
    rocket = Rocket(make_pair())
    rocket.compile("sgd", LOSS)
    rocket.save(tmp_path / "rocket.keras")
    pair = keras.models.load_model(tmp_path / "rocket.keras").pair
    counts = [len(getattr(pair, f"{part}_variables")) for part in ("shared", "light", "booster")]
    assert counts == [2, 2, 4]


def test_dict_inputs_and_privileged_features_survive(tmp_path):
    user, dwell = keras.Input((4,), name="user"), keras.Input((2,), name="dwell")
    bottom = keras.layers.Dense(3, name="bottom")(user)
    light = keras.Model({"user": user}, keras.layers.Dense(1)(bottom), name="light")
    both = keras.layers.Concatenate()([bottom, dwell])
    booster = keras.Model({"user": user, "dwell": dwell}, keras.layers.Dense(1)(both), name="booster")
    rocket = Rocket(Pair(light=light, booster=booster, privileged=["dwell"]))
    rocket.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    rocket.save(tmp_path / "rocket.keras")
    loaded = keras.models.load_model(tmp_path / "rocket.keras")
    x = {"user": np.ones((3, 4), "float32"), "dwell": np.ones((3, 2), "float32")}
    np.testing.assert_array_equal(loaded.predict(x, verbose=0)["booster"], rocket.predict(x, verbose=0)["booster"])
    np.testing.assert_array_equal(
        loaded.pair.light.predict({"user": x["user"]}, verbose=0), light.predict({"user": x["user"]}, verbose=0)
    )
    assert loaded.pair.privileged == ("dwell",)


def test_models_merged_from_their_own_inputs_survive(tmp_path):
    bottom = keras.layers.Dense(4, name="bottom")

    def model(name, units):
        inputs = keras.Input((5,))
        hidden = keras.layers.Dense(units, "relu")(bottom(inputs))
        return keras.Model(inputs, keras.layers.Dense(2)(hidden), name=name)

    rocket = Rocket(Pair(light=model("light", 3), booster=model("booster", 9)))
    rocket.compile("sgd", LOSS)
    rocket.save(tmp_path / "rocket.keras")
    loaded = keras.models.load_model(tmp_path / "rocket.keras")
    x = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    for head in ("light", "booster"):
        np.testing.assert_array_equal(loaded.predict(x, verbose=0)[head], rocket.predict(x, verbose=0)[head])
    np.testing.assert_array_equal(loaded.pair.light.predict(x, verbose=0), rocket.pair.light.predict(x, verbose=0))
