"""`rocket-keras serve` as a program of its own, on the loopback interface."""

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

httpx = pytest.importorskip("httpx")
for package in ("fastapi", "onnxruntime", "typer", "uvicorn"):
    pytest.importorskip(package)

USER = {"UserID": 7, "Seen": ["ad 3", "ad 1"], "Age": 2, "Hour": 13.5}
ROW = {"ItemID": "ad 1", "Genres": ["red"], "Price": 1.0}
PATIENCE_S = 120


def wait_until(so):
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path):
    """A function that starts `rocket-keras serve` with arguments and returns the process and its first line."""
    started = []

    def run(*arguments):
        code = "import rocket_keras_start; rocket_keras_start.main()"
        with (tmp_path / "errors").open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", code, "serve", *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def head(body):
    return f"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"


def test_it_serves_swaps_and_stops(served, light, start, tmp_path):
    file, other = shutil.copyfile(served[1], tmp_path / "light.onnx"), tmp_path / "other.onnx"
    light.write(other, seed=2)
    process, line = start(file, "--port", 0, "--max-candidates", 9, "--no-watch")
    address = re.match(r"http://127\.0\.0\.1:\d+", line)[0]
    assert line == f"{address} serves light from {file}: POST /score; GET /healthz, /readyz, /metrics"
    content = {"user": USER, "candidates": [ROW]}
    with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        before = client.post("/score", json=content).json()["scores"]
        assert before == pytest.approx(light.expected(served[0], USER, [ROW]).tolist(), rel=1e-5)
        assert client.post("/score", json={"user": USER, "candidates": [ROW] * 10}).status_code == 422
        first = client.get("/readyz").json()["sha256"]
        file.write_bytes(b"cut")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: 'swaps_total{outcome="refused"} 1.0' in client.get("/metrics").text)
        assert client.post("/score", json=content).json()["scores"] == before
        other.replace(file)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: client.get("/readyz").json()["sha256"] != first)
        after = client.post("/score", json=content).json()["scores"]
        assert abs(after[0] - before[0]) > 1e-4
    host, port = address.removeprefix("http://").split(":")
    body = json.dumps(content)
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as under_way:
        under_way.sendall((head(body) + body[:10]).encode())
        wait_until(lambda: httpx.get(f"{address}/healthz").status_code == 200)  # so that the head was read
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: refused(host, int(port)))
        under_way.sendall(body[10:].encode())
        answer = b"".join(iter(lambda: under_way.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["scores"] == after
    assert process.wait(PATIENCE_S) == 0
    told = (tmp_path / "errors").read_text()
    assert re.findall("refused a new file|serves from now on", told) == ["refused a new file", "serves from now on"]
    assert "Traceback" not in told


def refused(host, port):
    try:
        socket.create_connection((host, port), timeout=PATIENCE_S).close()
    except ConnectionError:
        return True
    return False


def command(monkeypatch, capsys, *arguments):
    """Run the command line in this process: exit status and errors."""
    from rocket_keras import cli

    monkeypatch.setattr(sys, "argv", ["rocket-keras", "serve", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.onnx",), "expected an ONNX file at none.onnx, received no such file"),
        (("cut.onnx",), "cut.onnx"),
        (("digitz",), "Did you mean 'digits'?"),
        (("digits",), "expected a net over raw columns, received wrn10_1.rocket_wrn28_1_digits"),
        (("none.onnx", "--deadline-ms", "0"), "expected `deadline_ms` above 0, received 0"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(monkeypatch, capsys, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("cut.onnx").write_bytes(b"cut")
    status, told = command(monkeypatch, capsys, *arguments)
    assert status == 2
    assert message in told
    assert len(told.strip().splitlines()) == 1


def test_a_port_that_is_taken_is_said_in_one_line(monkeypatch, capsys, served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, told = command(monkeypatch, capsys, served[1], "--port", port)
    assert status == 2
    assert f"expected an address to listen on, received 127.0.0.1 port {port}" in told
    assert told.strip().endswith("name another host or port")


def test_what_is_served_is_exported_first(monkeypatch, served, tmp_path):
    """An entry of the zoo is written with its encoder, request-shaped, and is not watched."""
    from rocket_keras import Scorer, service
    from rocket_keras.cli.serve import serve

    seen = {}

    def served_instead(path, host, port, threads, limits, watch, told):
        seen.update(scorer=Scorer(path), host=host, port=port, limits=limits, watch=watch)

    monkeypatch.setattr(service, "serve", served_instead)
    serve("bank", port=1, max_candidates=7)
    assert (seen["host"], seen["port"], seen["watch"]) == ("127.0.0.1", 1, False)
    assert seen["limits"].max_candidates == 7
    places = {name: column.place for name, column in seen["scorer"].columns.items()}
    assert places["age"] == "user"
    assert "user" in set(places.values()) != {"user"}


def test_an_address_of_the_newer_protocol_is_written_in_brackets():
    from rocket_keras.service.server import _address

    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert _address(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_answers_leave_at_once():
    from rocket_keras.service.server import _listener

    with _listener("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_loop_is_uvloops(served, monkeypatch):
    from rocket_keras.service import server

    uvloop, loops = pytest.importorskip("uvloop"), []

    async def run(_, listener, *__):
        loops.append(asyncio.get_running_loop())
        listener.close()

    monkeypatch.setattr(server, "_run", run)
    monkeypatch.setattr(server.gc, "freeze", lambda: None)
    server.serve(served[1], port=0, told=lambda _: None)
    assert isinstance(loops[0], uvloop.Loop)


def test_above_the_limit_of_connections_uvicorn_itself_refuses(make_service, served, monkeypatch):
    from rocket_keras.service import server

    async def run():
        with server._listener("127.0.0.1", 0) as listener:
            running = asyncio.create_task(server._run(server._config(service.app), listener, service.model, None))
            async with httpx.AsyncClient(base_url=server._address(listener), timeout=PATIENCE_S) as client:
                first = await client.get("/readyz")  # and this connection stays open
                async with httpx.AsyncClient(base_url=server._address(listener), timeout=PATIENCE_S) as another:
                    second = await another.get("/readyz")
            signal.raise_signal(signal.SIGTERM)
            await running
            return first, second

    service, hangup = make_service(served[1]), getattr(signal, "SIGHUP", None)
    before = hangup and signal.getsignal(hangup)
    monkeypatch.setattr(server, "CONNECTIONS", 2)
    try:
        first, second = asyncio.run(run())
    finally:
        if hangup:
            signal.signal(hangup, before)
    assert first.status_code == 200
    assert (second.status_code, second.text) == (503, "Service Unavailable")
    assert second.headers["content-type"].startswith("text/plain")
    assert "retry-after" not in second.headers
