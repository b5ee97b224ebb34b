"""Towards the LIS over TLS: delivered when both believe each other, and nothing is sent, and the reason told, when not."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from authority import NOW, Authority, Pair
from receiver import Receiver, at_once, oru

from labmw.delivery.mllp import MllpSender, Unreachable
from labmw.tls.certificate import Certificate
from labmw.tls.credentials import Credentials
from labmw.tls.settings import Tls

HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def secured(pair: Pair, tls: Tls, *, asks: Path | None = None, latest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> AsyncIterator[tuple[MllpSender, Receiver]]:  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.maximum_version = latest
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(asks)
    receiver = Receiver(at_once)
    server = await asyncio.start_server(receiver.serve, HOST, 0, ssl=context)
    sender = MllpSender(HOST, server.sockets[0].getsockname()[1], patience=5.0, tls=Credentials(tls, server=False))
    try:
        yield sender, receiver
    finally:
        await sender.close()
        server.close()
        await server.wait_closed()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("latest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_messages_are_delivered_on_one_connection(authority: Authority, latest: ssl.TLSVersion) -> None:
    ours = authority.client(authority.issue("labmw.example"), peer_name="lis.example")
    lis = authority.issue("lis.example", days=99)
    met: list[Certificate | None] = []
    async with secured(lis, ours, asks=authority.file, latest=latest) as (sender, receiver):
        sender.met = met.append
        for control in ("M1", "M2", "M3"):
            answer, _ = await sender.deliver(control, oru(control))
            assert (answer.code, answer.control_id) == ("AA", control)
        assert receiver.got == ["M1", "M2", "M3"]
        assert len(receiver.writers) == 1
    [shown] = met
    assert shown is not None
    assert (shown.names, shown.left(NOW).days) == (("lis.example",), 99)


async def test_a_receiver_that_is_not_believed_gets_nothing(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path).issue("lis.example")
    async with secured(stranger, authority.client()) as (sender, receiver):
        with pytest.raises(Unreachable, match="nobody whom labmw trusts") as told:
            await sender.deliver("M1", oru("M1"))
        assert told.value.reason["reason"] == "tls-untrusted"
        assert receiver.got == []


async def test_a_receiver_of_another_name_gets_nothing(authority: Authority) -> None:
    """A certificate of the same authority is not enough where the name is set: the server of another department."""
    async with secured(authority.issue("cafeteria.example"), authority.client(peer_name="lis.example")) as (sender, receiver):  # fmt: skip
        with pytest.raises(Unreachable) as told:
            await sender.deliver("M1", oru("M1"))
        assert told.value.reason["reason"] == "tls-name"
        assert receiver.got == []
    async with secured(authority.issue("cafeteria.example"), authority.client()) as (sender, receiver):
        await sender.deliver("M1", oru("M1"))
        assert receiver.got == ["M1"], "the variant without the name: it does get the patient's results"


@pytest.mark.parametrize("latest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_receiver_that_wants_a_certificate_gets_nothing_without(authority: Authority, latest: ssl.TLSVersion) -> None:  # fmt: skip
    async with secured(authority.issue("lis.example"), authority.client(), asks=authority.file, latest=latest) as (sender, receiver):  # fmt: skip
        with pytest.raises(Unreachable):
            await sender.deliver("M1", oru("M1"))
        assert receiver.got == []


async def test_files_that_cannot_be_used_are_told(authority: Authority, tmp_path: Path) -> None:
    async with secured(authority.issue("lis.example"), Tls(trusted=str(tmp_path / "none.pem"))) as (sender, receiver):
        with pytest.raises(Unreachable, match="check the path"):
            await sender.deliver("M1", oru("M1"))
        assert receiver.got == []


async def test_a_renewed_certificate_of_ours_is_shown_at_the_next_connection(authority: Authority) -> None:
    ours = authority.issue("labmw.example", days=-1, since=9)
    async with secured(authority.issue("lis.example"), authority.client(ours), asks=authority.file) as (sender, receiver):  # fmt: skip
        with pytest.raises(Unreachable):
            await sender.deliver("M1", oru("M1"))
        authority.issue("labmw.example")
        answer, _ = await sender.deliver("M1", oru("M1"))
        assert answer.code == "AA"
        assert receiver.got == ["M1"]
