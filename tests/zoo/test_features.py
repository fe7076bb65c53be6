import pytest

import zoo
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HistoryField, IdField, IdsField, KnownIdField, NumberField
from zoo.features import Categorical, Numeric


def test_defaults_to_sixteen_columns():
    assert Categorical("item_id", 10) == Categorical(name="item_id", size=10, dim=16)


@pytest.mark.parametrize("values", [{"size": 0}, {"size": 2.5}, {"size": True}, {"size": 3, "dim": 0}])
def test_refuses_an_impossible_table(values):
    with pytest.raises(ValueError, match=r"expected `\w+` of Categorical 'item_id'.*received"):
        Categorical("item_id", **values)


@pytest.mark.parametrize("name", ["", "a/b", 3])
def test_refuses_a_name_that_keras_cannot_use(name):
    with pytest.raises(ValueError, match="expected a feature's name"):
        Numeric(name)
    with pytest.raises(ValueError, match="expected a feature's name"):
        Categorical(name, 3)


FEATURES = [lambda **values: Categorical("item_id", 3, **values), lambda **values: Numeric("price", **values)]


@pytest.mark.parametrize("make", FEATURES)
def test_is_of_the_context_and_not_privileged_unless_said(make):
    assert (make().side, make().privileged) == ("context", False)
    for side in ("user", "item", "context"):
        assert make(side=side, privileged=True).side == side


@pytest.mark.parametrize("make", FEATURES)
@pytest.mark.parametrize("side", ["User", "", None])
def test_refuses_a_foreign_side(make, side):
    with pytest.raises(
        ValueError, match=r"expected `side` of feature '.*' to be 'user', 'item' or 'context', received"
    ):
        make(side=side)


@pytest.mark.parametrize("make", FEATURES)
@pytest.mark.parametrize("privileged", [1, "no", None])
def test_refuses_a_privileged_that_is_no_bool(make, privileged):
    with pytest.raises(ValueError, match=r"expected `privileged` of feature '.*' to be True or False, received"):
        make(privileged=privileged)


def test_features_of_an_encoder_are_its_columns():
    encoder = Encoder(
        (
            IdField("ad", "AdID", ("a", "b"), side="item"),
            NumberField("price", "Price", 1.0, 2.0, side="item"),
            IdsField("genres", "Genres", ("red",), length=3, privileged=True),
            HistoryField("seen", "Seen", "ad", length=4, side="user"),
            KnownIdField("hour", "Hour", 24),
        )
    )
    assert zoo.features_of(encoder, dim=8, sizes={"ad": 50, "hour": 30}) == (
        zoo.Categorical("ad", 50, 8, "item"),
        zoo.Numeric("price", "item"),
        zoo.MultiCategorical("genres", 2, 3, 8, privileged=True),
        zoo.History("seen", "ad", 4, "user"),
        zoo.Categorical("hour", 30, 8),
    )
    with pytest.raises(ValueError, match="expected a size of at least 3 for field 'ad', received 2"):
        zoo.features_of(encoder, sizes={"ad": 2})
