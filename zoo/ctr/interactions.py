"""Towers with products of features beside the dense layers: Wide & Deep, DeepFM, DCN-v2."""

from collections.abc import Sequence

import keras
from keras import layers

from rocket_keras.layers import FactorizationMachine, FeatureCross, MaskedMean, SparseEmbedding, SparseLinear
from zoo.ctr.columns import Columns, table_of
from zoo.ctr.dense import head, hidden_layers
from zoo.features import Categorical, History

_CROSSES = 2


def wide_deep(columns: Columns, units: Sequence[int], logits: int, name: str) -> keras.KerasTensor:
    """A linear part over every id and number, plus an MLP over the columns: `(batch, logits)`.

    The linear part's weights, one an id and logit, are the net's own; of a feature of several ids it takes the mean.
    It has no cross-products of ids: those are the app store's own features in the paper, a column of the data here.

    References:
        Cheng et al., Wide & Deep Learning for Recommender Systems, DLRS 2016, equation 3.
    """
    deep = head(hidden_layers(columns.joined(f"{name}_input"), units, name), logits, f"{name}_deep")
    return layers.Add(dtype="float32", name=f"{name}_logits")([deep, *_linear(columns, logits, name)])


def deepfm(columns: Columns, units: Sequence[int], logits: int, name: str) -> keras.KerasTensor:
    """A factorization machine plus an MLP over the same embeddings: one logit `(batch, 1)`.

    The factorization machine's first order is a linear part over every id and number; its second order is the sum of
    the dot products of all pairs of embeddings of one width. Embeddings of different widths, and numbers, which have
    none, meet in the MLP alone.

    Raises:
        ValueError: More than one logit (the second order has one), no two features of ids of one width, or
            `bottom_units`.

    References:
        Guo et al., DeepFM, IJCAI 2017, equations 1 and 2.
    """
    if logits != 1:
        raise ValueError(f"expected 1 logit of the DeepFM {name} net, received {logits}; leave `logits` at 1")
    fields = {dim: found for dim, found in columns.vectors().items() if sum(x.shape[-1] for x in found) > dim}
    if not fields:
        raise ValueError(
            f"expected two features of ids of one `dim` in the DeepFM {name} net, received the widths "
            f"{sorted(columns.vectors())}; give the features one `dim`"
        )
    second = [
        FactorizationMachine(dim, dtype="float32", name=f"{name}_fm_{dim}")(found)
        for dim, found in sorted(fields.items())
    ]
    deep = head(hidden_layers(columns.joined(f"{name}_input"), units, name), 1, f"{name}_deep")
    return layers.Add(dtype="float32", name=f"{name}_logits")([deep, *_linear(columns, 1, name), *second])


def dcnv2(columns: Columns, units: Sequence[int], logits: int, name: str) -> keras.KerasTensor:
    """Two cross layers with full matrices and an MLP side by side over the columns: `(batch, logits)`.

    The paper's parallel structure: the last linear layer reads both. A cross layer is `x0 * (W x + b) + x`.

    Raises:
        ImportError: KerasRS is not installed; the message says how to install it.

    References:
        Wang et al., DCN V2, WWW 2021, equation 1 and section 3.4.
    """
    x0 = columns.joined(f"{name}_input")
    crossed = x0
    for i in range(_CROSSES):
        crossed = FeatureCross(name=f"{name}_cross{i}")([x0, crossed])
    both = layers.Concatenate(name=f"{name}_both")([crossed, hidden_layers(x0, units, name)])
    return head(both, logits, f"{name}_logits")


def _linear(columns: Columns, logits: int, name: str) -> list[keras.KerasTensor]:
    """Return the linear terms over the ids and over the numbers, `(batch, logits)` each, float32."""
    terms = []
    sizes = columns.sizes()
    if sizes and columns.sparse:
        terms += _linear_rows(columns, sizes, logits, name)
    elif sizes:
        weights = SparseLinear(list(sizes.values()), logits, dtype="float32", name=f"{name}_linear_ids")
        terms.append(weights([columns.inputs[feature] for feature in sizes]))
    if numbers := columns.numbers():
        x = layers.Concatenate(name=f"{name}_numbers")(numbers) if len(numbers) > 1 else numbers[0]
        # The deep part's last layer has the one bias.
        weights = layers.Dense(logits, use_bias=False, dtype="float32", name=f"{name}_linear_numbers")
        terms.append(weights(x))
    return terms


def _linear_rows(columns: Columns, sizes: dict[str, int], logits: int, name: str) -> list[keras.KerasTensor]:
    """Return the linear terms over the ids, `(batch, logits)` each, of weights that train row by row and grow."""
    features = [feature for feature in columns.features if feature.name in sizes]
    own = [feature.name for feature in features if not isinstance(feature, History)]
    weights = _linear_table([sizes[feature] for feature in own], own, logits, f"{name}_linear_ids")
    single = [feature.name for feature in features if isinstance(feature, Categorical)]
    terms = []
    if single:
        found = weights([columns.inputs[feature] for feature in single], fields=[own.index(f) for f in single])
        terms += [found[:, i * logits : (i + 1) * logits] for i in range(len(single))]
    for feature in features:
        if isinstance(feature, Categorical):
            continue
        table, place = weights, own.index(feature.name) if feature.name in own else 0
        if isinstance(feature, History):  # its weights are its own, and grow with the ids of its events
            table = _linear_table([sizes[feature.name]], [table_of(feature)], logits, f"{name}_linear_{feature.name}")
        ids = columns.inputs[feature.name]
        mean = MaskedMean(dtype="float32", name=f"{name}_linear_{feature.name}_mean")
        terms.append(mean([table(ids, fields=[place]), ids]))
    return terms


def _linear_table(sizes: Sequence[int], fields: Sequence[str], logits: int, name: str) -> SparseEmbedding:
    return SparseEmbedding(sizes, logits, "zeros", field_names=fields, dtype="float32", name=name)
