"""What a click-through-rate pair cannot be built from, each in one line."""

from collections.abc import Sequence

from zoo.features import Categorical, Feature, History, MultiCategorical


def check_features(features: Sequence[Feature]) -> None:
    """Raise ValueError for a name twice, no feature for the light net, or a history without its feature."""
    names = [feature.name for feature in features]
    if len(set(names)) < len(names):
        raise ValueError(f"expected each feature with a name of its own, received {names}; rename the doubles")
    if all(feature.privileged for feature in features):
        raise ValueError(
            f"expected at least one feature that is not privileged, received {names}; the light net reads only such"
        )
    for feature in features:
        if isinstance(feature, History):
            _check_history(feature, features)


def check_sharing(features: Sequence[Feature], sharing: str, share_except: Sequence[str], private_dim: int) -> None:
    """Raise ValueError for options of sharing that are unknown or contradict each other."""
    if sharing not in ("embeddings", "none"):
        raise ValueError(
            f"expected `sharing` to be 'embeddings' or 'none', received {sharing!r}; choose one of the two"
        )
    if not isinstance(private_dim, int) or isinstance(private_dim, bool) or private_dim < 0:
        raise ValueError(
            f"expected `private_dim` to be a width of 0 or more, received {private_dim!r}; give 0 for none"
        )
    if sharing == "none" and (share_except or private_dim):
        raise ValueError(
            f"expected `share_except` and `private_dim` with sharing='embeddings' alone, received {share_except!r} and "
            f"{private_dim} with sharing='none'; leave them out, every table is private already"
        )
    possible = [f.name for f in features if isinstance(f, Categorical | MultiCategorical) and not f.privileged]
    unknown = [name for name in share_except if name not in possible]
    if unknown:
        raise ValueError(
            f"expected `share_except` to name categorical features of both nets, {possible}, received {unknown}; "
            "correct the names"
        )


def check_embedding(embedding: str) -> None:
    """Raise ValueError for an unknown kind of table."""
    if embedding not in ("dense", "sparse"):
        raise ValueError(
            f"expected `embedding` to be 'dense' or 'sparse', received {embedding!r}; choose one of the two"
        )


def check_bottom(bottom_units: Sequence[int], sharing: str, by_side: bool) -> None:
    """Raise ValueError for a shared bottom where nothing is shared or sides must stay apart."""
    if bottom_units and (sharing == "none" or by_side):
        why = "sharing='none'" if sharing == "none" else "a two-tower net, whose sides must not mix"
        raise ValueError(f"expected no `bottom_units` beside {why}, received {bottom_units!r}; leave them out")


def _check_history(history: History, features: Sequence[Feature]) -> None:
    categorical = {feature.name: feature for feature in features if isinstance(feature, Categorical)}
    if history.of not in categorical:
        raise ValueError(
            f"expected `of` of History {history.name!r} to name a Categorical feature, one of {list(categorical)}, "
            f"received {history.of!r}; name the feature whose ids it holds"
        )
    if categorical[history.of].privileged and not history.privileged:
        raise ValueError(
            f"expected a History of the privileged feature {history.of!r} to be privileged, received {history.name!r}, "
            "which is not; mark it, for the light net has no table of these ids"
        )
