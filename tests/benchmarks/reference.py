"""The yardstick: receives ASTM and HL7, stores, then acknowledges. Changed only with a decision file in labmw/decisions."""
# It checks what a receiver must (checksum, MSH) and understands nothing. `reference.py FILE` prints its port.

import asyncio
import re
import sqlite3
import sys
from queue import SimpleQueue
from threading import Thread
from typing import Any

UNIT = re.compile(rb"\x05|\x0b(MSH\|[^\x0b\x1c]*)\x1c\r|\x02([0-7][^\x02-\x05\n\x17]*[\x03\x17])([0-9A-F]{2})\r\n|\x04")
QUEUE: SimpleQueue[tuple[bytes, Any, bytes]] = SimpleQueue()


def keep(file: str, loop: asyncio.AbstractEventLoop) -> None:
    db = sqlite3.connect(file)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE received(data BLOB)")
    while True:
        group = [QUEUE.get()]
        group += [QUEUE.get_nowait() for _ in range(min(QUEUE.qsize(), 49))]
        db.executemany("INSERT INTO received VALUES (?)", [(data,) for data, _, _ in group])
        db.commit()
        loop.call_soon_threadsafe(acknowledge, group)


def acknowledge(group: list[tuple[bytes, Any, bytes]]) -> None:
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
                QUEUE.put((block, self.wire, reply))
            elif frame and b"%02X" % (sum(frame) & 0xFF) == checksum:
                QUEUE.put((frame, self.wire, b"\x06"))
            elif unit[0] != b"\x04":  # ENQ, or a damaged frame
                self.wire.write(b"\x15" if frame else b"\x06")
        self.kept = self.kept[end:]


async def main(file: str) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Receiver, "127.0.0.1", 0)
    Thread(target=keep, args=(file, loop), daemon=True).start()
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(sys.argv[1]))
