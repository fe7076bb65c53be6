"""Training methods as data: what a stage is, and the table of all methods."""

from rocket_keras.methods.stage import Method, Stage, Term, all_stages
from rocket_keras.methods.table import METHODS, get_method

__all__ = ["METHODS", "Method", "Stage", "Term", "all_stages", "get_method"]
