"""The yardstick on PostgreSQL: the twin of reference.py with asyncpg. Changed only with a decision file in labmw/decisions."""
# `reference_postgresql.py URL` prints its port.

import asyncio
import re
import sys
from typing import Any

import asyncpg

UNIT = re.compile(rb"\x05|\x0b(MSH\|[^\x0b\x1c]*)\x1c\r|\x02([0-7][^\x02-\x05\n\x17]*[\x03\x17])([0-9A-F]{2})\r\n|\x04")
QUEUE: asyncio.Queue[tuple[bytes, Any, bytes]] = asyncio.Queue()


async def keep(url: str) -> None:
    db = await asyncpg.connect(url)
    await db.execute("CREATE TABLE received(data bytea)")
    while True:
        group = [await QUEUE.get()]
        group += [QUEUE.get_nowait() for _ in range(min(QUEUE.qsize(), 49))]
        await db.executemany("INSERT INTO received VALUES ($1)", [(data,) for data, _, _ in group])  # one transaction
        for _, wire, reply in group:
            wire.write(reply)


class Receiver(asyncio.Protocol):
    def connection_made(self, wire: Any) -> None:
        self.wire, self.kept = wire, b""

    def data_received(self, data: bytes) -> None:
        self.kept, end = self.kept + data, 0
        for unit in UNIT.finditer(self.kept):
            (block, frame, checksum), end = unit.groups(), unit.end()
            if block:
                reply = b"\x0bMSH|^~\\&|||||||ACK|1|P|2.5.1\rMSA|AA|%b\r\x1c\r" % block.split(b"|", 10)[9]
                QUEUE.put_nowait((block, self.wire, reply))
            elif frame and b"%02X" % (sum(frame) & 0xFF) == checksum:
                QUEUE.put_nowait((frame, self.wire, b"\x06"))
            elif unit[0] != b"\x04":  # ENQ, or a damaged frame
                self.wire.write(b"\x15" if frame else b"\x06")
        self.kept = self.kept[end:]


async def main(url: str) -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    keeping = asyncio.create_task(keep(url))
    print(server.sockets[0].getsockname()[1], flush=True)
    await keeping


asyncio.run(main(sys.argv[1]))
