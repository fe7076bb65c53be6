import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from concurrent import futures
from pathlib import Path

import keras_tuner
import pytest

from tuning import Gate, RandomOracle
from tuning.distributed import Heartbeat, PatientClient, role
from tuning.quiet import quiet

HERE = Path(__file__).parent
SMALL = runpy.run_path(str(HERE / "small_space.py"))
build = SMALL["build"]


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def client(monkeypatch, port):
    """A function that makes a worker's client of a chief on that port."""
    from keras_tuner.src.distribute.oracle_client import OracleClient

    for name, value in {"IP": "127.0.0.1", "PORT": str(port)}.items():
        monkeypatch.setenv(f"KERASTUNER_ORACLE_{name}", value)
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker")
    return lambda oracle: PatientClient(OracleClient(oracle), patience_seconds=30)


@pytest.fixture
def oracle(hypermodel, meter, tmp_path):
    made = RandomOracle(Gate(hypermodel, meter(300)), objective=keras_tuner.Objective("val_light_auc", "max"), seed=1)
    made._set_project_dir(tmp_path, "trials")
    hp = made.get_space()
    build(hp)
    made.update_space(hp)
    return made


def serve(oracle, port):
    """Keras Tuner's own server, as its chief starts it."""
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server


def test_who_is_who_is_told_by_keras_tuners_variables(monkeypatch):
    assert role() == "alone"
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    assert role() == "chief"
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker0")
    assert role() == "worker"


def test_the_chief_measures_and_a_worker_outlives_its_restart(oracle, client, port):
    with quiet():
        worker = client(oracle)
        server = serve(oracle, port)
        trial = worker.create_trial("worker:0")
        # The look was taken in the chief's oracle, not by the worker.
        assert len(oracle.gate.looks) >= 1
        server.stop(None).wait()
        asked = futures.ThreadPoolExecutor(1).submit(worker.get_trial, trial.trial_id)
        time.sleep(2.5)
        assert not asked.done()
        server = serve(oracle, port)
        assert asked.result(30).trial_id == trial.trial_id
        server.stop(None).wait()


def test_a_heartbeat_tells_the_chief_that_the_worker_lives(oracle, client, port, monkeypatch):
    heard = []
    monkeypatch.setattr(oracle, "get_trial", lambda trial: (heard.append(trial), oracle.trials[trial])[1])
    with quiet():
        server = serve(oracle, port)
        worker = client(oracle)
        trial = worker.create_trial("worker:0")
        with Heartbeat(worker, [trial.trial_id], 0.1):
            time.sleep(1.0)
        server.stop(None).wait()
    assert set(heard) == {trial.trial_id}
    assert len(heard) >= 2


SCRIPT = """
import runpy, sys, time
import keras
import tuning

small = runpy.run_path(sys.argv[1])
slow = len(sys.argv) > 3

class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(1.0)

if slow:
    fit = tuning.training.Fleet.fit
    tuning.training.Fleet.fit = lambda self, *a, **k: fit(self, *a, **{**k, "callbacks": [*k["callbacks"], Slow()]})
result = tuning.search(
    small["build"], tuning.LatencyBudget(multiply_adds=300), small["rows"](256, 1), small["rows"](200, 2),
    max_trials=6, epochs=2, batch_size=64, fleet_size=2, folder=sys.argv[2], lease_seconds=8.0,
)
print("done", None if result is None else len(result.rows), flush=True)
"""


@pytest.fixture
def start(port, tmp_path):
    """A function that starts a process of a search; what still runs at the end is killed."""
    running = []

    def begin(name, *more):
        variables = {"KERASTUNER_TUNER_ID": name, "KERASTUNER_ORACLE_IP": "127.0.0.1"}
        environment = {**os.environ, **variables, "KERASTUNER_ORACLE_PORT": str(port), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-c", SCRIPT, str(HERE / "small_space.py"), str(tmp_path / "search"), *more]
        with (tmp_path / f"{name}.log").open("a") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.2)


@pytest.mark.nightly
def test_a_chief_and_two_workers_outlive_a_killed_worker_and_a_killed_chief(start, tmp_path):
    trials = tmp_path / "search" / "trials"

    def status(name):
        path = trials / f"trial_{name}" / "trial.json"
        return json.loads(path.read_text())["status"] if path.exists() else None

    chief = start("chief")
    lost = start("worker-lost", "slow")
    wait_for(lambda: status("0") == status("1") == "RUNNING", 120, "no worker took a trial")
    lost.send_signal(signal.SIGKILL)
    workers = [start("worker-a"), start("worker-b")]
    wait_for(lambda: "COMPLETED" in (status("2"), status("3"), status("4")), 120, "no worker ended a trial")
    chief.send_signal(signal.SIGKILL)
    chief = start("chief")
    for process in (*workers, chief):
        assert process.wait(240) == 0, (tmp_path / "chief.log").read_text()[-2000:]
    told = json.loads((tmp_path / "search" / "search.json").read_text())
    # The killed worker's two trials were done again, by others; all were measured by a chief.
    trained = [row for row in told["rows"] if row["trial"] is not None]
    assert sorted(row["trial"] for row in trained) == list("012345")
    assert all(row["status"] in ("completed", "dropped") for row in trained)
    assert "done None" in (tmp_path / "worker-a.log").read_text()
    assert f"done {len(told['rows'])}" in (tmp_path / "chief.log").read_text()
