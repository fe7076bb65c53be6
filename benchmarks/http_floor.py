"""A server that reads a request's body, waits busily, and gives an answer as long as one of 200 scores.

python benchmarks/http_floor.py PORT [--busy-ms 0.2]

What `http_load.py` measures of it, less the busy time, is what this machine's network and clock and the load take.
"""

import argparse
import asyncio
import functools
import time

import uvloop

BODY = b'{"model":"floor","scores":[' + b",".join([b"0.1234567890"] * 200) + b"]}"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY


class Floor(asyncio.Protocol):
    """One connection.

    Args:
        busy_s: Seconds of the processor that a request takes.
    """

    def __init__(self, busy_s: float) -> None:
        self.busy_s = busy_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self.transport, self.request = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer once the body is there."""
        self.request += data
        head, found, body = self.request.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        if found and len(body) >= next(int(one.split(b":")[1]) for one in lines if one.startswith(b"content-length")):
            self.request, end = b"", time.perf_counter() + self.busy_s
            while time.perf_counter() < end:
                pass
            self.transport.write(ANSWER)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--busy-ms", type=float, default=0.0)
    arguments = parser.parse_args()
    connection = functools.partial(Floor, arguments.busy_ms / 1e3)
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", arguments.port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
