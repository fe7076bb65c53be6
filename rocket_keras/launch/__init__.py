"""One launch: base, booster and rocket under one budget, measured, exported and reported."""

from rocket_keras.launch.recipe import Plan, Recipe
from rocket_keras.launch.run import launch

__all__ = ["Plan", "Recipe", "launch"]
