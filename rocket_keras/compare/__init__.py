"""Every training method of the field under one budget: tuned, trained over seeds, measured and reported."""

from rocket_keras.compare.comparison import GRID, Comparison, pick_methods
from rocket_keras.compare.run import compare
from rocket_keras.compare.stage import WindowOver

__all__ = ["GRID", "Comparison", "WindowOver", "compare", "pick_methods"]
