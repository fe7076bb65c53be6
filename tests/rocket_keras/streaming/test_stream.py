import json
import runpy
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rocket_keras.streaming import LogError, Stream, Tolerance, read_log

log_of = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("numbered_log.py"))))
made, write, stream, numbers = log_of.made, log_of.write, log_of.stream, log_of.numbers
ENDS = ["parquet", "csv", "tsv.gz"]


def flat(batches):
    return [row for batch in batches for row in batch]


@pytest.mark.parametrize("end", ENDS)
def test_an_epoch_has_each_row_once_in_batches_of_one_size(tmp_path, end):
    log = write(tmp_path, [230, 0, 170, 100], end)
    one = stream(log)
    assert len(one) == one.num_batches == 50
    batches = list(one)
    assert all(x["row"].shape == y.shape == (10,) and x["price"].dtype == y.dtype == np.float32 for x, y in batches)
    assert all((y == x["row"] % 2).all() for x, y in batches)
    assert sorted(flat(numbers(batches))) == list(range(500))
    assert one.position == 50
    one.close()


def test_rows_that_make_no_batch_are_left_over(tmp_path):
    rows = flat(numbers(stream(write(tmp_path, [96]))))
    assert len(rows) == len(set(rows)) == 90


@pytest.mark.parametrize("end", ENDS)
def test_the_order_depends_on_seed_and_epoch_alone(tmp_path, end):
    log = write(tmp_path, [130, 70, 110, 90], end)
    first = stream(log, seed=1)
    epochs = [numbers(first) for _ in range(3)]
    assert len({json.dumps(epoch) for epoch in epochs}) == 3
    second = stream(read_log([file.path for file in reversed(log.files)]), seed=1, prefetch=1)
    assert [numbers(second) for _ in range(3)] == epochs
    assert numbers(stream(log, seed=2)) != epochs[0]


def test_without_shuffling_rows_come_in_their_order(tmp_path):
    assert flat(numbers(stream(write(tmp_path, [130, 70]), shuffle_rows=0))) == list(range(200))


def test_shuffling_mixes_files(tmp_path):
    """In a window of all rows, neighbours of the log are no neighbours any more."""
    rows = np.array(flat(numbers(stream(write(tmp_path, [500, 500]), shuffle_rows=1000))))
    assert abs(np.corrcoef(rows, np.arange(1000))[0, 1]) < 0.1
    assert (np.abs(np.diff(rows)) == 1).sum() < 10


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("sizes", [[100], [37, 64], [50, 1, 20, 30, 10, 40, 60, 25, 35, 45]])
@pytest.mark.parametrize("workers", [2, 3])
def test_workers_read_each_row_exactly_once(tmp_path, end, sizes, workers):
    log = write(tmp_path, sizes, end)
    streams = [stream(log, batch_size=1, shard=(worker, workers)) for worker in range(workers)]
    assert len({len(one) for one in streams}) == 1
    plans = [one.plan for one in streams]
    counted = [sum(piece.own_rows for piece in plan.pieces) for plan in plans]
    assert sum(counted) == sum(sizes)
    assert len(streams[0]) == min(counted)
    each = [
        flat(numbers(stream(log, batch_size=1, shard=(worker, workers), batches=count)))
        for worker, count in enumerate(counted)
    ]
    assert sorted(flat(each)) == list(range(sum(sizes)))


def test_rows_held_out_and_the_others_are_all_rows(tmp_path):
    log = write(tmp_path, [90, 110], "csv")
    held = flat(numbers(stream(log.hold_out(0.1, held=True), batch_size=1)))
    rest = flat(numbers(stream(log.hold_out(0.1, held=False), batch_size=1)))
    assert len(held) == 20
    assert sorted(held + rest) == list(range(200))
    with pytest.raises(ValueError, match="expected a `share` between 0 and 1 of a whole log"):
        log.hold_out(0.1, held=True).hold_out(0.1, held=True)


@pytest.mark.parametrize("end", ENDS)
def test_of_many_short_files_rows_are_held_out_too(tmp_path, end):
    log = write(tmp_path, [5] * 60, end)
    held = flat(numbers(stream(log.hold_out(0.1, held=True), batch_size=1)))
    rest = flat(numbers(stream(log.hold_out(0.1, held=False), batch_size=1)))
    assert len(held) in (29, 30, 31)
    assert len({row // 5 for row in held}) == len(held)
    assert sorted(held + rest) == list(range(300))


def test_weights_and_chosen_columns(tmp_path):
    log = write(tmp_path, [20])
    x, _, weight = next(iter(Stream(log, log_of.ENCODER, "click", 10, weight="price", columns=["row"], shuffle_rows=0)))
    assert list(x) == ["row"]
    np.testing.assert_allclose(weight, np.arange(10) / 7, rtol=1e-6)
    assert weight.dtype == np.float32


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("shuffle_rows", [0, 40, 10**6])
def test_a_restored_stream_goes_on_with_the_same_batches(tmp_path, end, shuffle_rows):
    log = write(tmp_path, [130, 7, 63], end)

    def make():
        return stream(log, shuffle_rows=shuffle_rows, seed=5)

    whole = make()
    wanted = [batch for _ in range(3) for batch in numbers(whole)]
    for done in range(0, 40, 3):
        killed = make()
        batches = [batch for _, batch in zip(range(done), (batch for _ in range(3) for batch in killed), strict=False)]
        assert numbers(batches) == wanted[:done]
        state = json.loads(json.dumps(killed.state()))
        killed.close()
        assert len(json.dumps(state)) < 1000
        resumed = make()
        resumed.restore(state)
        assert resumed.position == done
        assert numbers(resumed) == wanted[done : done + 20]
        resumed.close()


def test_a_state_within_a_large_file_does_not_read_it_from_its_beginning(tmp_path, monkeypatch):
    from rocket_keras.streaming import parquet

    monkeypatch.setattr(parquet, "BLOCK_ROWS", 50)
    log = write(tmp_path, [1000])
    first = stream(log)
    for _, _ in zip(range(63), first, strict=False):
        pass
    state = first.state()
    read = []
    blocks = parquet._block
    monkeypatch.setattr(parquet, "_block", lambda *given: read.append(given) or blocks(*given))
    second = stream(log, prefetch=1)
    second.restore(state)
    second[0]
    second.close()
    assert 1 <= len(read) < 8


def test_a_state_of_batches_that_were_given_before(tmp_path):
    """What was trained on lies behind what was read."""
    log = write(tmp_path, [400])
    first = stream(log)
    wanted = numbers(first)
    for position in (0, 3, 17, 39):
        second = stream(log)
        second.restore(first.state(position))
        assert numbers([second[0]]) == wanted[position : position + 1]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 2}, "expected a stream with seed 0, as the state has, received 2"),
        ({"batch_size": 20}, "expected a stream with batch_size 10"),
        ({"shuffle_rows": 0}, "expected a stream with window 4"),
        ({"shard": (1, 2)}, r"expected a stream with batches 20|shard \[0, 1\]"),
    ],
)
def test_a_stream_of_other_settings_is_not_restored(tmp_path, other, message):
    log = write(tmp_path, [200])
    state = stream(log).state()
    with pytest.raises(ValueError, match=message):
        stream(log, **other).restore(state)
    with pytest.raises(ValueError, match="expected a state of format"):
        stream(log).restore({"epoch": 1})


def test_a_log_that_changed_is_not_restored(tmp_path):
    state = stream(write(tmp_path, [200])).state()
    with pytest.raises(ValueError, match="expected a stream with files 1, as the state has, received 2"):
        stream(write(tmp_path, [200, 10])).restore(state)


def test_bad_rows_leave_room_for_rows_that_come_again(tmp_path):
    columns = {"click": [0] * 90 + [7] * 10, "row": list(range(100)), "price": [1.0] * 100}
    made.write(tmp_path / "log.csv", columns)
    one = stream(read_log(tmp_path), tolerance=Tolerance(share=0.5))
    rows = flat(numbers(one))
    assert len(rows) == 100
    assert set(rows) == set(range(90))
    assert (one.report.rows, one.report.bad, one.report.repeated) == (90, 10, 10)


def test_errors_of_the_thread_are_raised_where_the_batch_would_come(tmp_path, threads):
    made.write(tmp_path / "log.csv", {"click": [0] * 60 + [7] * 40, "row": list(range(100)), "price": [1.0] * 100})
    one = stream(read_log(tmp_path), batch_size=50, shuffle_rows=0, tolerance=Tolerance(rows=3, share=1))
    for _ in range(2):
        with pytest.raises(LogError, match=r"log\.csv, line 101: click: expected a label from 0 to 1, received '7'"):
            list(one)
    one.close()
    assert not threads()


def test_the_thread_ends_with_the_stream(tmp_path, threads):
    log = write(tmp_path, [400])
    one = stream(log, prefetch=1)
    one[0]
    assert threads() == 1
    one.close()
    assert not threads()
    assert numbers([one[1]]) == numbers([list(stream(log))[1]])
    del one
    time.sleep(0.5)
    assert not threads()


def test_another_order_than_the_streams_is_refused(tmp_path):
    one = stream(write(tmp_path, [100]))
    one[0]
    with pytest.raises(ValueError, match=r"expected batch 1 to be asked for next, received 5.*shuffle=False"):
        one[5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "expected `batch_size` of at least 1, received 0"),
        ({"batch_size": 201}, "expected at least 201 rows a worker, received 200"),
        ({"shard": (2, 2)}, r"`shard` \(i, n\) with i from 0 to n - 1"),
        ({"shuffle_rows": -1}, "expected `shuffle_rows` of at least 0"),
        ({"batches": 0}, "expected `batches` of at least 1"),
    ],
)
def test_arguments_out_of_their_range(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        stream(write(tmp_path, [200]), **options)
