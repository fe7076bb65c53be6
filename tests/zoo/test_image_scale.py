import json

import numpy as np
import pytest

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import KnownIdField
from zoo.image_scale import ImageScale, encoder_from_json

SCALE = ImageScale((10.0, 20.0), (2.0, 4.0), (3, 3, 2))


def test_pixels_are_standardised_by_channel():
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 3, 3, 2)).astype(np.uint8)
    found = SCALE.encode(pixels)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[..., 0], ((pixels[..., 0] - 10.0) / 2.0).astype(np.float32))
    np.testing.assert_array_equal(found[..., 1], ((pixels[..., 1] - 20.0) / 4.0).astype(np.float32))


def test_the_axis_of_one_channel_may_be_left_out():
    grey = ImageScale((1.0,), (2.0,), (3, 3, 1))
    assert grey.encode(np.full((4, 3, 3), 5)).tolist() == np.full((4, 3, 3, 1), 2.0).tolist()


def test_images_of_another_shape_are_one_line():
    with pytest.raises(ValueError, match=r"\(rows, 3, 3, 2\), received \(4, 3, 3\)"):
        SCALE.encode(np.zeros((4, 3, 3)))


def test_json_tells_an_image_scale_from_an_encoder():
    assert encoder_from_json(SCALE.to_json()) == SCALE
    encoder = Encoder((KnownIdField("user_id", "user_id", 3),))
    assert encoder_from_json(encoder.to_json()) == encoder
    for text in ("{", "[]", json.dumps({"format": "another"}), json.dumps({"format": "rocket-keras image scale 1"})):
        with pytest.raises(ValueError, match="expected the JSON of an encoder"):
            encoder_from_json(text)
