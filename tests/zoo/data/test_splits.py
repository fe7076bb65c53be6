import re

import numpy as np
import pytest

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField, NumberField
from zoo.data import Dataset, Split
from zoo.features import Categorical, History, MultiCategorical, Numeric


def clicks(rows=4, *, seed=0):
    random = np.random.RandomState(seed)
    x = {"item_id": random.randint(0, 5, rows).astype(np.int32), "price": random.normal(size=rows).astype(np.float32)}
    return Split(x, random.randint(0, 2, rows).astype(np.float32), np.arange(rows, dtype=np.int32))


def dataset(train=None, **changes):
    values = {
        "name": "toy",
        "train": train or clicks(),
        "validation": clicks(seed=1),
        "test": clicks(seed=2),
        "num_classes": 2,
        "source": "Made by the test.",
        "features": (Categorical("item_id", 5), Numeric("price")),
    }
    return Dataset(**(values | changes))


def test_hash_is_the_same_for_equal_content_in_other_memory():
    swapped = clicks()
    big_endian = {name: column.astype(column.dtype.newbyteorder(">")) for name, column in reversed(swapped.x.items())}
    strided = Split(big_endian, np.repeat(swapped.y, 2)[::2], swapped.groups)
    assert dataset().content_hash == dataset(strided).content_hash


def test_hash_is_this_one_on_every_platform():
    x = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    split = Split(x, np.array([0, 1], np.int32))
    pinned = "02a2bf95da4ba0067d29e46175d99cd67e11d81fcc03fb55513a16b59b7aaec0"
    assert dataset(split, validation=split, test=split, features=()).content_hash == pinned


@pytest.mark.parametrize("field", ["item_id", "price", "y", "groups"])
def test_hash_changes_with_a_byte(field):
    changed = clicks()
    array = {"y": changed.y, "groups": changed.groups}.get(field, changed.x.get(field))
    array[2] = 1 - array[2] if field == "y" else array[2] + (1 if array[2] < 4 else -1)
    assert dataset(changed).content_hash != dataset().content_hash


def test_hash_changes_with_dtype_name_and_split():
    wider = clicks()
    wider.x["item_id"] = wider.x["item_id"].astype(np.int64)
    hashes = {dataset().content_hash, dataset(wider).content_hash}
    renamed = [
        Split({"cost": split.x["price"], "item_id": split.x["item_id"]}, split.y, split.groups)
        for split in (clicks(), clicks(seed=1), clicks(seed=2))
    ]
    features = (Categorical("item_id", 5), Numeric("cost"))
    hashes.add(dataset(renamed[0], validation=renamed[1], test=renamed[2], features=features).content_hash)
    hashes.add(dataset(validation=clicks(seed=2), test=clicks(seed=1)).content_hash)
    assert len(hashes) == 4


def test_rows_and_take_cut_every_column_alike():
    split = clicks(6)
    taken = split.take(2)
    assert len(taken) == 2
    for (name, cut), (_, whole) in zip(taken.arrays(), split.arrays(), strict=True):
        np.testing.assert_array_equal(cut, whole[:2], err_msg=name)
    np.testing.assert_array_equal(split.rows(np.array([5, 0])).groups, [5, 0])
    assert split.take(None) is split


@pytest.mark.parametrize("count", [0, -1, 5])
def test_take_refuses_rows_that_are_not_there(count):
    with pytest.raises(ValueError, match=f"`train_rows` from 1 to 4, received {count}"):
        clicks(4).take(count)


def nan_price(split):
    split.x["price"][2] = np.nan


def foreign_label(split):
    split.y[3] = 2


def half_label(split):
    split.y[1] = 0.5


def nan_label(split):
    split.y[1] = np.nan


def foreign_id(split):
    split.x["item_id"][1] = 5


def short_column(split):
    split.x["price"] = split.x["price"][:3]


def missing_column(split):
    del split.x["price"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nan_price, "expected finite numbers in x['price'], received NaN or infinity in row 2"),
        (nan_label, "expected finite numbers in y, received NaN or infinity in row 1"),
        (foreign_label, "expected whole labels from 0 to 1 in y, received 2.0 in row 3"),
        (half_label, "expected whole labels from 0 to 1 in y, received 0.5 in row 1"),
        (foreign_id, "expected ids from 0 to 4 in x['item_id'], received 5 in row 1"),
        (short_column, "expected 4 rows in x['price'], as in y, received 3"),
        (missing_column, "expected the columns ['item_id', 'price'] in x, received ['item_id']"),
    ],
)
@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_names_split_field_and_row(name, spoil, message):
    spoiled = clicks()
    spoil(spoiled)
    with pytest.raises(ValueError, match=re.escape(f"toy, {name} split: {message}")) as error:
        dataset(**{name: spoiled})
    assert "\n" not in str(error.value)


def test_refuses_a_split_without_rows():
    with pytest.raises(ValueError, match="toy, test split: expected at least one row"):
        dataset(test=clicks(0))


def test_refuses_a_nan_pixel():
    images = np.zeros((3, 2, 2, 1), np.float32)
    images[1, 0, 1, 0] = np.inf
    with pytest.raises(ValueError, match=r"finite numbers in x, .* in row 1;"):
        dataset(Split(images, np.zeros(3, np.int32)), features=())


def unlabelled(rows=4):
    split = clicks(rows, seed=3)
    return Split(split.x, np.full_like(split.y, -1))


def test_unlabelled_rows_are_no_split_and_leave_the_hash():
    data = dataset(unlabelled=unlabelled())
    assert [name for name, _ in data.splits()] == ["train", "validation", "test"]
    assert data.content_hash == dataset().content_hash
    assert len(data.unlabelled) == 4
    assert dataset().unlabelled is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nan_price, "expected finite numbers in x['price'], received NaN or infinity in row 2"),
        (foreign_id, "expected ids from 0 to 4 in x['item_id'], received 5 in row 1"),
        (short_column, "expected 4 rows in x['price'], as in y, received 3"),
        (foreign_label, "expected -1, for no label, in y, received 2.0 in row 3"),
    ],
)
def test_checks_unlabelled_rows(spoil, message):
    spoiled = unlabelled()
    spoil(spoiled)
    with pytest.raises(ValueError, match=re.escape(f"toy, unlabelled split: {message}")) as error:
        dataset(unlabelled=spoiled)
    assert "\n" not in str(error.value)


def films(rows=4):
    split = clicks(rows)
    tags = np.tile(np.array([2, 0, -1], np.int32), (rows, 1))
    history = np.tile(np.array([4, -1], np.int32), (rows, 1))
    return Split({**split.x, "tags": tags, "history": history}, split.y, split.groups)


FILMS = (Categorical("item_id", 5), Numeric("price"), MultiCategorical("tags", 3, 3), History("history", "item_id", 2))


def film_dataset(spoiled, features=FILMS):
    return dataset(spoiled, validation=films(), test=films(), features=features)


def test_columns_of_several_ids_are_cut_and_hashed_with_the_others():
    data = film_dataset(films())
    assert data.train.take(2).x["tags"].shape == (2, 3)
    other = films()
    other.x["history"][3, 1] = 0
    assert film_dataset(other).content_hash != data.content_hash


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("tags", (2, 1), 3, "expected ids from 0 to 2, or -1 for none, in x['tags'], received 3 in row 2"),
        ("tags", (1, 0), -2, "expected ids from 0 to 2, or -1 for none, in x['tags'], received -2 in row 1"),
        ("history", (3, 1), 5, "expected ids from 0 to 4, or -1 for none, in x['history'], received 5 in row 3"),
        ("tags", (1, 0), -1, "expected -1 only at the right end in x['tags'], received [-1, 0, -1] in row 1"),
        ("item_id", 2, -1, "expected ids from 0 to 4 in x['item_id'], received -1 in row 2"),
    ],
)
def test_names_a_bad_id_of_several(name, place, value, message):
    spoiled = films()
    spoiled.x[name][place] = value
    with pytest.raises(ValueError, match=re.escape(f"toy, train split: {message}")) as error:
        film_dataset(spoiled)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("column", [np.zeros((4, 2), np.int32), np.zeros(4, np.int32), np.zeros((4, 3), np.int64)])
def test_refuses_another_shape_or_kind_of_several_ids(column):
    spoiled = films()
    spoiled.x["tags"] = column
    with pytest.raises(ValueError, match=r"expected int32 of shape \(4, 3\) in x\['tags'\], received int"):
        film_dataset(spoiled)


def test_refuses_a_history_of_what_has_no_ids():
    with pytest.raises(
        ValueError, match=r"`of` of History 'history' to name one of \['item_id', 'tags'\], received 'pr"
    ):
        film_dataset(films(), (*FILMS[:3], History("history", "price", 2)))


ITEM, PRICE = IdField("item_id", "item", tuple("abcd")), NumberField("price", "price", 0.0, 1.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((ITEM,), "received one that lacks ['price'] and has [] besides"),
        ((ITEM, PRICE, IdField("shop", "shop", ())), "received one that lacks [] and has ['shop'] besides"),
        ((IdField("item_id", "item", tuple("abc")), PRICE), "expected `size` 5 of the encoder's field 'item_id'"),
        ((ITEM, NumberField("price", "price", 0.0, 1.0, privileged=True)), "expected `privileged` False of the enc"),
    ],
)
def test_refuses_an_encoder_of_other_features(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        dataset(encoder=Encoder(fields))


def test_the_encoder_leaves_the_hash():
    assert dataset(encoder=Encoder((ITEM, PRICE))).content_hash == dataset().content_hash
