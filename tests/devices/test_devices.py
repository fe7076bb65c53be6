"""One device and two, by each backend's own engine: the same global batches, the same training."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

HERE = Path(__file__).parent
ENGINES = runpy.run_path(str(HERE / "engines.py"))
SCENARIOS = runpy.run_path(str(HERE / "scenarios.py"))
BACKEND = keras.backend.backend()


@pytest.fixture
def both(tmp_path, monkeypatch):
    """A function that runs a scenario here, on one device, and on two; returns one result and one a process."""

    def run(name):
        monkeypatch.chdir(tmp_path)
        files = ENGINES["launch"](BACKEND, name, tmp_path)
        alone = SCENARIOS[name](ENGINES["Engine"]())
        return alone, [dict(np.load(file)) for file in files]

    return run


def check_same(alone, many, curve=1e-4, weight=1e-4):
    for found in many:
        assert found.keys() == alone.keys()
        for name, value in alone.items():
            limit = curve if "curve" in name else weight
            np.testing.assert_allclose(found[name], value, rtol=0, atol=limit, err_msg=name)
    for found in many[1:]:
        assert all(np.array_equal(value, many[0][name]) for name, value in found.items()), "processes differ"


def test_the_papers_way_is_the_same_training(both):
    alone, many = both("unrouted")
    check_same(alone, many)
    assert "curve_val_light_gauc" in alone
    assert alone["step000"] == 8  # global batches


@pytest.mark.nightly
@pytest.mark.parametrize("scenario", ["routed", "fleet"])
def test_routed_gradients_are_the_same_training(both, scenario):
    check_same(*both(scenario))


@pytest.mark.nightly
def test_a_batch_of_unequal_parts_is_weighed_by_rows_or_refused(both):
    alone, many = both("uneven")
    refused = [str(found["refused"]) for found in many if "refused" in found]
    if not refused:
        check_same(alone, many)
    assert all("Give a batch_size and a number of rows that 2 divides" in line for line in refused)


def test_moving_means_are_those_of_all_rows(both):
    alone, many = both("moving_statistics")
    assert len(alone) == 2
    check_same(alone, many, weight=1e-6)


@pytest.mark.nightly
def test_one_process_saves_and_loads_and_all_go_on(both):
    check_same(*both("resumed"))


def test_tables_moved_by_rows_are_the_same_training(both):
    check_same(*both("tables"))


@pytest.mark.nightly
@pytest.mark.skipif(BACKEND != "jax", reason="only keras.distribution, under JAX, cuts variables into shards")
def test_sharded_tables_are_the_same_training(both):
    alone, many = both("sharded")
    assert alone.pop("rows_here") == 30
    assert [found.pop("rows_here") for found in many] == [15]
    check_same(alone, many)


def test_what_cannot_be_trained_on_several_devices_says_so(both):
    _, many = both("refusals")
    expected = {
        "jax": {"outside": "must be built and compiled", "lengths": "that 2 divides"},
        "tensorflow": {
            "summed": "sum_over_batch_size",
            "outside": "must be built and compiled",
            "lengths": "Every replica must get a row of every batch",
        },
        "torch": {
            "summed": "sum_over_batch_size",
            "shards": "process 0 has a batch, process 1 has no further batch",
            "lengths": r"Received: [4, 3] batches, by process",
        },
    }
    for said in many:
        assert said.keys() == expected[BACKEND].keys()
        assert all(line in str(said[name]) for name, line in expected[BACKEND].items()), said
