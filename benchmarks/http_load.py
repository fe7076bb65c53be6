"""Sends scoring requests at a fixed rate from a process of its own; prints each one's status and milliseconds as JSON.

python benchmarks/http_load.py PORT BODIES.json --rate 500 --seconds 5 [--connections 64]

A request falls due whether or not those before it were answered (an open loop), and its time begins then, not when a
connection is free; without a rate each connection sends the next one as soon as it has an answer. Loopback only.
"""

import argparse
import json
import select
import socket
import time
from collections import Counter, deque
from pathlib import Path

HOST = "127.0.0.1"
BUFFER = 1 << 20


class Connection:
    """One connection, which has one request under way at most.

    Args:
        port: Where the service listens.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect((HOST, port))
        self.socket.setblocking(False)
        self.rest, self.answer = b"", b""
        self.due = self.sent = 0.0

    def fileno(self) -> int:
        """Return what `select` waits for."""
        return self.socket.fileno()

    def send(self, request: bytes, due: float) -> None:
        """Send a request, as much of it as goes at once."""
        self.rest, self.answer, self.due, self.sent = request, b"", due, time.perf_counter()
        self.go_on()

    def go_on(self) -> None:
        """Send what did not go at once."""
        self.rest = self.rest[self.socket.send(self.rest) :]

    def receive(self) -> tuple[int, bool] | None:
        """Read what has come; status, and whether the connection stays open, once all has."""
        try:
            data = self.socket.recv(BUFFER)
        except OSError:
            data = b""
        if not data:
            return 0, False
        self.answer += data
        head, found, body = self.answer.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        if not found or len(body) < next(int(one.split(b":")[1]) for one in lines if one.startswith(b"content-length")):
            return None
        return int(lines[0].split()[1]), b"connection: close" not in lines


def load(
    port: int, requests: list[bytes], rate: float | None, seconds: float, connections: int
) -> list[tuple[int, float, float]]:
    """Return status, milliseconds since it was due, and milliseconds since it was sent, of each request."""
    free, busy = deque(Connection(port) for _ in range(connections)), list[Connection]()
    done, number, begin = list[tuple[int, float, float]](), 0, time.perf_counter()
    due = deque(begin + turn / rate for turn in range(int(rate * seconds))) if rate else deque[float]()
    while True:
        now = time.perf_counter()
        if rate is None and now < begin + seconds:
            due.extend([now] * (len(free) - len(due)))
        while free and due and due[0] <= now:
            busy.append(free.popleft())
            busy[-1].send(requests[number % len(requests)], due.popleft())
            number += 1
        if not busy and not due:
            return done
        spare = max(0.0, due[0] - time.perf_counter()) if free and due else None
        ready, writable, _ = select.select(busy, [one for one in busy if one.rest], [], spare)
        if not ready and not writable:
            # It woke up some microseconds late: the request comes then, and nothing has kept it waiting.
            due[0] = max(due[0], time.perf_counter())
        for one in writable:
            one.go_on()
        for one in ready:
            answer = one.receive()
            if answer is not None:
                now = time.perf_counter()
                done.append((answer[0], 1e3 * (now - one.due), 1e3 * (now - one.sent)))
                busy.remove(one)
                free.append(one if answer[1] else Connection(port))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    head = "POST /score HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
    bodies = [json.dumps(body, separators=(",", ":")).encode() for body in json.loads(arguments.bodies.read_text())]
    requests = [head.format(HOST, len(body)).encode() + body for body in bodies]
    begin = time.perf_counter()
    done = load(arguments.port, requests, arguments.rate, arguments.seconds, arguments.connections)
    told = {"statuses": Counter(status for status, _, _ in done), "seconds": time.perf_counter() - begin}
    answered = [row for row in done if row[0] == 200]
    for place, name in enumerate(("since_due_ms", "since_sent_ms"), 1):
        told[name] = [round(row[place], 4) for row in answered]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
