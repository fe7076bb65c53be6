"""Light/booster pairs to load, to build, to launch and to compare with."""

import rocket_keras  # noqa: F401  # first: it chooses a backend before anything imports Keras
from zoo.ctr import ctr_pair
from zoo.entries import Entry, get_entry, list_entries
from zoo.features import Categorical, Feature, History, MultiCategorical, Numeric, features_of
from zoo.heads import replace_head, without_head
from zoo.loading import load, load_into, load_light, preprocess_input
from zoo.mobile import mobile_pair
from zoo.preset import save_preset
from zoo.spaces import ctr_pair_builder, wide_resnet_pair_builder
from zoo.wide_resnet import wide_resnet_pair

__all__ = [
    "Categorical",
    "Entry",
    "Feature",
    "History",
    "MultiCategorical",
    "Numeric",
    "ctr_pair",
    "ctr_pair_builder",
    "features_of",
    "get_entry",
    "list_entries",
    "load",
    "load_into",
    "load_light",
    "mobile_pair",
    "preprocess_input",
    "replace_head",
    "save_preset",
    "wide_resnet_pair",
    "wide_resnet_pair_builder",
    "without_head",
]
