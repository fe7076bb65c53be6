"""Light/booster pairs to build, to launch and to compare with."""

from zoo.ctr import ctr_pair
from zoo.features import Categorical, Numeric
from zoo.wide_resnet import wide_resnet_pair

__all__ = ["Categorical", "Numeric", "ctr_pair", "wide_resnet_pair"]
