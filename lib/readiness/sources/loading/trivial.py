"""A server whose answers take no work: what the generator reaches against it is its own ceiling.

python -m readiness.sources.loading.trivial      prints its port, serves until its input ends
"""

from __future__ import annotations

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Trivial(asyncio.Protocol):
    """Answers each head of a request, looking at nothing else; requests have no body here."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.begun = b""

    def data_received(self, data: bytes) -> None:
        heads = (self.begun + data).split(b"\r\n\r\n")
        self.begun = heads[-1]
        if len(heads) > 1 and isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(ANSWER * (len(heads) - 1))


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Trivial, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
