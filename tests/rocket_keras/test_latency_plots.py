"""What the latency figures draw."""

import numpy as np
import pytest

from rocket_keras import Latency
from rocket_keras.latency.plots import histogram_figure, plane_figure

pytest.importorskip("matplotlib")


def net(auc, p50, p99, **setting):
    setting = {"batch_size": 200, "threads": 1, "runtime": "onnxruntime 1"} | setting
    return {"test": {"auc": auc}, "latency": {"p50_ms": p50, "p99_ms": p99, **setting}}


NETS = {"base": net(0.70, 0.1, 0.2), "light": net(0.73, 0.1, 0.2), "booster": net(0.74, 1.5, 2.0)}


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_plane_shows_each_net_and_the_budget():
    figure = plane_figure(NETS, 0.5)
    (panel,) = figure.axes
    dots = {tuple(float(v[0]) for v in line.get_data()) for line in panel.lines if line.get_marker() == "o"}
    assert dots == {(0.1, 0.70), (0.1, 0.73), (1.5, 0.74)}
    assert any(text.startswith("booster alone: 0.7400, 1.50 / 2.00 ms") for text in texts(figure))
    assert "budget 0.5 ms" in texts(figure)
    assert panel.get_xlabel() == "ms for 200 rows, 1 thread, onnxruntime 1: dot p50, bar p99"


def test_without_a_budget_there_is_no_line():
    assert not any("budget" in text for text in texts(plane_figure(NETS)))


def test_nets_measured_otherwise_are_not_put_into_one_plane():
    assert plane_figure(NETS | {"booster": net(0.74, 1.5, 2.0, threads=2)}) is None
    assert plane_figure({"light": {"test": {"auc": 0.7}, "latency": None}}) is None


def test_the_histogram_counts_every_request_or_says_how_many_are_not_shown():
    times = np.concatenate([np.linspace(0.1, 0.3, 990), np.full(10, 50.0)])
    p50, p95, p99 = np.quantile(times, [0.5, 0.95, 0.985])
    latency = Latency(p50, p95, p99, 8, 2, len(times), "onnxruntime 1", "Chip", p99_interval=(0.2, 0.31))
    figure = histogram_figure(times, latency)
    (panel,) = figure.axes
    assert sum(bar.get_height() for bar in panel.patches) == 990
    assert panel.get_title("left") == "1,000 requests of 8 candidates, 10 slower than shown"
    assert panel.get_xlabel() == "ms a request, onnxruntime 1, 2 threads"
