import pytest

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
