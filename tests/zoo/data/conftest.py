import numpy as np
import pytest

from rocket_keras.encoding import Encoder


@pytest.fixture
def assert_encodes():
    """A check that a data set's encoder, written and read again, makes a split's columns from raw values."""

    def check(data, raw, split, privileged=False):
        received = Encoder.from_json(data.encoder.to_json()).encode(raw, privileged)
        wanted = {feature.name for feature in data.features if privileged or not feature.privileged}
        assert set(received) == wanted
        for name in wanted:
            assert received[name].dtype == split.x[name].dtype
            np.testing.assert_array_equal(received[name], split.x[name], err_msg=name)

    return check
