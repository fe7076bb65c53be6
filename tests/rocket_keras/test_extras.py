import random
import sys

import pytest

from rocket_keras.extras import require


def test_an_import_does_not_move_the_random_stream(tmp_path, monkeypatch):
    (tmp_path / "draws_at_import.py").write_text("import random\nDRAWN = random.random()\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = random.getstate()
    assert 0 <= require("draws_at_import", "launch").DRAWN < 1
    assert random.getstate() == before
    del sys.modules["draws_at_import"]


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(ImportError, match=r"needs no_such_package\..*'rocket-keras\[data\]'"):
        require("no_such_package", "data")
