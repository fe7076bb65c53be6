"""Copies of nets compute what the originals compute, and are independent of them."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from rocket_keras import Fleet
from rocket_keras.net_state import copy_state

made_up = runpy.run_path(str(Path(__file__).with_name("made_up_nets.py")))
CASES, pair_of, logits, weights, trained = (made_up[n] for n in ("CASES", "pair_of", "logits", "weights", "trained"))
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every_case
def test_a_detached_net_computes_the_same_and_trains_alone(case):
    pair = pair_of(case)
    expected, before = logits(pair.light, case), weights(pair.light)
    detached = pair.detach()
    np.testing.assert_allclose(logits(detached, case), expected, atol=1e-6)
    assert [w.trainable for w in detached.weights] == [w.trainable for w in pair.light.weights]
    assert [w.dtype for w in detached.weights] == [w.dtype for w in pair.light.weights]
    assert [w.name for w in detached.weights] == [w.name for w in pair.light.weights]
    assert not {id(v) for v in detached.variables} & {id(v) for v in pair.light.variables}
    trained(detached, case)
    assert np.abs(logits(detached, case) - expected).max() > 1e-4
    for now, then in zip(weights(pair.light), before, strict=True):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_array_equal(logits(pair.light, case), expected)


@every_case
def test_a_light_net_that_a_fleet_puts_on_another_booster_computes_the_same(case):
    first, second = pair_of(case), pair_of(case, shared=False, units=4)
    assert first
    pairs = {"a": pair_of(case, shared=False), "b": second}
    expected, before = logits(second.light, case), weights(second.light)
    fleet = Fleet(pairs)
    np.testing.assert_allclose(logits(fleet.pairs["b"].light, case), expected, atol=1e-6)
    np.testing.assert_allclose(logits(fleet, case)["b"], expected, atol=1e-6)
    trained(fleet, case)
    for now, then in zip(weights(second.light), before, strict=True):
        np.testing.assert_array_equal(now, then)


@every_case
def test_a_net_that_was_built_apart_gets_the_whole_state(case):
    source, target = pair_of(case).light, pair_of(case).light
    copy_state(source, target)
    np.testing.assert_allclose(logits(target, case), logits(source, case), atol=1e-6)
