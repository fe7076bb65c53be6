"""Builders for a search: from Keras Tuner's hyperparameters to a pair."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rocket_keras.pair import Pair
from zoo.ctr import ctr_pair
from zoo.features import Categorical, Feature, MultiCategorical
from zoo.wide_resnet import wide_resnet_pair

PairBuilder = Callable[[Any], Pair]
"""From `keras_tuner.HyperParameters` to an untrained pair."""


def ctr_pair_builder(
    features: Sequence[Feature],
    depths: Sequence[int] = (1, 2, 3),
    units: Sequence[int] = (16, 32, 64, 128, 256, 512),
    embedding_dims: Sequence[int] = (),
    shared_depths: Sequence[int] = (),
    shared_units: int = 128,
    private_dims: Sequence[int] = (),
    **fixed: Any,
) -> PairBuilder:
    """Return a builder of click-through-rate pairs whose light nets differ in depth and width.

    Hyperparameters: `light_depth`, `light_units_0`, `light_units_1`, ... (active where the net is that deep), and,
    where more than one value is offered, `embedding_dim`, `shared_depth`, `private_dim`. Light nets that differ in
    `embedding_dim` or `shared_depth` have another booster, so they cannot share a launch.

    Args:
        features: As in `zoo.ctr_pair`.
        depths: Numbers of the light net's hidden layers.
        units: Widths of each.
        embedding_dims: Widths of the embeddings of all features of ids; empty: those of the features.
        shared_depths: Numbers of dense layers that both nets share above the embeddings; empty: none.
        shared_units: Width of each of these.
        private_dims: Widths of the light net's private embeddings, 0 for none; empty: none.
        **fixed: Further arguments of `zoo.ctr_pair`.

    Raises:
        ValueError: No depth or no width is offered, or one is below 1.

    Example:

    ```python
    builder = zoo.ctr_pair_builder(features, booster_units=(512, 256, 128))
    result = tuning.search(builder, tuning.LatencyBudget(p99_ms=2.0, batch_size=200), train, validation)
    ```
    """
    _check(depths=depths, units=units, embedding_dims=embedding_dims or (1,))

    def build(hp: Any) -> Pair:
        depth = _choice(hp, "light_depth", depths)
        light = []
        for i in range(max(depths)):
            deep_enough = [d for d in depths if d > i]
            if len(deep_enough) == len(depths):
                light.append(_choice(hp, f"light_units_{i}", units))
            else:
                with hp.conditional_scope("light_depth", deep_enough):
                    if i < depth:
                        light.append(_choice(hp, f"light_units_{i}", units))
        options: dict[str, Any] = {"light_units": tuple(light), **fixed}
        if shared_depths:
            options["bottom_units"] = (shared_units,) * _choice(hp, "shared_depth", shared_depths)
        if private_dims:
            options["private_dim"] = _choice(hp, "private_dim", private_dims)
        width = _choice(hp, "embedding_dim", embedding_dims) if embedding_dims else None
        return ctr_pair([_widened(feature, width) for feature in features], **options)

    return build


def wide_resnet_pair_builder(
    light_depths: Sequence[int] = (10, 16, 22, 28),
    sharings: Sequence[str] = ("interval",),
    **fixed: Any,
) -> PairBuilder:
    """Return a builder of Wide ResNet pairs whose light nets differ in depth, and in what they share.

    Hyperparameters: `light_depth`, which under `"interval"` is also the depth of what is shared, and `sharing` where
    more than one is offered.

    Args:
        light_depths: Depths of the light net, 6 n + 4.
        sharings: Some of `"interval"`, `"bottom"`, `"none"`.
        **fixed: Further arguments of `zoo.wide_resnet_pair`.
    """
    _check(light_depths=light_depths)

    def build(hp: Any) -> Pair:
        sharing: Any = _choice(hp, "sharing", sharings)
        return wide_resnet_pair(_choice(hp, "light_depth", light_depths), sharing=sharing, **fixed)

    return build


def _choice(hp: Any, name: str, values: Sequence[Any]) -> Any:
    """Ask Keras Tuner; what has one value only is no hyperparameter."""
    return hp.Choice(name, list(values)) if len(values) > 1 else values[0]


def _widened(feature: Feature, width: int | None) -> Feature:
    if width is None or not isinstance(feature, Categorical | MultiCategorical):
        return feature
    return replace(feature, dim=width)


def _check(**offered: Sequence[int]) -> None:
    for name, values in offered.items():
        if not values or min(values) < 1:
            raise ValueError(f"expected `{name}` with at least one number, all above 0, received {tuple(values)}")
