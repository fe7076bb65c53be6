"""Data sets, one loader a file: `from zoo.data import digits; digits.load()`.

A loader is imported by its own name, so that a data set costs only what its loader needs.
"""

from zoo.data.splits import Dataset, Split

__all__ = ["Dataset", "Split"]
