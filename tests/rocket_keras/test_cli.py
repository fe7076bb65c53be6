import json
import os
import signal
import subprocess
import sys
import time

import pytest

START = [sys.executable, "-m", "rocket_keras_start"]


def one_line(result, *parts):
    status, out, err = result
    assert status == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    for part in parts:
        assert part in err


def test_help_names_the_commands(command_line):
    status, out, _ = command_line("--help")
    assert status == 0
    assert {"launch", "zoo"} <= set(out.split())


def test_launch_help_names_its_options(command_line):
    _, out, _ = command_line("launch", "--help")
    for option in ("--data-dir", "--out", "--seed", "--seeds", "--epochs", "--train-rows", "--json"):
        assert option in out


def test_an_unknown_entry_suggests_the_nearest(command_line):
    one_line(command_line("launch", "digitz"), "no entry 'digitz'", "Did you mean 'digits'?")


def test_a_missing_download_says_what_to_fetch_and_where_to_put_it(command_line, tmp_path):
    (tmp_path / "empty").mkdir()
    one_line(command_line("launch", "ml1m", "--data-dir", "empty"), "ml-1m.zip", "empty")
    assert not (tmp_path / "runs").exists()


def test_more_training_rows_than_there_are_is_one_line(command_line):
    one_line(command_line("launch", "digits", "--train-rows", "100000"), "train_rows")


def test_zoo_list_is_text_or_json(command_line):
    assert "wrn10_1.rocket_wrn28_1_digits" in command_line("zoo", "list")[1]
    rows = json.loads(command_line("zoo", "list", "--json")[1])
    assert {"digits", "ml1m", "adsim"} <= {row["short"] for row in rows}


@pytest.mark.parametrize("named", ["tensorflow", "jax", "torch"])
def test_a_backend_that_is_not_installed_is_one_line(tmp_path, named):
    # A finder that does not find the named backend stands for its absence.
    code = (
        "import importlib.util as u\nfind = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name == {named!r} else find(name, *a)\n"
        "from rocket_keras_start import main\nmain()\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": named}
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    one_line((result.returncode, result.stdout, result.stderr), "installed")


def test_an_interrupt_says_how_to_go_on(tmp_path):
    # A shell that runs the tests in the background has interrupts ignored, and children inherit that.
    heed = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code = heed + "from rocket_keras_start import main\nmain()"
    command = [sys.executable, "-c", code, "launch", "adsim", "--epochs", "50", "--train-rows", "2000"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    state = tmp_path / "runs/adsim/checkpoints/base/state.json"
    while process.poll() is None and not state.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert error.strip().splitlines()[-1].endswith("The same command goes on from the last finished epoch.")
    assert json.loads(state.read_text())["epoch"] >= 1


def test_two_seeds_end_with_their_mean_and_spread(command_line, tmp_path, monkeypatch, capsys):
    options = ["--epochs", "1", "--train-rows", "4000", "--seeds", "2", "--json", "--out", "run"]
    status, out, err = command_line("launch", "adsim", *options)
    assert status == 0, err
    summary = json.loads(out)
    assert summary["seeds"] == [0, 1]
    scores = summary["nets"]["light"]["test"]["auc"]
    assert scores["mean"] == pytest.approx(sum(scores["values"]) / 2)
    assert scores["std"] == pytest.approx(abs(scores["values"][0] - scores["values"][1]) / 2**0.5)
    single = json.loads((tmp_path / "run/seed-1/metrics.json").read_text())
    assert single["nets"]["light"]["test"]["auc"] == scores["values"][1]
    assert summary == json.loads((tmp_path / "run/summary.json").read_text())
