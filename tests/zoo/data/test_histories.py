import numpy as np
import pytest

from zoo.data.histories import histories


def brute_force(events, rows, length):
    """Every row against every event."""
    expected = []
    for user, time in zip(*rows, strict=True):
        mine = [(t, place, i) for place, (u, t, i) in enumerate(zip(*events, strict=True)) if u == user and t < time]
        ids = [i for _, _, i in sorted(mine)][-length:]
        expected.append(ids + [-1] * (length - len(ids)))
    return expected


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("length", [1, 4, 60])
def test_equals_brute_force(seed, length):
    """With many ties of time, users without events, events of users without rows, and times before all events."""
    random = np.random.RandomState(seed)
    events = random.randint(0, 9, 200) * 7, random.randint(-20, 20, 200), random.randint(0, 50, 200)
    rows = random.randint(0, 12, 150) * 7 - 7, random.randint(-25, 25, 150)
    received = histories(events, rows, length)
    assert received.dtype == np.int32
    np.testing.assert_array_equal(received, brute_force(events, rows, length))


def test_an_event_of_the_rows_own_second_is_not_before_it():
    events = np.array([1, 1, 1]), np.array([5, 6, 6]), np.array([10, 20, 30])
    received = histories(events, (np.array([1, 1, 1]), np.array([5, 6, 7])), 2)
    np.testing.assert_array_equal(received, [[-1, -1], [10, -1], [20, 30]])


def test_without_events_all_places_are_empty():
    nothing = np.zeros(0, np.int64)
    received = histories((nothing, nothing, nothing), (np.array([1, 2]), np.array([3, 4])), 2)
    np.testing.assert_array_equal(received, -np.ones((2, 2)))


def test_large_numbers_do_not_overflow():
    users, times = np.array([2**62, 2**62, 5]), np.array([0, 2**61, 2**60])
    received = histories((users, times, np.array([1, 2, 3])), (users, times + 1), 2)
    np.testing.assert_array_equal(received, [[1, -1], [1, 2], [3, -1]])
