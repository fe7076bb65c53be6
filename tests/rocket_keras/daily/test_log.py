"""Logs as they are: rows that do not parse, files that come late, days that come out of their order."""

import dataclasses
import json
import logging
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from rocket_keras.daily import Daily, run_daily, trainer
from rocket_keras.streaming import Tolerance, read_log

pytest.importorskip("onnxruntime")
pytest.importorskip("pyarrow")
made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_days.py"))))
PLAN = Daily(method="base", batch_size=64, min_count=1, margin=1.0, tolerance=Tolerance(share=0.02))
BAD = ("1,u1,a1", "0,u2", "1,u1,a1,2,3", "2,u1,a1,0.5", "1,u1,a1,cheap")


def run(log, folder, plan=PLAN, **options):
    return run_daily(read_log(log), made.FIELDS, made.make, folder, plan, **options)


@pytest.fixture
def log(tmp_path):
    folder = tmp_path / "log"
    made.write_day(folder, 1)
    made.write_day(folder, 2)
    return folder


def test_a_day_goes_on_without_its_bad_rows_and_says_how_many(log, tmp_path):
    lines = made.lines_of(2)
    for place, bad in enumerate(BAD):
        lines.insert(50 * place + 3, bad)
    path = made.write_day(log, 2, lines)
    made.write_day(log, 2, [], part=1)
    first, second = run(log, tmp_path / "out")
    assert (first["rows"], first["log"]["bad"], first["log"]["empty"]) == (300, 0, 0)
    assert (second["rows"], second["log"]["bad"], second["log"]["empty"]) == (300, 5, 1)
    assert second["log"]["empty_files"] == [str(path.with_name("part-1.csv"))]
    assert sum(second["log"]["reasons"].values()) == 5
    assert second["log"]["files"] == 2
    assert json.loads((tmp_path / "out" / "days" / "2.json").read_text()) == second
    kept = [json.loads(line) for line in (tmp_path / "out" / "bad" / "2.jsonl").read_text().splitlines()]
    assert sorted(row["line"] for row in kept) == [5, 55, 105, 155, 205]
    assert not (tmp_path / "out" / "bad" / "1.jsonl").exists()


@pytest.mark.parametrize("day", [1, 2])
def test_too_many_bad_rows_stop_the_day_and_a_mended_file_goes_on(log, tmp_path, day):
    good = made.lines_of(day)
    made.write_day(log, day, [*good, *BAD, *BAD])
    with pytest.raises(
        ValueError, match=r"expected rows that parse but for 2\.00% of them, received 10 bad ones"
    ) as stop:
        run(log, tmp_path / "out")
    assert "\n" not in str(stop.value)
    assert f"day={day}/part-0.csv, line 311" in str(stop.value)
    assert len((tmp_path / "out" / "bad" / f"{day}.jsonl").read_text().splitlines()) == 10
    made.write_day(log, day, good)
    records = run(log, tmp_path / "out")
    assert [record["log"]["bad"] for record in records] == [0, 0]
    assert not (tmp_path / "out" / "bad" / f"{day}.jsonl").exists()
    run(log, tmp_path / "whole")
    made.assert_same(tmp_path / "whole", tmp_path / "out")


def test_a_higher_tolerance_goes_on_too(log, tmp_path):
    made.write_day(log, 2, [*made.lines_of(2), *BAD, *BAD])
    with pytest.raises(ValueError, match="raise the tolerance"):
        run(log, tmp_path / "out")
    plan = dataclasses.replace(PLAN, tolerance=Tolerance(share=0.1, quarantine=tmp_path / "mine.jsonl"))
    assert run(log, tmp_path / "out", plan)[1]["log"]["bad"] == 10
    assert len((tmp_path / "mine.jsonl").read_text().splitlines()) == 10


def test_a_day_whose_files_changed_in_its_middle_begins_anew(log, tmp_path, monkeypatch, caplog):
    run(log, tmp_path / "out", days=("1",))
    checkpoint = trainer.StreamCheckpoint

    class Ends(checkpoint):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if batch == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "StreamCheckpoint", lambda *a, **options: Ends(*a, every=1, **options))
    with pytest.raises(KeyboardInterrupt):
        run(log, tmp_path / "out")
    monkeypatch.undo()
    assert (tmp_path / "out" / "training" / "2" / "base" / "state.json").exists()
    made.write_day(log, 2, made.lines_of(7), part=1)
    with caplog.at_level(logging.WARNING):
        records = run(log, tmp_path / "out")
    assert "day=2: its files have changed since it was begun; it begins anew" in caplog.messages
    assert records[1]["rows"] == 600
    assert made.told(records) == made.told(run(log, tmp_path / "whole"))
    made.assert_same(tmp_path / "whole", tmp_path / "out")
    assert not list((tmp_path / "out" / "training").iterdir())


def test_what_a_day_that_begins_anew_had_published_is_taken_back(log, tmp_path, monkeypatch):
    run(log, tmp_path / "out", days=("1",))
    before = (tmp_path / "out" / "published" / "light.onnx").read_bytes()
    real = trainer.publish

    def ends(*arguments, **options):
        real(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "publish", ends)
    with pytest.raises(KeyboardInterrupt):
        run(log, tmp_path / "out")
    assert (tmp_path / "out" / "published" / "light.onnx").read_bytes() != before
    made.write_day(log, 2, made.lines_of(7), part=1)
    refused = {"published": False, "why": "for the test", "rows": 0}
    monkeypatch.setattr(trainer, "publish", lambda *_, **__: refused)
    assert run(log, tmp_path / "out")[1]["serves"] == "1"
    assert (tmp_path / "out" / "published" / "light.onnx").read_bytes() == before
    assert not (tmp_path / "out" / "published" / "day-2.onnx").exists()


def test_late_files_of_a_day_that_is_done_are_left_out_and_told_of(log, tmp_path, caplog):
    records = run(log, tmp_path / "out")
    made.write_day(log, 1, made.lines_of(7), part=1)
    with caplog.at_level(logging.WARNING):
        assert run(log, tmp_path / "out") == records
    assert caplog.messages == ["day=1: files that came or changed after the training on them are left out"]


def test_a_day_before_the_last_that_is_done_is_refused(log, tmp_path):
    run(log, tmp_path / "out", days=("2",))
    with pytest.raises(ValueError, match="expected days after day=2, the last that is done, received day=1") as stop:
        run(log, tmp_path / "out")
    assert "\n" not in str(stop.value)
    assert "leave its files out of the log, or begin anew in another folder" in str(stop.value)
    made.write_day(log, 3)
    assert [record["day"] for record in run(log, tmp_path / "out", days=("3", "2"))] == ["2", "3"]
