import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from rocket_keras import Scorer
from rocket_keras.onnx_graph import sides

made_up = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_light.py"))))


@pytest.fixture(scope="session")
def light():
    """The module made_up_light."""
    return made_up


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """A net and its file."""
    path = tmp_path_factory.mktemp("served") / "light.onnx"
    return made_up.write(path), path


@pytest.fixture(params=["whole", "in three"])
def scorer(request, served, monkeypatch):
    """A scorer of that file, which has read nothing; of so small a net it computes nothing ahead unless told to."""
    if request.param == "in three":
        monkeypatch.setattr(sides, "WORTH_IT", 1)
    scorer = Scorer(served[1])
    assert (scorer._ahead is None) == (request.param == "whole")
    return scorer
