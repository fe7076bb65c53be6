"""Light/booster pairs to build, to launch and to compare with."""

from zoo.ctr import ctr_pair
from zoo.entries import Entry, get_entry, list_entries
from zoo.features import Categorical, Feature, History, MultiCategorical, Numeric
from zoo.wide_resnet import wide_resnet_pair

__all__ = [
    "Categorical",
    "Entry",
    "Feature",
    "History",
    "MultiCategorical",
    "Numeric",
    "ctr_pair",
    "get_entry",
    "list_entries",
    "wide_resnet_pair",
]
