"""Each method's last loss equals its paper's equation, written out in NumPy with the paper's numbers."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from rocket_keras import Rocket
from rocket_keras.compare.job import Job
from rocket_keras.compare.stage import _begin_with
from rocket_keras.compare.stage_model import stage_model
from rocket_keras.graph import inputs_of
from rocket_keras.methods import METHODS, all_stages, get_method
from rocket_keras.methods.rival_rows import GUIDED

SEED = 3
HINT_WEIGHT = 0.3  # the toy recipe's


@dataclasses.dataclass(frozen=True)
class Said:
    """What a batch's nets say, in float64: labels (-1: none), light and booster logits, all taps; and the time."""

    y: np.ndarray
    light: np.ndarray
    booster: np.ndarray
    taps: dict[str, np.ndarray]
    rocket: Any
    done: float

    @property
    def one_logit(self):
        return self.light.shape[-1] == 1


def log_softmax(logits):
    """Log-probabilities of the classes; one logit is the second of two classes, the first one's is 0."""
    logits = np.concatenate([0 * logits, logits], -1) if logits.shape[-1] == 1 else logits
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def ce(s, logits=None):
    losses = -np.take_along_axis(log_softmax(s.light if logits is None else logits), np.maximum(s.y, 0)[:, None], -1)
    return np.mean((s.y >= 0) * losses[:, 0])


def kl(target, logits, temperature=1.0):
    p, q = log_softmax(target / temperature), log_softmax(logits / temperature)
    return np.mean(np.sum(np.exp(p) * (p - q), -1))


def kd(s, target=None):
    return 16 * kl(s.booster if target is None else target, s.light, 4.0)


def squared_logits(s):
    return np.mean(np.sum((s.light - s.booster) ** 2, -1))


def squared_probabilities(s):
    begin = 1 if s.one_logit else 0  # of two classes the click's alone
    difference = np.exp(log_softmax(s.light)) - np.exp(log_softmax(s.booster))
    return (10.0 if s.one_logit else 3.0) * np.mean(np.sum(difference[:, begin:] ** 2, -1))


def attention(s):
    """1000 times the mean over positions of the squared difference of the normalised maps, summed over groups."""

    def unit_map(features):
        energy = np.mean(features**2, -1).reshape(len(features), -1)
        return energy / np.sqrt(np.sum(energy**2, -1, keepdims=True))

    pairs = [(s.taps[f"light_map{i}"], s.taps[f"booster_map{i}"]) for i in range(2)]
    return sum(1000 * np.mean((unit_map(u) - unit_map(v)) ** 2) for u, v in pairs)


def regressed(s, hint):
    kernel, bias = (keras.ops.convert_to_numpy(v).astype("float64") for v in hint.regressor.weights)
    return s.taps[hint.student_layer_name] @ kernel + bias, s.taps[hint.teacher_layer_name]


def cosines(s):
    total = 0.0
    for hint in s.rocket.hints[1:]:
        u, v = (features.reshape(len(features), -1) for features in regressed(s, hint))
        lengths = np.sqrt(np.sum(u**2, -1) * np.sum(v**2, -1))
        cosine = np.sum(u * v, -1) / np.where(lengths > 0, lengths, 1.0)  # features of zeros have cosine 0
        total += 0.1 * np.mean(1 - cosine)
    return total


def decoupled(s):
    """T^2 (TCKD + 8 NCKD), T = 4: the divergence of "the label or not", and that among the other classes."""
    (p, q), rows = (np.exp(log_softmax(z / 4)) for z in (s.booster, s.light)), np.arange(len(s.y))
    target = np.stack([p[rows, s.y], 1 - p[rows, s.y]]), np.stack([q[rows, s.y], 1 - q[rows, s.y]])
    rest = [np.stack([np.delete(row, y) for row, y in zip(z, s.y, strict=True)]) for z in (p, q)]
    others = [z / z.sum(-1, keepdims=True) for z in rest]
    tckd = np.mean(np.sum(target[0] * np.log(target[0] / target[1]), 0))
    return 16 * (tckd + 8 * np.mean(np.sum(others[0] * np.log(others[0] / others[1]), -1)))


def standardised(s):
    z, light = ((x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True) for x in (s.booster, s.light))
    return 9 * 4 * kl(z, light, 2.0)


def distilled_click(s):
    """λ times the log loss against the teacher's probability, less its least value, which no gradient sees."""
    log_p, log_q = log_softmax(s.booster), log_softmax(s.light)
    log_loss = -np.mean(np.sum(np.exp(log_p) * log_q, -1))
    return 0.5 * ce(s) + 0.5 * (log_loss + np.mean(np.sum(np.exp(log_p) * log_p, -1)))


def after_swap(s):
    return distilled_click(s) if s.done >= 0.2 else ce(s)


def rocket(s):
    return ce(s) + HINT_WEIGHT * squared_logits(s)


LIGHT_LOSS = {
    "base": ce,
    "booster": lambda s: ce(s, s.booster),
    **dict.fromkeys([m.name for m in METHODS if m.name.startswith("rocket")], rocket),
    "rocket+kd": lambda s: rocket(s) + 0.9 * kd(s, s.taps["teachers"]),
    "rocket+cosine": lambda s: rocket(s) + cosines(s),
    "rocket-squared-probability": lambda s: ce(s) + squared_probabilities(s),
    "rocket-kd-hint": lambda s: ce(s) + 0.9 * kd(s),
    "kd": lambda s: 0.1 * ce(s) + 0.9 * kd(s),
    "kd-ensemble": lambda s: 0.1 * ce(s) + 0.9 * kd(s),
    "mimic": lambda s: 0.5 * squared_logits(s),
    "softmax-l2": lambda s: ce(s) + squared_probabilities(s),
    "compression": squared_probabilities,
    "fitnets": lambda s: ce(s) + (4 - 3 * s.done) * 9 * kl(s.booster, s.light, 3.0),
    "at": lambda s: ce(s) + attention(s),
    "at+kd": lambda s: 0.1 * ce(s) + 0.9 * kd(s) + attention(s),
    "dkd": lambda s: ce(s) + decoupled(s),
    "logit-std": lambda s: 0.1 * ce(s) + standardised(s),
    # Both directions are one term of the loss; each net sees the gradient of its own.
    "dml": lambda s: ce(s) + kl(s.booster, s.light) + kl(s.light, s.booster),
    **dict.fromkeys(["md", "md-routed", "pfd", "pfd-routed", "pfd+md", "pfd+md-routed"], after_swap),
    "pfd-async": distilled_click,
    "relay": rocket,
}


def shaken(net):
    """Take the net's weights away from zero biases and tiny logits."""
    rng = np.random.default_rng(len(net.weights))
    for variable in net.trainable_variables:
        variable.assign(variable + 0.4 * rng.normal(size=variable.shape))


def finished_before(plan, job, root):
    """Put down untrained nets where those of the stages before would lie; return those of the job's teachers."""
    nets = {}
    for stage in all_stages((job.stage,))[:-1]:
        before = job.of(stage)
        pair = plan.pair(stage.variant)
        folder = before.folder(root, plan)
        folder.mkdir(parents=True, exist_ok=True)
        for head in ("light", "booster"):
            shaken(getattr(pair, head))
            if stage.trains in (head, "both"):
                getattr(pair, head).save_weights(folder / f"{head}.weights.h5")
        nets[stage] = pair.booster
    return [nets[stage] for stage in job.stage.teachers]


def losses(plan, stage, root):
    """Yield the loss of the light net on a batch and what the nets say, at the stage's first, swap and last step."""
    job = Job(stage, SEED).of(stage)
    teachers = finished_before(plan, job, root)
    pair = plan.pair(stage.variant)
    for net in (pair.light, pair.booster):
        shaken(net)
    if stage.start is not None:
        _begin_with(pair, job.of(stage.start).folder(root, plan))
    model, rows, _ = stage_model(plan, job, root, pair)
    batch = rows.rows(np.r_[0:9, len(rows) - 7 : len(rows)])
    y_pred = model(inputs_of(model, batch.x), training=False)
    if not isinstance(model, Rocket):
        logits = keras.ops.convert_to_numpy(y_pred).astype("float64")
        loss = model.compute_loss(None, keras.ops.convert_to_tensor(batch.y), y_pred)
        yield keras.ops.convert_to_numpy(loss), Said(batch.y.astype(int), logits, logits, {}, None, 0.0)
        return
    taps = {name: keras.ops.convert_to_numpy(tensor).astype("float64") for name, tensor in y_pred.items()}
    if teachers:
        x = batch.x.get("image", batch.x)
        said = np.mean([net.predict(inputs_of(net, x), verbose=0) for net in teachers], 0)
        np.testing.assert_allclose(taps["booster" if stage.trains == "light" else "teachers"], said, atol=1e-4)
    steps = job.epochs(plan) * plan.steps_per_epoch
    for step in (0, int(0.2 * steps) - 1, int(0.2 * steps), steps - 1):
        model.step.assign(step)
        terms = model.loss_terms(keras.ops.convert_to_tensor(batch.y), y_pred, training=False)
        said = Said(batch.y.astype(int), taps["light"], taps["booster"], taps, model, step / steps)
        yield keras.ops.convert_to_numpy(terms["light"] + terms["hint"]), said


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_loss_is_the_papers(make_toy_plan, tmp_path, method):
    plans = [make_toy_plan(kind, epochs=5)(SEED) for kind in ("images", "click")]
    possible = [plan for plan in plans if method.lacks(plan) is None]
    assert possible
    for plan in possible:
        for got, said in losses(plan, method.stages[-1], tmp_path / plan.name):
            assert got == pytest.approx(LIGHT_LOSS[method.name](said), rel=2e-5), f"{plan.name}, {said.done:.2f} done"


@pytest.mark.parametrize(("kind", "weight"), [("images", 0.003), ("click", 0.01)])
def test_fitnets_begin_with_half_the_squared_distance_of_regressed_features(make_toy_plan, tmp_path, kind, weight):
    for got, said in losses(make_toy_plan(kind, epochs=5)(SEED), GUIDED, tmp_path):
        light, booster = regressed(said, said.rocket.hints[0])
        squares = np.sum((light - booster).reshape(len(light), -1) ** 2, -1)
        assert got == pytest.approx(weight * 0.5 * np.mean(squares), rel=2e-5)


def test_every_row_has_its_equation_and_a_name_of_its_own():
    assert set(LIGHT_LOSS) == {method.name for method in METHODS}
    assert len({method.title for method in METHODS}) == len({method.name for method in METHODS}) == len(METHODS)
    assert all(method.equation and method.paper for method in METHODS)


def test_each_ablation_of_rocket_differs_in_one_thing():
    full = get_method("rocket").stages[0]
    ablations = [m for m in METHODS if m.family == "ablation" and len(m.stages) == 1]
    for method in ablations:
        (stage,) = method.stages
        fields = [f.name for f in dataclasses.fields(stage) if getattr(stage, f.name) != getattr(full, f.name)]
        assert len(fields) == 1, f"{method.name}: {fields}"
    assert len(ablations) > 8


@pytest.mark.parametrize("switch", [True, False], ids=lambda switch: f"the entry says {switch}")
@pytest.mark.parametrize("name", ["md", "pfd", "pfd+md", "rocket-privileged"])
def test_published_rows_train_the_shared_layers_and_routed_rows_do_not(make_toy_plan, tmp_path, name, switch):
    plan = make_toy_plan("click", epochs=1, light_to_shared=switch)(SEED)
    for method, to_shared in ((get_method(name), True), (get_method(f"{name}-routed"), False)):
        pair = plan.pair(method.stages[0].variant)
        rocket, _, _ = stage_model(plan, Job(method.stages[0], SEED), tmp_path, pair)
        assert pair.shared_variables
        assert rocket.light_to_shared is to_shared, method.name
        assert method.family == "privileged"
        assert method.tuned


def test_an_unknown_method_suggests_the_nearest():
    with pytest.raises(KeyError, match=r"no method 'rockt'\. Did you mean 'rocket'\?"):
        get_method("rockt")
    with pytest.raises(KeyError, match="There are base, booster, rocket"):
        get_method("x")
