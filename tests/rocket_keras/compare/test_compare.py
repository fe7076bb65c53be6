"""A comparison from tuning to its report; stopped, gone on with, and added to."""

import dataclasses
import json
import signal
import subprocess
import sys
import time

import keras
import pytest

from rocket_keras import cli
from rocket_keras.compare import Comparison, compare, pick_methods, pool
from rocket_keras.compare.comparison import final_job
from rocket_keras.methods import get_method

NAMES = ("base", "booster", "kd", "rocket")
GRID = (0.5, 2.0)
SECONDS = {"base": [1.0], "booster": [1.5], "kd": [1.5, 2.5], "rocket": [2.0], "mimic": [1.0, 0.5]}


def told_seconds(monkeypatch):
    """Let the clock say the same on every machine: the epochs at equal seconds follow from it."""
    measured = Comparison.seconds
    monkeypatch.setattr(Comparison, "seconds", lambda self, m, job: measured(self, m, job) and SECONDS[m.name])


def toy(make_toy_plan, root, names=NAMES, epochs=2):
    return Comparison(make_toy_plan("click", epochs=epochs), root, pick_methods(names), (0, 1), GRID)


@pytest.fixture(scope="module")
def finished(make_toy_plan, quiet, tmp_path_factory):
    comparison = toy(make_toy_plan, tmp_path_factory.mktemp("compare"))
    with pytest.MonkeyPatch.context() as patch:
        told_seconds(patch)
        return comparison, compare(comparison, quiet)


def folder_of(comparison, name, seed, factor, scale=1.0):
    return final_job(get_method(name), seed, factor, scale).folder(comparison.root, comparison.plan(seed))


def files(root, name):
    return {path.relative_to(root): path.stat().st_mtime_ns for path in root.glob(f"stages/*/{name}")}


def test_compare_json_holds_every_run(finished):
    comparison, result = finished
    assert json.loads((comparison.root / "compare.json").read_text()) == json.loads(json.dumps(result))
    assert result["complete"] is True
    assert (result["metric"], result["seeds"], result["grid"], result["skipped"]) == ("auc", [0, 1], [0.5, 2.0], {})
    assert {"entry", "command", "date", "git_commit", "backend", "device", "versions", "recipe"} <= result.keys()
    assert len(result["dataset"]["hash"]) == 64
    assert set(result["methods"]) == set(NAMES)
    for name, row in result["methods"].items():
        method = get_method(name)
        assert (row["title"], row["paper"], row["equation"]) == (method.title, method.paper, method.equation)
        assert [run["seed"] for run in row["runs"]] == [0, 1]
        assert len(row["stages"]) == len(SECONDS[name])
        for run in row["runs"]:
            assert set(run["test"]) == set(run["validation"]) == {"auc", "gauc", "log_loss"}
            assert run["seconds"] == sum(SECONDS[name])
            stored = json.loads((comparison.root / run["folder"] / f"test_{method.net}.json").read_text())
            assert run["test"] == stored
        assert row["failed"] == {}
        assert row["latency"]["batch_size"] == 8
    light, booster = result["methods"]["rocket"], result["methods"]["booster"]
    assert light["multiply_adds"] == result["methods"]["base"]["multiply_adds"] < booster["multiply_adds"]
    assert light["parameters"] < booster["parameters"]


def test_the_factor_is_the_best_on_validation(finished):
    _, result = finished
    for name, row in result["methods"].items():
        if get_method(name).tuned:
            assert set(row["tuning"]) == {"0.5", "2"}
            assert row["factor"] == float(max(row["tuning"], key=lambda factor: row["tuning"][factor]["auc"]))
        else:
            assert (row["tuning"], row["factor"]) == ({}, 1.0)


def test_the_test_split_is_scored_for_final_runs_alone(finished):
    comparison, result = finished
    final = set()
    for row in result["methods"].values():
        again = row["same_seconds"]["runs"] if row["same_seconds"] else []
        final |= {f"{run['folder']}/test_{row['net']}.json" for run in row["runs"] + again}
    assert {str(path) for path in files(comparison.root, "test_*.json")} == final
    for name in ("kd", "rocket"):
        (left,) = set(GRID) - {result["methods"][name]["factor"]}
        folder = folder_of(comparison, name, 0, left)
        assert (folder / "result.json").exists()
        assert not list(folder.glob("test_*"))


def test_base_and_slower_methods_run_with_rockets_seconds_too(finished):
    _, result = finished
    again = {name: row["same_seconds"] for name, row in result["methods"].items()}
    assert again["rocket"] is again["booster"] is None
    assert (again["base"]["epoch_scale"], again["base"]["epochs"]) == (2.0, [4])
    assert (again["kd"]["epoch_scale"], again["kd"]["epochs"]) == (0.5, [1, 1])
    for row in (again["base"], again["kd"]):
        assert [run["seed"] for run in row["runs"]] == [0, 1]


def test_the_same_command_trains_nothing_and_a_method_more_trains_that_alone(
    finished, make_toy_plan, quiet, monkeypatch
):
    comparison, result = finished
    told_seconds(monkeypatch)
    before = files(comparison.root, "*.json")
    with monkeypatch.context() as patch:
        patch.setattr(pool, "work", lambda *task: pytest.fail("a finished comparison trains"))
        again = compare(comparison, quiet)
    assert files(comparison.root, "*.json") == before
    assert {n: r["runs"] for n, r in again["methods"].items()} == {n: r["runs"] for n, r in result["methods"].items()}
    more = toy(make_toy_plan, comparison.root, (*NAMES, "mimic"))
    scores = compare(more, quiet)["methods"]
    after = files(comparison.root, "*.json")
    assert {path: after[path] for path in before} == before
    factor, scale = scores["mimic"]["factor"], scores["mimic"]["same_seconds"]["epoch_scale"]
    runs = [*((0, f, 1.0) for f in GRID), (1, factor, 1.0), (0, factor, scale), (1, factor, scale)]
    new = {folder_of(more, "mimic", *run).name for run in runs}
    # At rocket's seconds the booster that teaches has other epochs, too.
    boosters = {folder_of(more, "booster", seed, 1.0, scale).name for seed in (0, 1)}
    assert {path.parent.name for path in after if path not in before} - boosters == new
    assert scores["kd"]["runs"] == result["methods"]["kd"]["runs"]


def test_another_recipe_in_the_same_folder_is_refused(finished, make_toy_plan, quiet):
    comparison, _ = finished
    with pytest.raises(
        ValueError, match=r"^[^\n]*holds a run with recipe=[^\n]*Choose another folder with --out[^\n]*$"
    ):
        compare(toy(make_toy_plan, comparison.root, epochs=3), quiet)


def test_another_net_in_the_same_folder_is_refused(finished, make_toy_plan, quiet):
    comparison, _ = finished

    def other(seed):
        plan = make_toy_plan("click", epochs=2)(seed)

        def build(**options):
            pair = plan.build(**options)
            pair.booster.get_layer("booster_dense0").activation = keras.activations.tanh
            return pair

        return dataclasses.replace(plan, build=build)

    line = (
        r"holds a run with other nets than are built now, in the variant own, layer \d+ Dense, activation: relu before"
    )
    with pytest.raises(ValueError, match=line):
        compare(dataclasses.replace(comparison, make_plan=other), quiet)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "The zoo has no entry 'nothing'"),
        (["digits", "--methods", "base,rockt"], "no method 'rockt'. Did you mean 'rocket'?"),
        (["digits", "--grid", "1,x"], "expected --grid as numbers above 0 with commas, received '1,x'"),
        (["digits", "--grid", "0"], "expected --grid as numbers above 0"),
        (["digits", "--sweep", "width"], "expected --sweep depth, received --sweep width"),
        (["digits", "--missing-class", "12"], "expected --missing-class from 0 to 9"),
        (["adsim", "--missing-class", "1"], "an entry of several classes, received 1 for mlp.rocket_mlp_adsim of 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_compared_is_one_line(monkeypatch, capsys, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["rocket-keras", "compare", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capsys.readouterr()
    assert (stop.value.code, out, len(err.splitlines())) == (2, "", 1)
    assert words in err
    assert not list(tmp_path.iterdir())


def command(root, jobs):
    start = [sys.executable, "-m", "rocket_keras_start", "compare", "adsim", "--methods", "base,kd", "--seeds"]
    size = ["1", "--epochs", "6", "--train-rows", "4000", "--grid", "0.5,2", "--no-same-seconds"]
    return [*start, *size, "--jobs", str(jobs), "--out", str(root), "--json"]


def scores(text):
    """All that must not depend on when and how often a comparison was interrupted."""
    kept = ("test", "validation", "seed")
    methods = json.loads(text)["methods"]
    return {
        name: (row["factor"], row["tuning"], [{key: run[key] for key in kept} for run in row["runs"]])
        for name, row in methods.items()
    }


def leaves(nested):
    return keras.tree.flatten(nested)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The scores of an uninterrupted comparison."""
    root = tmp_path_factory.mktemp("straight")
    done = subprocess.run(command(root / "run", 1), cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return scores(done.stdout)


# Two jobs have a core each: with fewer threads sums are rounded otherwise.
@pytest.mark.parametrize(("jobs", "rounding"), [(1, 0.0), pytest.param(2, 1e-5, marks=pytest.mark.nightly)])
def test_kill_9_and_the_same_command_end_with_the_same_scores(straight, tmp_path, jobs, rounding):
    root = tmp_path / "run"
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command(root, jobs), cwd=tmp_path, **quiet)
    # In the middle: a stage is finished, and another has a checkpoint.
    while process.poll() is None and not (files(root, "result.json") and files(root, "checkpoint/state.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    # The output ends with the last of its workers: one left behind would write beside the next start.
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, "the comparison was over before the kill: make it longer"
    finished_before = files(root, "result.json")
    assert not (root / "compare.json").exists() or not json.loads((root / "compare.json").read_text())["complete"]
    done = subprocess.run(command(root, jobs), cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True)
    assert leaves(scores(done.stdout)) == pytest.approx(leaves(straight), rel=rounding, abs=rounding)
    after = files(root, "result.json")
    assert {path: after[path] for path in finished_before} == finished_before
