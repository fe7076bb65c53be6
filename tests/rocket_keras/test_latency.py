import time

import numpy as np
import pytest

from rocket_keras import export_light, measure_latency
from rocket_keras import latency as module


def test_percentiles_are_ordered_and_say_what_they_are_of(make_pair):
    result = measure_latency(make_pair().light, batch_size=16, budget_ms=1000.0, requests=50)
    assert 0 < result.p50_ms <= result.p95_ms <= result.p99_ms
    assert (result.batch_size, result.threads, result.requests) == (16, 1, 50)
    assert result.runtime.startswith("onnxruntime ")
    assert result.within_budget is True
    assert module.processor()


def test_a_known_delay_is_measured(make_pair, rows, tmp_path, monkeypatch):
    path = export_light(make_pair(), tmp_path / "light.onnx")
    session = module.onnx_session(path)

    class Slow:
        def get_inputs(self):
            return session.get_inputs()

        def run(self, names, feed):
            assert all(len(value) == 4 for value in feed.values())
            time.sleep(0.01)

    monkeypatch.setattr(module, "onnx_session", lambda *args: Slow())
    result = measure_latency(path, 4, budget_ms=5.0, rows=rows()[0], requests=20, warm_up=1)
    assert 10 <= result.p50_ms < 30
    assert result.within_budget is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"batch_size": 8, "rows": np.zeros((7, 5), "float32")}, "at least one request of 8 rows"),
    ],
)
def test_bad_requests_are_named(make_pair, options, message):
    with pytest.raises(ValueError, match=message):
        measure_latency(make_pair().light, **options)


def test_an_onnx_file_needs_rows(tmp_path):
    with pytest.raises(ValueError, match="Give rows"):
        measure_latency(tmp_path / "net.onnx")
