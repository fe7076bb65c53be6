"""After a training, evaluation or prediction that failed, a model goes on where it was."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import SparseNet

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rocket.py")))
compiled, values = helpers["compiled"], helpers["values"]


class Batches(keras.utils.PyDataset):
    """Batches of 8 rows, of which one cannot be read."""

    def __init__(self, x, y, bad):
        super().__init__()
        self.x, self.y, self.bad = x, y, bad

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == self.bad:
            raise KeyError("no such batch")
        part = slice(index * 8, index * 8 + 8)
        return self.x[part], self.y[part]


class Failing(keras.callbacks.Callback):
    def __init__(self, error, method):
        super().__init__()
        self.error = error
        setattr(self, method, self.fail)

    def fail(self, *_, **__):
        raise self.error


def failing_loss(y_true, y_pred):
    raise KeyError("the loss")


CASES = {
    "data": lambda m, x, y: m.fit(Batches(x, y, 2), verbose=0),
    "validation data": lambda m, x, y: m.fit(x, y, validation_data=Batches(x, y, 2), verbose=0),
    "evaluation data": lambda m, x, y: m.evaluate(Batches(x, y, 2), verbose=0),
    "first batch of predict": lambda m, x, y: m.predict(Batches(x, y, 0), verbose=0),
    "predict": lambda m, x, y: m.predict(Batches(x, y, 2), verbose=0),
    "callback of evaluate": lambda m, x, y: m.evaluate(
        x, y, batch_size=8, verbose=0, callbacks=[Failing(KeyError("no callback"), "on_test_batch_end")]
    ),
    "callback of predict": lambda m, x, y: m.predict(
        x, batch_size=8, verbose=0, callbacks=[Failing(KeyError("no callback"), "on_predict_batch_end")]
    ),
    **{
        f"{method} {type(error).__name__}": lambda m, x, y, method=method, error=error: m.fit(
            x, y, batch_size=8, validation_data=(x, y), verbose=0, callbacks=[Failing(error, method)]
        )
        for method, error in [
            ("on_train_batch_end", KeyboardInterrupt("no callback")),
            ("on_test_batch_end", KeyError("no callback")),
        ]
    },
}


def check_goes_on(model, x, y):
    weights = values(model.variables)
    assert all(np.isfinite(w).all() for w in weights)
    before = model.predict(x, verbose=0)
    model.fit(x, y, verbose=0)
    after = model.predict(x, verbose=0)
    assert not np.array_equal(before["light"], after["light"])


@pytest.mark.parametrize("case", CASES)
def test_a_rocket_goes_on_after_a_failure(make_pair, rows, case):
    x, y = rows(32)
    rocket = compiled(make_pair(), keras.optimizers.SGD(0.1, momentum=0.9))
    # TensorFlow makes an error of its own of one in its data.
    with pytest.raises((Exception, KeyboardInterrupt), match=r"no such batch|no callback"):
        CASES[case](rocket, x, y)
    check_goes_on(rocket, x, y)


@pytest.mark.parametrize("steps", [0, 3])
def test_what_was_learnt_before_the_failure_stays(make_pair, rows, steps):
    x, y = rows(32)

    def trained(bad):
        keras.utils.set_random_seed(1)
        rocket = compiled(make_pair(), keras.optimizers.SGD(0.1, momentum=0.9))
        if bad is None:
            for index in range(steps):
                rocket.fit(x[index * 8 : index * 8 + 8], y[index * 8 : index * 8 + 8], shuffle=False, verbose=0)
        else:
            with pytest.raises(Exception, match="no such batch"):
                rocket.fit(Batches(x, y, bad), shuffle=False, verbose=0)
        return values(rocket.pair.joint.variables)

    for a, b in zip(trained(steps), trained(None), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_step_that_cannot_be_traced_takes_nothing(make_pair, rows):
    x, y = rows(32)
    pair = make_pair()
    before = values(pair.joint.variables)
    rocket = compiled(pair, loss=failing_loss)
    with pytest.raises(KeyError, match="the loss"):
        rocket.fit(x, y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, values(pair.joint.variables), strict=True))
    assert rocket.predict(x, verbose=0)["light"].shape == (32, 3)
    net = SparseNet(pair.light)
    net.compile("sgd", failing_loss)
    with pytest.raises(KeyError, match="the loss"):
        net.evaluate(x, y, verbose=0)
    assert net.predict(x, verbose=0).shape == (32, 3)
