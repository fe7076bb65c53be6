"""Searching for the most accurate light net that meets a measured latency budget."""

from tuning.budget import LatencyBudget

__all__ = ["LatencyBudget"]
