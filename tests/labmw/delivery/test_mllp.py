"""One connection to a receiver: an acknowledgment belongs to the message that it names, or to none."""

from __future__ import annotations

import asyncio

import pytest
from receiver import ack, at_once, never, oru, receiving
from stage import eventually, free_port

from labmw.delivery import mllp
from labmw.delivery.mllp import MllpSender, Silent, Unreachable
from labmw.errors import DeliveryError
from protocols.hl7.acknowledgment import Acknowledgment
from protocols.hl7.mllp import wrap


async def test_a_message_and_its_acknowledgment_and_one_connection_for_all() -> None:
    async with receiving(at_once) as (sender, receiver):
        for control in ("M1", "M2", "M3"):
            answer, raw = await sender.deliver(control, oru(control))
            assert (answer.code, answer.control_id) == ("AA", control)
            assert raw == ack(control)[1:-2]
        assert len(receiver.writers) == 1


async def test_a_late_acknowledgment_never_answers_for_the_next_message() -> None:
    held: list[bytes] = []

    async def late(control: str, writer: asyncio.StreamWriter) -> None:
        if control == "M1":
            held.append(ack("M1"))  # comes when M2 is already on its way
        else:
            writer.write(held.pop())
            await asyncio.sleep(0.01)
            writer.write(ack(control, "AE"))

    strays: list[str] = []
    async with receiving(late, patience=0.5) as (sender, _):
        sender.stray = lambda acknowledgment, raw: strays.append(acknowledgment.control_id)
        with pytest.raises(Silent):
            await sender.deliver("M1", oru("M1"))
        answer, _ = await sender.deliver("M2", oru("M2"))
        assert (answer.control_id, answer.code) == ("M2", "AE")  # by order it would have been M1's AA
    assert strays == ["M1"]


async def test_an_acknowledgment_that_names_nobody_is_a_stray_and_nobodys() -> None:
    async def empty(control: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ack(""))

    strays: list[Acknowledgment] = []
    async with receiving(empty, patience=0.1) as (sender, _):
        sender.stray = lambda acknowledgment, raw: strays.append(acknowledgment)
        with pytest.raises(Silent, match=r"gave no acknowledgment within 0\.1 s"):
            await sender.deliver("M1", oru("M1"))
    assert [one.control_id for one in strays] == [""]


async def test_silent_twice_the_connection_is_given_up_for_a_fresh_one() -> None:
    """A firewall has forgotten the connection: what is written into it goes nowhere, and no error ever comes back."""

    async def only_the_second_connection(control: str, writer: asyncio.StreamWriter) -> None:
        if receiver.writers.index(writer) > 0:
            writer.write(ack(control))

    async with receiving(only_the_second_connection, patience=0.3) as (sender, receiver):
        for _ in range(2):
            with pytest.raises(Silent):
                await sender.deliver("M1", oru("M1"))
        answer, _ = await sender.deliver("M1", oru("M1"))
        assert answer.code == "AA"
        assert len(receiver.writers) == 2


async def test_a_connection_that_the_receiver_closed_while_idle_is_opened_again() -> None:
    async with receiving(at_once) as (sender, receiver):
        await sender.deliver("M1", oru("M1"))
        receiver.writers[0].close()
        await eventually(lambda: sender._reading is not None and sender._reading.done())
        await sender.deliver("M2", oru("M2"))
        assert receiver.got == ["M1", "M2"]


async def test_a_connection_that_breaks_before_the_answer_is_silence_at_once() -> None:
    async def break_off(control: str, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with receiving(break_off) as (sender, _):
        with pytest.raises(Silent, match="broke the connection"):
            await sender.deliver("M1", oru("M1"))


@pytest.mark.parametrize(
    "rubbish",
    [
        wrap(b"not HL7"),
        wrap(b"MSH|^~\\&|\r"),
        wrap(b"MSH|^~\\&|LIS||||||ACK|1|P|2.5.1\rMSA|XX|M1\r"),
        b"noise without a block",
        b"\x0bnever ended",
        wrap(b"MSH|^~\\&|LIS||||||ACK|1|P|2.5.1||||||8859/1\rMSA|AA|\xff\xfe\r"),
    ],
)
async def test_rubbish_from_the_receiver_is_survived(rubbish: bytes) -> None:
    async def first_rubbish(control: str, writer: asyncio.StreamWriter) -> None:
        writer.write(rubbish)
        writer.write(ack(control))

    async with receiving(first_rubbish) as (sender, _):
        answer, _ = await sender.deliver("M1", oru("M1"))
        assert answer.code == "AA"


async def test_a_receiver_that_sends_without_end_is_hung_up_on_and_not_listened_to_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mllp, "MAX_ACK", 10_000)

    async def floods_once(control: str, writer: asyncio.StreamWriter) -> None:
        if len(receiver.writers) == 1:
            writer.write(b"\x0b" + b"x" * 20_000)
        else:
            writer.write(ack(control))

    async with receiving(floods_once) as (sender, receiver):
        with pytest.raises(Silent, match="broke the connection"):
            await sender.deliver("M1", oru("M1"))
        assert (await sender.deliver("M1", oru("M1")))[0].code == "AA"


async def test_who_cannot_be_reached_has_got_nothing() -> None:
    for host in ("127.0.0.1", "h" * 80 + ".invalid"):
        sender = MllpSender(host, free_port(), patience=1)
        with pytest.raises(Unreachable, match=r"cannot be reached .*; check that the LIS listens"):
            await sender.deliver("M1", oru("M1"))
        await sender.close()


async def test_bytes_that_no_block_may_hold_are_refused_before_anything_is_sent() -> None:
    async with receiving(at_once) as (sender, receiver):
        with pytest.raises(DeliveryError, match="VT"):
            await sender.deliver("M1", oru("M1") + b"\x1c")
        assert receiver.got == []


async def test_asked_to_stop_while_it_closes_it_stops() -> None:
    """A cancellation that arrives in close() is not swallowed there: the daemon would never end."""
    async with receiving(never, patience=0.02) as (sender, _):
        with pytest.raises(Silent):
            await sender.deliver("M1", oru("M1"))

        async def stubborn() -> None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await asyncio.sleep(0.1)  # takes its time to end

        assert sender._reading is not None
        sender._reading.cancel()
        sender._reading = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        closing = asyncio.create_task(sender.close())
        await asyncio.sleep(0.01)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing


async def test_several_wait_at_once_and_each_gets_its_own() -> None:
    order: list[str] = []

    async def reversed_(control: str, writer: asyncio.StreamWriter) -> None:
        order.append(control)
        if len(order) == 3:
            for one in reversed(order):
                writer.write(ack(one, "AA" if one != "M2" else "AE"))

    async with receiving(reversed_) as (sender, _):
        await sender._connected()
        answers = await asyncio.gather(*(sender.deliver(one, oru(one)) for one in ("M1", "M2", "M3")))
        assert [(answer.control_id, answer.code) for answer, _ in answers] == [("M1", "AA"), ("M2", "AE"), ("M3", "AA")]
