"""Small trainings that come out alike on one device and on several; run as a script, on the two of an engine."""

import functools
import runpy
import sys
from pathlib import Path

import keras
import numpy as np

import rocket_keras as rk

HERE = Path(__file__).parent
MADE_UP = runpy.run_path(str(HERE.parent / "rocket_keras" / "made_up_fleet.py"))
ROWS = runpy.run_path(str(HERE.parent / "rocket_keras" / "made_up_rows.py"))
BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
BATCH = 8  # of all devices together


def state(model):
    """Everything that a process has at the end, as arrays."""
    variables = {"weights": model.weights, "optimizer": model.optimizer.variables}
    found = {"step": [model.step.value], **{name: [v.value for v in held] for name, held in variables.items()}}
    arrays = {name: [keras.ops.convert_to_numpy(value) for value in values] for name, values in found.items()}
    return {f"{name}{place:03d}": value for name, values in arrays.items() for place, value in enumerate(values)}


def curves(history):
    return {f"curve_{name}": np.array(values) for name, values in history.history.items()}


def rocket_of(seed=3, **options):
    pair = MADE_UP["pairs_of"](MADE_UP["ctr_pair"], {"a": 3}, seed)["a"]
    return rk.Rocket(pair, hint_weight=rk.schedules.Linear(0.0, 1.0, 6), **options)


def compiled(model, metrics=("accuracy",), **options):
    model.compile(MADE_UP["adam"](), BINARY, metrics=list(metrics), **options)
    return model


def fit(engine, model, rows=28, epochs=2, callbacks=(), **options):
    """Train on rows with weights, and a last batch that is short."""
    x, y = MADE_UP["ctr_rows"](rows)
    x, y, weights = engine.mine(x, y, np.linspace(0.5, 2, rows).astype("float32"))
    if options.pop("validated", False):
        options["validation_data"] = (x, y)
    sizes = {"batch_size": engine.size(BATCH), "shuffle": False, "verbose": 0, "epochs": epochs}
    return model.fit(x, y, sample_weight=weights, callbacks=list(callbacks), **sizes, **options)


def unrouted(engine):
    """The paper's way, with layers' own losses, an optimizer for each net and GAUC."""
    with engine.scope():
        keras.utils.set_random_seed(3)
        pair = MADE_UP["ctr_pair"](3, bottom=1, kernel_regularizer="l2")
        rocket = rk.Rocket(pair, hint_weight=rk.schedules.Linear(0.0, 1.0, 6))
        metrics = ["accuracy", keras.metrics.AUC(from_logits=True, name="auc")]
        compiled(rocket, metrics, booster_optimizer=keras.optimizers.SGD(0.05, momentum=0.9))
        gauc = rk.callbacks.GroupAUC((*engine.mine(*MADE_UP["ctr_rows"](25, seed=5)), *engine.mine(np.arange(25) % 4)))
        history = fit(engine, rocket, callbacks=[gauc], validated=True)
    return {**curves(history), **state(rocket)}


def routed(engine):
    with engine.scope():
        rocket = compiled(rocket_of(light_to_shared=False))
        history = fit(engine, rocket)
    return {**curves(history), **state(rocket)}


def fleet(engine):
    with engine.scope():
        fleet = compiled(rk.Fleet(MADE_UP["pairs_of"](), hint_weight=0.5))
        history = fit(engine, fleet)
    return {**curves(history), **state(fleet)}


def uneven(engine):
    """A last batch that the devices cannot share alike."""
    with engine.scope():
        rocket = compiled(rocket_of())
        try:
            history = fit(engine, rocket, rows=27)
        except ValueError as error:
            return {"refused": np.array(str(error))}
    return {**curves(history), **state(rocket)}


def moving_statistics(engine):
    """BatchNorm in a net that stands still: its moving means are those of all rows."""
    with engine.scope():
        rocket = rk.Rocket(MADE_UP["pairs_of"](MADE_UP["conv_pair"], {"a": 2})["a"])
        rocket.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        x, y = engine.mine(*MADE_UP["image_rows"](32))
        rocket.fit(x, y, batch_size=engine.size(BATCH), shuffle=False, verbose=0)
    # Of the first layers: before them no input is normalised.
    named = [v for v in rocket.pair.joint.weights if "norm0/moving_mean" in v.path]
    return {v.path.replace("/", "_"): keras.ops.convert_to_numpy(v.value) for v in named}


def resumed(engine):
    """Two epochs, between which the first process alone saves, and alone loads."""
    with engine.scope():
        rocket = compiled(rocket_of(light_to_shared=False))
        first = fit(engine, rocket, epochs=1)
        if engine.rank == 0:
            rocket.save("half.keras")
            again = keras.models.load_model("half.keras")
        else:
            again = compiled(rocket_of(seed=8, light_to_shared=False))
        second = fit(engine, again, epochs=1)
    losses = [history.history["loss"][0] for history in (first, second)]
    return {"curve_loss": np.array(losses), **state(again)}


def tables(engine, scope=None, sizes=ROWS["SIZES"]):
    """Tables whose rows alone are moved, shared by both nets; and the light net alone."""
    found = {}
    routed = functools.partial(rk.Rocket, light_to_shared=False)
    for name, make in {"unrouted": rk.Rocket, "routed": routed, "alone": lambda pair: rk.SparseNet(pair.light)}.items():
        with scope() if scope else engine.scope():
            rocket = make(ROWS["make_pair"](sizes=sizes))
            rocket.compile(MADE_UP["adam"](), BINARY)
            x, y = ROWS["drawn"](28, sizes=sizes, few=5)
            x, (y,) = {key: engine.mine(column)[0] for key, column in x.items()}, engine.mine(y)
            history = rocket.fit(x, y, batch_size=engine.size(BATCH), epochs=2, shuffle=False, verbose=0)
        kept = [*rocket.non_trainable_variables, *rocket.trainable_variables]
        held = {f"{place:03d}": keras.ops.convert_to_numpy(v.value) for place, v in enumerate(kept)}
        found.update({f"{key}_{name}": value for key, value in {**curves(history), **held}.items()})
    return found


def sharded(engine):
    """Tables cut by rows over the devices: a Keras embedding and one of ours."""
    scope = (lambda paths: engine.scope()) if engine.sharded is None else engine.sharded
    with scope(".*embedding.*"):
        rocket = compiled(rocket_of(light_to_shared=False))
        history = fit(engine, rocket)
    table = next(v for v in rocket.trainable_variables if "embedding" in v.path)
    rows = np.array([table.value.addressable_shards[0].data.shape[0]])
    of_ours = tables(engine, lambda: scope(".*table.*"), sizes=(30, 12, 8))
    return {"rows_here": rows, **curves(history), **state(rocket), **of_ours}


def refusals(engine):
    """What cannot be trained on several devices, and what each says."""
    said = {}

    def note(name, run):
        try:
            run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test reads it
            said[name] = np.array(f"{type(error).__name__}: {error}")

    with engine.scope():
        summed = rocket_of()
        summed.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True, reduction="sum"))
        note("summed", lambda: fit(engine, summed))
    outside = compiled(rocket_of())

    def trained():
        with engine.scope():
            fit(engine, outside)

    note("outside", trained)
    with engine.scope():
        rocket = compiled(rocket_of())
        x, y = MADE_UP["ctr_rows"](BATCH)
        batches = ((x, y) for _ in range(3 - engine.rank))
        note("shards", lambda: rocket.fit(batches, verbose=0))
        note("lengths", lambda: fit(engine, rocket, rows=25))
    return said


SCENARIOS = [unrouted, routed, fleet, uneven, moving_statistics, resumed, tables, sharded, refusals]

if __name__ == "__main__":
    name, store, rank, file = sys.argv[1:]
    engines = runpy.run_path(str(HERE / "engines.py"))
    engine = engines["ENGINES"][keras.backend.backend()](int(rank), store)
    np.savez(file, **next(one for one in SCENARIOS if one.__name__ == name)(engine))
