"""Latency of a net as it is served: exported to ONNX, run by ONNX Runtime with a fixed number of threads."""

from rocket_keras.latency.measure import Latency, measure_latency
from rocket_keras.latency.several import measure_each
from rocket_keras.processor import processor

__all__ = ["Latency", "measure_each", "measure_latency", "processor"]
