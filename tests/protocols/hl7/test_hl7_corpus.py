"""Messages that analyzers and standards really send: read, compared with what was read by eye, and given back byte for byte."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import ErrorDetail, ack, read_ack
from protocols.hl7.er7 import Message, split_batch
from protocols.hl7.messages import oru_r01, read_oru
from protocols.hl7.mllp import Block, MllpReader, wrap

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "tests" / "examples").glob("*.hl7"))
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus")) / "hl7"
FILES = sorted(path for path in CORPUS.glob("*/*") if path.suffix in (".hl7", ".mllp"))

needs_corpus = pytest.mark.skipif(not FILES, reason=f"no message corpus in {CORPUS}: set LABMW_CORPUS")


def messages_of(path: Path) -> list[Message]:
    data = path.read_bytes()
    if path.suffix != ".mllp":
        return split_batch(data)
    events = MllpReader().receive(data)
    assert all(isinstance(event, Block) for event in events)
    assert b"".join(wrap(event.data) for event in events if isinstance(event, Block)) == data
    return [Message.parse(event.data) for event in events if isinstance(event, Block)]


def test_all_examples_are_here() -> None:
    assert len(EXAMPLES) == 45


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path) -> None:
    message = Message.parse(path.read_bytes())
    assert message.encode() == path.read_bytes()
    assert (message.charset_problem, message.line_end_problem) == (None, None)
    assert "\r".join(item.line for item in message) + "\r" == path.read_bytes().decode()


DAMAGE = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.integers(0, 12),
        st.sampled_from([b"", b"\r", b"\n", b"|", b"^", b"~", b"\\", b"&", b'""', b"\xe9", b"MSH|", b"OBX|9|NM|"]),
    ),
    min_size=1,
    max_size=4,
)


@given(st.sampled_from(EXAMPLES), DAMAGE)
def test_a_damaged_message_is_read_or_refused_and_can_be_answered(
    path: Path, damage: list[tuple[int, int, bytes]]
) -> None:
    data = path.read_bytes()
    for place, removed, inserted in damage:
        at = place % len(data)
        data = data[:at] + inserted + data[at + removed :]
    try:
        message = Message.parse(data)
    except Hl7Error:
        return
    assert message.encode() == data
    reply = Message.parse(
        ack(message, "AE", control_id="1", when="2026", error=ErrorDetail("207", "é")), message.encoding
    )
    assert not read_ack(reply).accepted
    for item in message:
        assert all(item.component(n) is not None for n in range(1, len(item.fields)))
    try:
        report = read_oru(message)
        written = oru_r01(report)
    except Hl7Error:
        return
    assert oru_r01(read_oru(Message.parse(written))) == written


@needs_corpus
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_corpus(path: Path) -> None:
    expected: dict[str, Any] = json.loads(Path(f"{path}.expected.json").read_text())
    if expected.get("receiver") == "refuse" or "bad" in path.stem:
        with pytest.raises(Hl7Error):
            messages_of(path)
        return
    messages = messages_of(path)
    assert len(messages) == len(expected["messages"])
    for message, said in zip(messages, expected["messages"], strict=True):
        compare(message, said)
    if path.suffix == ".hl7" and not path.read_bytes().startswith((b"BHS", b"FHS")):
        assert b"".join(message.encode() for message in messages) == path.read_bytes()


def compare(message: Message, said: dict[str, Any]) -> None:
    assert message.encode() == message.raw
    assert message.line_end_problem is None
    assert [item.name for item in message] == said["structure"]
    assert message.header.field(9) == said["type"]
    assert message.control_id == said["control_id"]
    assert message.version == said["version"]
    assert message.separators.field + message.separators.encoding_characters == said["delimiters"]
    results = message.all("OBX")
    assert len(results) == len(said["results"])
    for obx, result in zip(results, said["results"], strict=True):
        assert obx.field(1) == result["seq"]
        assert obx.field(3) == result["code_raw"]
        if len(obx.field(5)) <= 400:
            assert obx.field(5) == result["value_raw"]
        assert obx.field(6) == result["unit_raw"]
        assert obx.field(8) == result["flags_raw"]
        assert obx.component(11) == result["status"]
