"""TLS with code written by others: python-hl7 over TLS both ways, and the openssl command as client and as server."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import hl7
import hl7.mllp
import pytest
from authority import Authority, Pair
from deviant import example
from receiver import oru
from stage import Stage, eventually, free_port

from labmw.app import Laboratory
from labmw.config import load
from labmw.delivery.mllp import MllpSender, Unreachable
from labmw.tls.credentials import Credentials

HOST = "127.0.0.1"
OPENSSL = shutil.which("openssl")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextlib.asynccontextmanager
async def hl7_line(folder: Path, authority: Authority) -> AsyncIterator[Stage]:
    pair = authority.issue("labmw.example")
    tls = f'tls = {{ certificate = "{pair.certificate}", key = "{pair.key}", trusted = "{authority.file}" }}'
    stage = Stage(folder, free_port(), free_port()).build([], link=f'driver = "law"\nprotocol = "hl7"\n{tls}')
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        await eventually(lambda: listens(stage.analyzer_port))
        yield stage
    finally:
        await laboratory.stop()


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((HOST, port)) == 0


def dialling(authority: Authority, pair: Pair) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    context.load_cert_chain(pair.certificate, pair.key)
    return context


async def test_their_client_sends_results_over_tls(tmp_path: Path, authority: Authority) -> None:
    async with hl7_line(tmp_path, authority) as stage:
        context = dialling(authority, authority.issue("analyzer.example"))
        reader, writer = await hl7.mllp.open_hl7_connection(
            HOST, stage.analyzer_port, encoding="utf-8", ssl=context, server_hostname="labmw.example"
        )
        message = hl7.parse(example("law_lab29_01").decode())
        writer.writemessage(message)
        await writer.drain()
        answer = await asyncio.wait_for(reader.readmessage(), 60)
        assert [str(answer.segment("MSA")[n]) for n in (1, 2)] == ["AA", "A-1020"]
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_our_sender_delivers_to_their_server_over_tls(authority: Authority) -> None:
    async def connected(reader: Any, writer: Any) -> None:
        try:
            while True:
                message = await reader.readmessage()
                writer.writemessage(message.create_ack("AA", "S-1"))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    lis = authority.issue("lis.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(lis.certificate, lis.key)
    server = await hl7.mllp.start_hl7_server(connected, HOST, 0, encoding="utf-8", ssl=context)
    ours = authority.client(authority.issue("labmw.example"), peer_name="lis.example")
    sender = MllpSender(HOST, server.sockets[0].getsockname()[1], patience=10.0, tls=Credentials(ours, server=False))
    try:
        answer, _ = await sender.deliver("M1", oru("M1"))
        assert (answer.code, answer.control_id) == ("AA", "M1")
    finally:
        await sender.close()
        server.close()
        await server.wait_closed()


async def openssl(*arguments: str, says: bytes = b"") -> str:
    """Run the openssl command, feed it and return what it says."""
    assert OPENSSL
    process = await asyncio.create_subprocess_exec(
        OPENSSL, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(says), 30)
    return output.decode(errors="replace")


@pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-tls1_3",), "Protocol  : TLSv1.3|New, TLSv1.3"),
        (("-tls1_2",), "New, TLSv1.2|Protocol  : TLSv1.2"),
        (
            ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
            "alert protocol version|no protocols available|unsupported protocol",
        ),
        (("-tls1_2", "-cipher", "AES128-SHA"), "handshake failure|no cipher"),
        (("-tls1_2", "-no_ticket", "-reconnect"), "Secure Renegotiation IS supported|Reused|New, TLSv1.2"),
    ],
)
async def test_the_openssl_client_sees_the_settings_of_bcp_195(tmp_path: Path, authority: Authority, options: tuple[str, ...], expected: str) -> None:  # fmt: skip
    pair = authority.issue("analyzer.example")
    async with hl7_line(tmp_path, authority) as stage:
        said = await openssl(
            "s_client", "-connect", f"{HOST}:{stage.analyzer_port}", "-cert", str(pair.certificate), "-key", str(pair.key),
            "-CAfile", str(authority.file), "-verify_return_error", *options, says=b"Q\n",
        )  # fmt: skip
        assert any(one in said for one in expected.split("|")), said[-800:]
        if "alert" not in expected and "failure" not in expected:
            assert "Verify return code: 0 (ok)" in said
            assert "Compression: NONE" in said


@pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")
async def test_the_openssl_client_is_told_why_it_is_refused(tmp_path: Path, authority: Authority) -> None:
    foreign = Authority(tmp_path).issue("foreign.example")
    async with hl7_line(tmp_path, authority) as stage:
        said = await openssl(
            "s_client", "-connect", f"{HOST}:{stage.analyzer_port}", "-cert", str(foreign.certificate), "-key", str(foreign.key),
            "-tls1_2",
        )  # fmt: skip
        assert "alert unknown ca" in said


@pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")
async def test_a_weak_key_of_the_other_side_is_refused(tmp_path: Path, authority: Authority) -> None:
    from authority import self_signed

    weak = self_signed(tmp_path, "weak.example", bits=1024)
    port = free_port()
    assert OPENSSL
    process = await asyncio.create_subprocess_exec(
        OPENSSL, "s_server", "-accept", str(port), "-cert", str(weak.certificate), "-key", str(weak.key), "-quiet",
        "-cipher", "ALL:@SECLEVEL=0", "-tls1_2",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await eventually(lambda: listens(port))
        tls = authority.client()
        sender = MllpSender(HOST, port, patience=5.0, tls=Credentials(tls, server=False))
        with pytest.raises(Unreachable) as told:
            await sender.deliver("M1", oru("M1"))
        assert told.value.reason["reason"] in ("tls-weak", "tls-untrusted")
        await sender.close()
    finally:
        process.kill()
        await process.wait()
