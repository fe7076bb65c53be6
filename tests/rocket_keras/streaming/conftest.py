import threading

import pytest


@pytest.fixture
def threads():
    """A function that counts the threads of streams that this test has made."""
    before = set(threading.enumerate())
    return lambda: sum(t.name.startswith("rocket_keras") for t in set(threading.enumerate()) - before)
