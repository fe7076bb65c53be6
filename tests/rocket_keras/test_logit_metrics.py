"""Losses and metrics of Keras mean on logits what they mean on probabilities; every one of them is classified."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

import rocket_keras as rk
from rocket_keras import logit_losses, logit_metrics
from rocket_keras.logit_losses import label_loss
from rocket_keras.logit_metrics import MetricOnProbabilities, metric_on_logits

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rocket.py")))
compiled = helpers["compiled"]
M, K = keras.metrics, keras.losses
BCE, CCE = K.BinaryCrossentropy(from_logits=True), K.CategoricalCrossentropy(from_logits=True)
NO_METRIC = {"deserialize", "get", "serialize", "MeanMetricWrapper"}


def drawn(logits=1, rows=400, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(-1, 2, (rows, logits)).astype("float32")
    if logits == 1:
        return (rng.random((rows, 1)) < 0.3).astype("float32"), z
    return np.eye(logits, dtype="float32")[rng.integers(0, logits, rows)], z


def probabilities(z):
    z = z.astype("float64")
    if z.shape[-1] == 1:
        return 1 / (1 + np.exp(-z))
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def result(metric, y, z, weight=None):
    metric.update_state(y[:150], z[:150], None if weight is None else weight[:150])
    metric.update_state(y[150:], z[150:], None if weight is None else weight[150:])
    return keras.ops.convert_to_numpy(metric.result())


def test_every_loss_and_metric_of_keras_is_classified():
    losses = {getattr(K, n) for n in dir(K) if n[0] != "_"} - {K.Loss, K.deserialize, K.get, K.serialize}
    groups = ("CROSSENTROPIES", "PROBABILITIES", "VALUES", "MARGINS", "REFUSED")
    known = [item for group in groups for pair in getattr(logit_losses, group).items() for item in pair]
    assert losses == set(known)
    assert len(known) == len(set(known))
    metrics = {getattr(M, n) for n in dir(M) if n[0] != "_" and n not in NO_METRIC}
    groups = [set(getattr(logit_metrics, g)) for g in ("RANKS", "FROM_LOGITS", "PROBABILITIES", "REFUSED")]
    assert metrics <= set().union(*groups)
    assert sum(map(len, groups)) == len(set().union(*groups))


ONE_LOGIT = {
    "binary_accuracy": lambda y, p: ((p > 0.5) == y).mean(),
    "bce": lambda y, p: -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(),
    "BinaryCrossentropy": lambda y, p: -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(),
    "accuracy": lambda y, p: ((p > 0.5) == y).mean(),
    "Accuracy": lambda y, p: ((p > 0.5) == y).mean(),
    "precision": lambda y, p: y[p > 0.5].mean(),
    "Recall": lambda y, p: (p > 0.5)[y == 1].mean(),
    "TruePositives": lambda y, p: ((p > 0.5) & (y == 1)).sum(),
    "true_negatives": lambda y, p: ((p <= 0.5) & (y == 0)).sum(),
    "false_positives": lambda y, p: ((p > 0.5) & (y == 0)).sum(),
    "FalseNegatives": lambda y, p: ((p <= 0.5) & (y == 1)).sum(),
    "mse": lambda y, p: np.square(y - p).mean(),
    "MeanAbsoluteError": lambda y, p: np.abs(y - p).mean(),
    "RootMeanSquaredError": lambda y, p: np.sqrt(np.square(y - p).mean()),
    "r2_score": lambda y, p: 1 - np.square(y - p).sum() / np.square(y - y.mean()).sum(),
    "BinaryIoU": lambda y, p: np.mean(
        [((p > 0.5) == y)[y == c].sum() / ((y == c) | ((p > 0.5) == c)).sum() for c in (0, 1)]
    ),
}


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")  # Keras's IoU under JAX
@pytest.mark.parametrize("name", ONE_LOGIT)
def test_a_name_means_what_it_means_on_probabilities(name):
    y, z = drawn()
    metric = metric_on_logits(name, BCE, 1)
    assert metric.name == name
    np.testing.assert_allclose(result(metric, y, z), ONE_LOGIT[name](y, probabilities(z)), rtol=1e-5)


OBJECTS = {
    "precision at .7": (M.Precision(thresholds=0.7), lambda y, p: y[p > 0.7].mean()),
    "recall at .2": (M.Recall(thresholds=0.2), lambda y, p: (p > 0.2)[y == 1].mean()),
    "accuracy at .3": (M.BinaryAccuracy(threshold=0.3), lambda y, p: ((p > 0.3) == y).mean()),
    "F1 at .4": (
        M.F1Score(threshold=0.4, average="micro"),
        lambda y, p: 2 * (y[p > 0.4]).sum() / ((p > 0.4).sum() + y.sum()),
    ),
    "log loss": (M.BinaryCrossentropy(), ONE_LOGIT["bce"]),
    "log loss of logits": (M.BinaryCrossentropy(from_logits=True), ONE_LOGIT["bce"]),
    "function": (M.binary_accuracy, ONE_LOGIT["binary_accuracy"]),
    "loss function": (K.binary_crossentropy, ONE_LOGIT["bce"]),
    "loss": (K.MeanSquaredError(), lambda y, p: np.square(y - np.log(p / (1 - p))).mean()),
    "class": (M.Precision, ONE_LOGIT["precision"]),
}


@pytest.mark.parametrize("case", OBJECTS)
def test_thresholds_of_an_object_are_probabilities(case):
    metric, expected = OBJECTS[case]
    y, z = drawn()
    if case == "loss":  # an average over batches, as Keras makes it
        y, z = y[:300], z[:300]
    got = result(metric_on_logits(metric, BCE, 1), y, z)
    np.testing.assert_allclose(got, expected(y, probabilities(z)), rtol=1e-5)


@pytest.mark.parametrize("metric", [M.PrecisionAtRecall(0.6), M.SensitivityAtSpecificity(0.5), M.AUC(curve="PR")])
def test_curves_are_those_of_keras_on_probabilities(metric):
    y, z = drawn()
    twin = type(metric).from_config(metric.get_config())
    expected = result(twin, y, probabilities(z).astype("float32"))
    np.testing.assert_allclose(result(metric_on_logits(metric, BCE, 1), y, z), expected, atol=1e-6)


SEVERAL = {
    "categorical_accuracy": lambda y, p: (p.argmax(-1) == y.argmax(-1)).mean(),
    "categorical_crossentropy": lambda y, p: -np.log((p * y).sum(-1)).mean(),
    "mse": lambda y, p: np.square(y - p).mean(),
    "kl_divergence": lambda y, p: -np.log((p * y).sum(-1)).mean(),
    "precision": lambda y, p: y[p > 0.5].mean(),
    "bce": lambda y, p: -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(),
    "auc": lambda y, p: rk.metrics.auc(y.ravel(), p.ravel()),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_logits_become_a_softmax(name):
    y, z = drawn(3)
    got = result(metric_on_logits(name, CCE, 3), y, z)
    np.testing.assert_allclose(got, SEVERAL[name](y, probabilities(z)), rtol=1e-3 if name == "auc" else 1e-5)


def test_several_logits_of_a_binary_loss_are_independent_clicks():
    y, z = drawn(3)
    p = 1 / (1 + np.exp(-z))
    for name, expected in (("precision", y[p > 0.5].mean()), ("bce", SEVERAL["bce"](y, p))):
        np.testing.assert_allclose(result(metric_on_logits(name, BCE, 3), y, z), expected, rtol=1e-5)


def test_under_a_regression_loss_outputs_are_values():
    y, z = drawn()
    for name, expected in (("mse", np.square(y - z).mean()), ("binary_accuracy", ((z > 0.5) == y).mean())):
        metric = metric_on_logits(name, label_loss("mse"), 1)
        np.testing.assert_allclose(result(metric, y, z), expected, rtol=1e-5)


@pytest.mark.parametrize(("mean", "spread"), [(0, 0.05), (-7, 0.3), (-3, 1), (2, 12)])
def test_auc_by_name_is_exact(mean, spread):
    rng = np.random.default_rng(1)
    y = (rng.random((4000, 1)) < 0.4).astype("float32")
    z = (mean + spread * (rng.normal(size=(4000, 1)) + y)).astype("float32")
    metric = metric_on_logits("auc", BCE, 1)
    metric.update_state(y, z)
    assert abs(float(metric.result()) - rk.metrics.auc(y, z)) < 1e-3


def test_metrics_of_ones_own_get_the_logits():
    class Largest(M.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.value = self.add_variable((), "zeros", name="value")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(keras.ops.maximum(self.value, keras.ops.max(y_pred)))

        def result(self):
            return self.value.value

    class Own(M.Precision):
        pass

    y, z = drawn()
    assert result(metric_on_logits(Largest(), BCE, 1), y, z) == z.max()
    assert type(metric_on_logits(Own(), BCE, 1)) is Own

    def spread(y_true, y_pred):
        return keras.ops.std(y_pred, axis=0)

    assert metric_on_logits(spread, BCE, 1) is spread


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (M.Accuracy(), 'take "accuracy"'),
        (M.Mean(), "leave it out"),
        (M.MeanIoU(3), "sparse_y_pred=False"),
        ("precision_at_recall", "needs arguments"),
        (keras.losses.CategoricalCrossentropy(), "takes probabilities"),
    ],
)
def test_metrics_without_a_meaning_on_logits_are_refused(metric, message):
    with pytest.raises(ValueError, match=message) as caught:
        metric_on_logits(metric, CCE, 3)
    assert "\n" not in str(caught.value)


LOSSES = {
    1: ["binary_crossentropy", "bce", "BinaryCrossentropy", "ce", K.binary_crossentropy, K.BinaryCrossentropy],
    3: ["categorical_crossentropy", K.categorical_crossentropy, "ce", "kld", K.KLDivergence()],
}


@pytest.mark.parametrize(
    ("logits", "loss"),
    [(n, loss) for n, losses in LOSSES.items() for loss in losses],
    ids=lambda value: str(getattr(value, "__name__", getattr(value, "name", value))),  # the same in every process
)
def test_a_losss_name_or_function_means_logits(logits, loss):
    y, z = drawn(logits)
    p = probabilities(z)
    expected = ONE_LOGIT["bce"](y, p) if logits == 1 else -np.log((p * y).sum(-1)).mean()
    np.testing.assert_allclose(float(label_loss(loss)(y, z)), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["binary_focal_crossentropy", "categorical_focal_crossentropy", "dice", "tversky"])
def test_further_losses_are_those_of_keras_on_probabilities(name):
    y, z = drawn(1 if name == "binary_focal_crossentropy" else 3)
    losses = keras.losses.get(name)(y, probabilities(z).astype("float32"))
    expected = float(np.mean(keras.ops.convert_to_numpy(losses)))
    np.testing.assert_allclose(float(label_loss(name)(y, z)), expected, rtol=1e-4)


def test_sparse_labels_and_regression_names():
    y, z = drawn(3)
    for name in ("sparse_categorical_crossentropy", "crossentropy"):
        got = float(label_loss(name)(y.argmax(-1), z))
        np.testing.assert_allclose(got, -np.log((probabilities(z) * y).sum(-1)).mean(), rtol=1e-5)
    np.testing.assert_allclose(float(label_loss("mse")(y, z)), np.square(y - z).mean(), rtol=1e-5)
    for loss in ("circle", K.CTC()):
        with pytest.raises(ValueError, match="no loss of logits"):
            label_loss(loss)


def test_compile_by_name_just_works_and_is_exact(make_pair, rows, tmp_path):
    x, y = rows(200, logits=1)
    rocket = compiled(make_pair(logits=1), loss="binary_crossentropy", metrics=["auc", "AUC", "accuracy"])
    # As Keras: twice one name in a head is counted on, but one name in two heads is not.
    logs = rocket.evaluate(x, y, verbose=0, return_dict=True)
    for head in ("light", "booster"):
        z = rocket.predict(x, verbose=0)[head]
        np.testing.assert_allclose(logs[f"{head}_auc"], rk.metrics.auc(y, z), atol=1e-3)
        np.testing.assert_allclose(logs[f"{head}_AUC"], logs[f"{head}_auc"], atol=1e-6)
        np.testing.assert_allclose(logs[f"{head}_accuracy"], ((z[:, 0] > 0) == y).mean(), rtol=1e-6)
        np.testing.assert_allclose(logs[f"{head}_loss"], rk.metrics.log_loss_from_logits(y, z), rtol=1e-5)
    assert not [name for name in logs if name[-1].isdigit()]
    rocket.save(tmp_path / "rocket.keras")
    loaded = keras.models.load_model(tmp_path / "rocket.keras")
    assert loaded.get_compile_config() == rocket.get_compile_config()
    again = loaded.evaluate(x, y, verbose=0, return_dict=True)
    assert again.keys() == logs.keys()
    for name, value in logs.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-6, err_msg=name)


def test_weighted_metrics_are_weighted(make_pair, rows):
    x, y = rows(100, logits=1)
    weight = np.linspace(0, 2, 100).astype("float32")
    precision = M.Precision(thresholds=0.6, name="sure")
    rocket = compiled(make_pair(logits=1), loss="bce", metrics=[precision], weighted_metrics=[precision])
    logs = rocket.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    chosen = probabilities(rocket.predict(x, verbose=0)["light"])[:, 0] > 0.6
    np.testing.assert_allclose(logs["light_sure"], y[chosen].mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["light_weighted_sure"], np.average(y[chosen], weights=weight[chosen]), rtol=1e-5)


def test_the_wrapper_is_saved_with_its_metric():
    wrapper = MetricOnProbabilities(M.Precision(thresholds=0.7), "softmax", 2.0)
    again = MetricOnProbabilities.from_config(wrapper.get_config())
    assert again.get_config() == wrapper.get_config()


def sparse_net(top=None):
    ids = keras.Input((2,), dtype="int32")
    table = rk.layers.SparseEmbedding((9,), 4, embeddings_initializer="normal")
    return rk.SparseNet(keras.Model(ids, keras.layers.Dense(1, top)(keras.layers.Flatten()(table(ids, fields=[0])))))


@pytest.mark.parametrize("top", [None, "sigmoid"])
def test_a_sparse_net_means_logits_where_it_ends_in_them(top, tmp_path):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (64, 2)), rng.integers(0, 2, (64, 1)).astype("float32")
    net = sparse_net(top)
    net.compile("sgd", "binary_crossentropy", metrics=["precision", "accuracy"], steps_per_execution=1)
    net.net.layers[-1].bias.assign([0.2])
    p = net.predict(x, verbose=0)
    p = p if top else probabilities(p)
    logs = net.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["loss"], ONE_LOGIT["bce"](y, p), rtol=1e-5)
    for name in ("precision", "accuracy"):
        np.testing.assert_allclose(logs[name], ONE_LOGIT[name](y, p), rtol=1e-5)
    net.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras").evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose([again[name] for name in logs], list(logs.values()), rtol=1e-6)


def brier(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - keras.ops.sigmoid(y_pred)), axis=-1)


@pytest.mark.parametrize(
    "loss", ["hinge", "squared_hinge", K.hinge, brier], ids=["hinge", "squared", "function", "own"]
)
def test_labels_with_and_without_a_last_axis_mean_the_same(make_pair, rows, loss):
    x, _ = rows(37, logits=1)
    y = np.random.default_rng(3).integers(0, 2, 37).astype("float32")
    rocket = rk.Rocket(make_pair(logits=1))
    rocket.compile("sgd", loss, metrics=["hinge", "bce", brier])
    flat, column = (rocket.evaluate(x, labels, verbose=0, return_dict=True) for labels in (y, y[:, None]))
    assert flat == column
    z = rocket.predict(x, verbose=0)["light"][:, 0]
    expected = np.square(y - 1 / (1 + np.exp(-z.astype("float64")))).mean()
    np.testing.assert_allclose(flat["light_brier"], expected, rtol=1e-5)
    if loss is brier:
        np.testing.assert_allclose(flat["light_loss"], expected, rtol=1e-5)
