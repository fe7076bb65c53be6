"""Day by day, on a small log that drifts."""

import dataclasses
import json
import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from rocket_keras.daily import Daily, run_daily, trainer
from rocket_keras.encoding import Encoder
from rocket_keras.metrics import GAUC, auc, log_loss_from_logits
from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session
from rocket_keras.serving.artefact import read_artefact
from rocket_keras.streaming import read_log
from zoo.data import drift

pytest.importorskip("onnxruntime")
DAYS, ROWS = 4, 700
made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_days.py"))))
PLAN = Daily(batch_size=128, group="user_id", min_count=1, keep_days=2, margin=1.0, shuffle_rows=500)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    pytest.importorskip("pyarrow")
    return read_log(drift.write(tmp_path_factory.mktemp("drift") / "log", DAYS, ROWS))


@pytest.fixture(scope="module")
def whole(log, tmp_path_factory):
    """A training that nothing interrupted, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return run_daily(log, drift.FIELDS, made.make, folder, PLAN), folder


def test_a_day_is_scored_by_the_net_of_the_evening_before(whole):
    records, folder = whole
    assert [record["day"] for record in records] == ["01", "02", "03", "04"]
    assert records[0]["scores"] == {}
    *_, last = drift.simulate(DAYS, ROWS)
    raw = {name: column.tolist() for name, column in last.columns.items() if name != "click"}
    logits = logits_of(folder / "published" / "day-03.onnx", raw)
    clicks = last.columns["click"]
    gauc = GAUC()
    gauc.update_state(clicks, logits, last.columns["user_id"])
    scores = records[3]["scores"]["light"]
    assert records[3]["rows"] == ROWS
    assert scores["auc"] == pytest.approx(auc(clicks, logits), abs=1e-5)
    assert scores["gauc"] == pytest.approx(gauc.result(), abs=1e-5)
    assert scores["log_loss"] == pytest.approx(log_loss_from_logits(clicks, logits), abs=1e-5)
    foretold = (1 / (1 + np.exp(-logits))).sum()
    assert scores["calibration"] == pytest.approx(foretold / clicks.sum(), abs=1e-5)
    assert set(records[3]["scores"]) == {"light", "booster"}


def logits_of(path, raw):
    session = onnx_session(path)
    encoder = Encoder.from_json(read_artefact(session, path).encoder)
    return onnx_run(session, onnx_feed(session, encoder.encode(raw)))[:, 0].astype(np.float64)


def test_every_day_a_net_is_published(whole):
    records, folder = whole
    published = folder / "published"
    assert {path.name for path in published.iterdir()} == {"light.onnx", *(f"day-0{day}.onnx" for day in range(1, 5))}
    assert (published / "light.onnx").read_bytes() == (published / "day-04.onnx").read_bytes()
    assert [record["serves"] for record in records] == ["01", "02", "03", "04"]
    # The judges are rows that nobody trained on, and they are the same for both nets.
    assert records[1]["publication"]["rows"] == round(0.05 * ROWS)
    assert records[1]["publication"]["old"] is not None
    assert json.loads((folder / "days.json").read_text()) == records


def test_new_ids_take_the_rows_of_old_ones(whole):
    records, _ = whole
    assert all(record["ids"]["added"]["ad_id"] for record in records)
    assert records[1]["ids"]["reused"].get("ad_id", 0) == 0  # all were seen a day ago at most
    assert sum(record["ids"]["reused"].get("user_id", 0) for record in records[2:]) > 0


ENDS = (
    ("learn_encoder", False), ("save_morning", True), ("grow_rows", False), ("publish", False), ("publish", True),
    ("save_state", False), ("save_state", True),
)  # fmt: skip


def end_at(stage, after, monkeypatch, log, folder, day):
    """Let a call end before the stage's work on a day, or after it."""
    real = getattr(trainer, stage)

    def ends(*arguments, **options):
        if after:
            real(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, stage, ends)
    with pytest.raises(KeyboardInterrupt):
        run_daily(log, drift.FIELDS, made.make, folder, PLAN, days=(day,))
    monkeypatch.undo()


def test_an_end_at_any_stage_changes_nothing(log, whole, tmp_path, monkeypatch):
    """Each call goes on where the one before was ended."""
    run_daily(log, drift.FIELDS, made.make, tmp_path, PLAN, days=("01", "02"))
    for stage, after in ENDS:
        end_at(stage, after, monkeypatch, log, tmp_path, "03")
    assert made.told(run_daily(log, drift.FIELDS, made.make, tmp_path, PLAN)) == made.told(whole[0])
    made.assert_same(whole[1], tmp_path)


def test_an_end_at_any_stage_of_the_last_day_leaves_nothing_undone(log, whole, tmp_path, monkeypatch):
    """Where no day comes after it."""
    begun = log.where(day=("01", "02"))
    run_daily(begun, drift.FIELDS, made.make, tmp_path, PLAN, days=("01",))
    for stage, after in ENDS[-3:]:
        end_at(stage, after, monkeypatch, begun, tmp_path, "02")
    assert (tmp_path / "training" / "02").exists()
    assert len(json.loads((tmp_path / "days.json").read_text())) == 1
    records = run_daily(begun, drift.FIELDS, made.make, tmp_path, PLAN)
    assert json.loads((tmp_path / "days.json").read_text()) == records
    assert made.told(records) == made.told(whole[0][:2])
    assert not list((tmp_path / "training").iterdir())
    net = (whole[1] / "published" / "day-02.onnx").read_bytes()
    assert net == (tmp_path / "published" / "day-02.onnx").read_bytes()
    assert net == (tmp_path / "published" / "light.onnx").read_bytes()


def test_an_end_in_the_middle_of_a_day_goes_on_there(log, whole, tmp_path, monkeypatch):
    run_daily(log, drift.FIELDS, made.make, tmp_path, PLAN, days=("01", "02"))
    real, seen = trainer.StreamCheckpoint, []

    class Ends(real):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            seen.append(batch)
            if len(seen) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(
        trainer, "StreamCheckpoint", lambda stream, folder, **options: Ends(stream, folder, every=1, **options)
    )
    with pytest.raises(KeyboardInterrupt):
        run_daily(log, drift.FIELDS, made.make, tmp_path, PLAN, days=("03",))
    records = run_daily(log, drift.FIELDS, made.make, tmp_path, PLAN, days=("03",))
    assert 0 < len(seen) - 3 < ROWS // 128  # the rest of the day alone
    monkeypatch.undo()
    assert made.told(records) == made.told(whole[0][:3])
    run_daily(log, drift.FIELDS, made.make, tmp_path, PLAN)
    made.assert_same(whole[1], tmp_path)


@pytest.mark.parametrize(("method", "nets"), [("base", {"light"}), ("distilled", {"light", "booster"})])
def test_rivals_learn_every_day(log, tmp_path, method, nets):
    """That kills change nothing of distilling is tested at night."""
    plan = Daily(method=method, batch_size=128, min_count=1, margin=1.0)
    first, second = run_daily(log, drift.FIELDS, made.make, tmp_path, plan, days=("01", "02"))
    assert (set(first["scores"]), set(second["scores"])) == (set(), nets)
    assert second["publication"]["published"]
    assert {name for name in second["seconds"] if name.startswith("training")} == {
        "base": {"training base"},
        "distilled": {"training booster", "training light"},
    }[method]


def test_a_folder_belongs_to_one_training(log, whole):
    with pytest.raises(ValueError, match=r"holds a run with batch_size=128, and this one has batch_size=64"):
        run_daily(log, drift.FIELDS, made.make, whole[1], dataclasses.replace(PLAN, batch_size=64))


def test_a_folder_of_other_nets_is_refused(log, whole):
    def other(encoder, sizes):
        pair = made.make(encoder, sizes)
        dense = next(layer for layer in pair.light.layers if isinstance(layer, keras.layers.Dense))
        dense.activation = keras.activations.tanh
        return pair

    with pytest.raises(
        ValueError, match=r"holds a run with other nets than are built now, in rocket, layer .* tanh now"
    ):
        run_daily(log, drift.FIELDS, other, whole[1], PLAN)


def test_a_day_that_the_log_has_not_is_refused(log, tmp_path):
    with pytest.raises(KeyError, match="expected day among"):
        run_daily(log, drift.FIELDS, made.make, tmp_path, PLAN, days=("99",))


def test_a_broken_file_stops_the_day_and_the_next_call_goes_on(log, whole, tmp_path):
    copy = tmp_path / "log"
    shutil.copytree(log.files[0].path.rsplit("/day=", 1)[0], copy)
    path = copy / "day=03" / "part-0.parquet"
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(ValueError, match=r"day=03/part-0.parquet"):
        run_daily(read_log(copy), drift.FIELDS, made.make, tmp_path / "out", PLAN)
    assert (tmp_path / "out" / "published" / "day-02.onnx").exists()
    path.write_bytes(good)
    records = run_daily(read_log(copy), drift.FIELDS, made.make, tmp_path / "out", PLAN, days=("03",))
    assert made.told(records) == made.told(whole[0][:3])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "kd"}, "expected `method` to be one of"),
        ({"metric": "gauc"}, "expected `group` beside metric 'gauc'"),
        ({"held_out": 0}, "expected `held_out` between 0 and 1, received 0"),
        ({"held_out": 20}, "expected `held_out` between 0 and 1, received 20"),
        ({"keep_days": 0}, "expected `keep_days` of at least 1 or None, received 0"),
        ({"keep_files": 0}, "expected `keep_files` of at least 1 or None, received 0"),
        ({"margin": -1}, "expected `margin` of at least 0, received -1"),
        ({"margin": float("nan")}, "expected `margin` of at least 0, received nan"),
        ({"batch_size": 0}, "expected `batch_size` of at least 1, received 0"),
    ],
)
def test_settings_that_are_none_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Daily(**wrong)


def test_settings_are_told_as_json():
    plan = Daily(optimizer=lambda: keras.optimizers.SGD(0.5))
    assert json.loads(json.dumps(plan.told()))["optimizer"]["learning_rate"] == 0.5
