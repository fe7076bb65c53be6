"""A table that is trained row by row ends as one that is trained in full, where the mathematics is the same."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import row_optimizers

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rows.py")))
make_pair, dense, drawn, trained, table_of = (
    helpers[name] for name in ("make_pair", "dense", "drawn", "trained", "table_of")
)
ROUTES = [{}, {"light_to_shared": False}, {"light_to_shared": False, "gradient_block": False}]


def weights(model):
    return [keras.ops.convert_to_numpy(v.value) for v in model.weights]


def assert_same(pair, other, atol=1e-6):
    for net, twin in ((pair.light, other.light), (pair.booster, other.booster)):
        for a, b in zip(weights(net), weights(twin), strict=True):
            np.testing.assert_allclose(a, b, atol=atol, rtol=0)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("switches", ROUTES)
def test_sgd_equals_the_dense_update(switches, apart):
    pair, other = make_pair(apart=apart), dense(apart=apart)
    before = table_of(pair)
    trained(pair, row_optimizers.SGD(0.1), switches=switches)
    trained(other, switches=switches)
    assert_same(pair, other)
    assert np.abs(table_of(pair) - before).max() > 1e-3


def test_adagrad_equals_the_dense_update():
    pair, other = make_pair(), dense()
    rate = 0.05
    trained(pair, row_optimizers.Adagrad(rate, row_wise=False), keras.optimizers.Adagrad(rate))
    trained(other, None, keras.optimizers.Adagrad(rate))
    assert_same(pair, other)
