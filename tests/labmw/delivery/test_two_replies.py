"""A receiver that says CA and then its application reply: only the reply delivers, and it is accept-acknowledged where it asks (decision 0079)."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from labmw.delivery.mllp import Committed, MllpSender
from protocols.hl7.acknowledgment import read_ack
from protocols.hl7.er7 import Message


def said(number: str, code: str, control_id: str, modes: str = "") -> bytes:
    return f"\x0bMSH|^~\\&|LIS||LABMW||20261101||ACK|{number}|P|2.5.1{modes}\rMSA|{code}|{control_id}\r\x1c\r".encode()


async def test_stored_is_not_delivered_and_the_reply_is_confirmed() -> None:
    confirmed: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                heard = Message.parse((await reader.readuntil(b"\x1c\r"))[1:-2])
                if heard.first("MSA") is not None:
                    told = read_ack(heard)
                    confirmed.put_nowait((told.code, told.control_id))
                    continue
                number = heard.control_id
                writer.write(said(f"C-{number}", "CA", number))
                if number != "SILENT":
                    code = "AE" if number == "BAD" else "AA"
                    writer.write(said(f"A-{number}", code, number, "|||AL|NE"))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = MllpSender("127.0.0.1", port, patience=1.0, two_replies=True)
    try:
        for number, code in (("GOOD", "AA"), ("BAD", "AE")):
            message = f"MSH|^~\\&|LABMW||LIS||20261101||ORU^R01|{number}|P|2.5.1|||AL|AL\r".encode()
            found, raw = await sender.deliver(number, message)
            assert found.code == code
            await sender.confirm(raw)
            assert await asyncio.wait_for(confirmed.get(), 60) == ("CA", f"A-{number}")
        with pytest.raises(Committed):
            await sender.deliver("SILENT", b"MSH|^~\\&|LABMW||LIS||20261101||ORU^R01|SILENT|P|2.5.1|||AL|AL\r")
    finally:
        await sender.close()
        server.close()
