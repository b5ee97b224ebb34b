"""How fast is python-hl7's own MLLP server? It reads each message and acknowledges it, keeps nothing, and prints its port.

Runs in the peers' environment, started by receivers.py; it imports nothing of labmw.
"""

import asyncio
from importlib import import_module
from typing import Any

mllp: Any = import_module("hl7.mllp")


async def serve(reader: Any, writer: Any) -> None:
    """One connection, as its documentation shows it."""
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def main() -> None:
    """Listen until ended."""
    server = await mllp.start_hl7_server(serve, "127.0.0.1", 0, encoding="utf-8", limit=2**20, backlog=300)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
