"""Sends scoring requests at a fixed rate from a process of its own; prints each one's status and milliseconds as JSON.

python benchmarks/http_load.py PORT BODIES.json --rate 500 --seconds 5 [--connections 64]

A request falls due whether or not those before it were answered (an open loop), and its time begins then, not when a
connection is free; without a rate each connection sends the next one as soon as it has an answer. Loopback only.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from pathlib import Path

HOST = "127.0.0.1"


async def connection(port: int, requests: list[bytes], due: "asyncio.Queue[float | None]", done: list) -> None:
    """Send what falls due over one connection, and again over a new one where it was closed."""
    reader = writer = None
    number = 0
    while (moment := await due.get()) is not None:
        spare = moment - time.perf_counter()
        if spare > 0:
            # The event loop wakes up to a millisecond late: the request comes then, and nothing has kept it waiting.
            await asyncio.sleep(spare)
            moment = time.perf_counter()
        sent = time.perf_counter()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(requests[number % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").lower().split("\r\n")
            length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
            await reader.readexactly(length)
            status = int(lines[0].split()[1])
            if "connection: close" in lines:
                writer.close()
                reader = writer = None
        except (OSError, asyncio.IncompleteReadError):
            status, reader, writer = 0, None, None
        now = time.perf_counter()
        done.append((status, 1e3 * (now - moment), 1e3 * (now - sent)))
        number += 1


async def load(port: int, requests: list[bytes], rate: float | None, seconds: float, connections: int) -> list:
    """Return status, milliseconds since it was due, and milliseconds since it was sent, of each request."""
    done: list = []
    begin = time.perf_counter() + 0.2
    if rate is None:
        queues = [asyncio.Queue(1) for _ in range(connections)]
        tasks = [asyncio.create_task(connection(port, requests, queue, done)) for queue in queues]

        async def feed(queue: asyncio.Queue) -> None:
            while time.perf_counter() < begin + seconds:
                await queue.put(time.perf_counter())
            await queue.put(None)

        await asyncio.gather(*(feed(queue) for queue in queues), *tasks)
        return done
    queue: asyncio.Queue = asyncio.Queue()
    for number in range(int(rate * seconds)):
        queue.put_nowait(begin + number / rate)
    for _ in range(connections):
        queue.put_nowait(None)
    await asyncio.gather(*(connection(port, requests, queue, done) for _ in range(connections)))
    return done


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
    options = (arguments.rate, arguments.seconds, arguments.connections)
    done = asyncio.run(load(arguments.port, requests, *options))
    statuses = Counter(status for status, _, _ in done)
    answered = [row for row in done if row[0] == 200]
    print(
        json.dumps(
            {
                "statuses": statuses,
                "seconds": time.perf_counter() - begin - 0.2,
                "since_due_ms": [round(row[1], 4) for row in answered],
                "since_sent_ms": [round(row[2], 4) for row in answered],
            }
        )
    )


if __name__ == "__main__":
    main()
