"""Messages from frames and from bare records: where they begin and end, what is kept of those that cannot be read."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.astm.frame import Frame, cut
from protocols.astm.message import Assembly, Message
from protocols.astm.record import STANDARD, build
from protocols.astm.tolerance import Tolerances
from protocols.errors import FrameError, RecordError, SettingError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
UPLOAD = (EXAMPLES / "astm_01_result_upload.astm").read_bytes()


def frame(text: bytes, last: bool = True) -> Frame:
    return Frame(1, text, last, b"")


def feed(assembly: Assembly, *frames: Frame) -> list[Message]:
    found = []
    for one in frames:
        ends = assembly.completes(one)
        twin = assembly.copy()
        messages = assembly.feed(one)
        assert ends is any(message.terminated for message in messages)
        assert twin.feed(one) == messages
        found += messages
    return found


def frames_of(message: bytes) -> list[Frame]:
    return [frame(text, last) for line in message.split(b"\r")[:-1] for text, last in cut(line + b"\r")]


# -- assembling -----------------------------------------------------------------------------------------------


def test_one_record_in_each_frame() -> None:
    assembly = Assembly()
    *rest, end = frames_of(UPLOAD)
    assert feed(assembly, *rest) == [] and assembly.pending
    (message,) = feed(assembly, end)
    assert message.raw == message.encode() == UPLOAD and message.terminated and not assembly.pending
    assert message.structure == "HPORCORL" and message.terminator == "N"
    assert message.records_bytes() == [line + b"\r" for line in UPLOAD.split(b"\r")[:-1]]
    assert not assembly.used and assembly.close() is None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(1, len(UPLOAD) - 1), max_size=10),
    st.sampled_from([Tolerances(), Tolerances(numbered_records=True), Tolerances(record_line_feeds=True)]),
)
def test_cuts_inside_records_make_no_difference(places: list[int], tolerances: Tolerances) -> None:
    bounds = [0, *sorted(set(places)), len(UPLOAD)]
    frames = [frame(UPLOAD[start:end], last=end == len(UPLOAD)) for start, end in pairwise(bounds)]
    (message,) = feed(Assembly(tolerances=tolerances), *frames)
    assert message.raw == UPLOAD and message.structure == "HPORCORL"


def test_etx_ends_a_record_without_cr() -> None:
    assembly = Assembly()
    (message,) = feed(
        assembly, frame(b"H|\\^&"), frame(b"P|", last=False), frame(b"1"), frame(b"L|1", last=False), frame(b"")
    )
    assert message.lines == (b"H|\\^&", b"P|1", b"L|1")
    assert assembly.used == {"record_without_cr": 3}


def test_several_messages_in_one_session_and_one_frame() -> None:
    assembly = Assembly()
    first, second = feed(assembly, frame(b"H|\\^&\rL|1|N\rH|\\^&\rP|1\rL|1|F\r"))
    assert (first.structure, second.structure, second.terminator) == ("HL", "HPL", "F")


def test_a_new_header_before_the_terminator() -> None:
    assembly = Assembly()
    cut_short, whole = feed(assembly, frame(b"H|\\^&\r"), frame(b"P|1\r"), frame(b"H|\\^&\r"), frame(b"L|1\r"))
    assert (cut_short.structure, cut_short.terminated, cut_short.terminator) == ("HP", False, None)
    assert whole.structure == "HL" and whole.terminated


def test_unterminated_message() -> None:
    assembly = Assembly()
    feed(assembly, frame(b"H|\\^&\r"), frame(b"R|1|^^^GLU|5.4", last=False))
    rest = assembly.close()
    assert rest is not None and not rest.terminated
    assert rest.lines == (b"H|\\^&",) and rest.cut_off == b"R|1|^^^GLU|5.4"  # it may have become 5.42
    assert rest.raw == b"H|\\^&\rR|1|^^^GLU|5.4"
    assert not assembly.pending and assembly.close() is None
    assert feed(assembly, frame(b"H|\\^&\rL|1\r"))[0].structure == "HL"


def test_only_the_beginning_of_a_record() -> None:
    assembly = Assembly()
    feed(assembly, frame(b"H|\\^", last=False))
    rest = assembly.close()
    assert rest is not None and rest.lines == () and rest.cut_off == rest.raw == b"H|\\^"
    with pytest.raises(RecordError, match="no whole record"):
        rest.header  # noqa: B018


@pytest.mark.parametrize("end", [b"L|1|N\r", b"L\r", b"l|1\r", b"L"])
def test_terminators(end: bytes) -> None:
    (message,) = feed(Assembly(), frame(b"H|\\^&\r"), frame(end))
    assert message.terminated and message.structure == "HL"


def test_what_looks_like_a_terminator_or_header() -> None:
    assembly = Assembly()
    assert feed(assembly, frame(b"H|\\^&\r"), frame(b"LX|1\r"), frame(b"HM|x\r"), frame(b"M|L|1\r")) == []
    (message,) = feed(assembly, frame(b"L|1\r"))
    assert [record.type for record in message.records] == ["H", "LX", "HM", "M", "L"]


def test_other_field_delimiter() -> None:
    (message,) = feed(Assembly(), *frames_of((EXAMPLES / "astm_13_escapes_and_delimiters.astm").read_bytes()))
    assert str(message.delimiters) == "@!#$" and message.terminator == "N"
    assert message.records[1].components(6) == ["O!NEIL", "A@B"]
    assert [message.records[2].component(5, 4, repeat) for repeat in (1, 2)] == ["GLU", "CREA"]


def test_a_message_without_header_is_kept_and_not_split() -> None:
    (message,) = feed(Assembly(), frame(b"P|1\r"), frame(b"L|1\r"))
    assert message.terminated and message.raw == b"P|1\rL|1\r" and message.lines == (b"P|1", b"L|1")
    assert "no header" in str(message.fault)
    for look in ("delimiters", "records", "structure", "header", "terminator", "tree"):
        with pytest.raises(RecordError, match="no header"):
            getattr(message, look)


def test_a_header_that_contradicts_itself_is_kept_and_not_split() -> None:
    (message,) = feed(Assembly(), frame(b"H|\\\\^&|||H550\r"), frame(b"L|1\r"))
    assert "bad delimiter definition" in str(message.fault)
    with pytest.raises(RecordError):
        message.records  # noqa: B018
    (named,) = feed(Assembly(delimiters=STANDARD), frame(b"H|\\\\^&|||H550\r"), frame(b"L|1\r"))
    assert named.fault is None and named.structure == "HL"


def test_numbered_records() -> None:
    text = b"H|\\^&|||X\r2P|1\r3O|1|S\r4L|1|N\r"
    assembly = Assembly(tolerances=Tolerances(numbered_records=True))
    (message,) = feed(assembly, frame(text))
    assert message.structure == "HPOL" and message.raw == text
    assert message.lines == (b"H|\\^&|||X", b"P|1", b"O|1|S", b"L|1|N")
    assert assembly.used == {"numbered_records": 3}
    assert feed(Assembly(), frame(text)) == []


def test_line_feeds() -> None:
    loose = Tolerances(record_line_feeds=True)
    assembly = Assembly(tolerances=loose)
    (message,) = feed(assembly, frame(b"H|\\^&\r\n"), frame(b"P|1\n"), frame(b"O|1\r", last=False), frame(b"\nL|1\r\n"))
    assert message.lines == (b"H|\\^&", b"P|1", b"O|1", b"L|1")
    assert assembly.used == {"record_line_feeds": 3}  # frames with one
    assert assembly.close() is None


@pytest.mark.parametrize(
    ("encoding", "name"), [("latin-1", "Léa"), ("utf-8", "Léa"), ("shift_jis", "ソ|"[:1]), ("gb18030", "张")]
)
def test_encodings(encoding: str, name: str) -> None:
    """In Shift-JIS the second byte of ソ is a backslash: decoding comes before splitting."""
    message = Message.of(["H|\\^&", build("P", {2: "1", 6: name}), "L|1|N"], encoding)
    (again,) = feed(Assembly(encoding), *frames_of(message.encode()))
    assert again.records[1].component(6, 1) == name and again.encode() == message.encode()


def test_bytes_that_the_encoding_does_not_know_are_kept() -> None:
    (message,) = feed(Assembly("utf-8"), frame(b"H|\\^&\rP|1||||L\xe9a\rL|1\r"))
    assert message.records[1].field(6) == "L\udce9a" and message.encode() == b"H|\\^&\rP|1||||L\xe9a\rL|1\r"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp500", "no-such-encoding"])
def test_encodings_that_cannot_be_cut_into_records(encoding: str) -> None:
    with pytest.raises(SettingError, match="give one that contains ASCII"):
        Assembly(encoding)


def test_damage_in_a_stateful_encoding_stays_in_its_line() -> None:
    assembly = Assembly("iso2022_jp")
    (message,) = feed(assembly, frame(b"H|\\^&\rP|1||||\x1b$B;3\rL|1|N\r"))
    assert message.structure == "HPL" and message.terminator == "N"


# -- bounds ---------------------------------------------------------------------------------------------------


def test_a_message_that_is_too_large_is_dropped_and_the_next_one_taken() -> None:
    assembly = Assembly(max_message=1000)
    assert feed(assembly, frame(b"H|\\^&\r")) == []
    with pytest.raises(RecordError, match="more than 1000 bytes"):
        for _ in range(100):
            assembly.feed(frame(b"R|1|x|y|z\r"))
    assert assembly.feed(frame(b"R|2\r")) == [] and not assembly.completes(frame(b"L|1\r"))
    assert assembly.feed(frame(b"L|1\r")) == [] and not assembly.pending and assembly.close() is None
    (message,) = feed(assembly, frame(b"H|\\^&\r"), frame(b"P|1\r"), frame(b"L|1\r"))
    assert message.structure == "HPL"


def test_a_record_without_end_keeps_no_memory() -> None:
    assembly = Assembly(max_message=10_000)
    piece = frame(b"x" * 1000, last=False)
    errors = 0
    for number in range(100_000):  # 100 MB
        try:
            assembly.feed(frame(b"H|\\^&\rM|1|", last=False) if number == 0 else piece)
        except RecordError:
            errors += 1
        assert assembly._size + assembly._open_size <= 10_000
    assert errors == 1
    (message,) = feed(assembly, frame(b"\rL|1\rH|\\^&\rL|1\r"))
    assert message.structure == "HL"


def test_a_header_without_end_after_the_fall() -> None:
    assembly = Assembly(max_message=100)
    with pytest.raises(RecordError):
        assembly.feed(frame(b"R" * 101))
    assembly.feed(frame(b"H|\\^&", last=False))
    for _ in range(100):
        assert assembly.feed(frame(b"x" * 50, last=False)) == []
        assert assembly._open_size <= 100
    assert assembly.feed(frame(b"\r")) == []
    assert feed(assembly, frame(b"H|\\^&\rL|1\r"))[0].structure == "HL"


def test_closing_while_skipping() -> None:
    assembly = Assembly(max_message=10)
    with pytest.raises(RecordError):
        assembly.feed(frame(b"R" * 11, last=False))
    assert assembly.pending and assembly.close() is None
    assert feed(Assembly(max_message=20), frame(b"H|\\^&\rL|1\r"))[0].structure == "HL"


# -- bare records ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("astm_*.astm")), ids=lambda file: file.name)
def test_examples_come_back_byte_for_byte(file: Path) -> None:
    data = file.read_bytes()
    (message,) = Message.parse(data)
    assert message.encode() == b"".join(message.records_bytes()) == data
    assert message.terminated and message.tree.problems == []


def test_parsing_several() -> None:
    messages = Message.parse(UPLOAD + b"H|@^\\|\rL|1\r")
    assert [str(message.delimiters) for message in messages] == ["|\\^&", "|@^\\"]


def test_last_record_without_cr() -> None:
    (message,) = Message.parse(b"H|\\^&\rL|1|N")
    assert message.terminated and message.encode() == b"H|\\^&\rL|1|N\r"
    (message,) = Message.parse(b"H|\\^&\rR|1|^^^GLU|5.4")
    assert not message.terminated and message.cut_off == b"R|1|^^^GLU|5.4" and message.structure == "H"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no record"),
        (b"P|1\rL|1\r", "no header: the message begins with 'P|1'"),
        (b"H|\\\\^&|\rL|1\r", "bad delimiter definition"),
        (b"H|\\^&\nL|1\n", "record_line_feeds"),
        (b"H|\\^&\r\nL|1\r\n", "record_line_feeds"),
        (b"\x00\xff", "no whole record"),
    ],
)
def test_what_cannot_be_parsed(data: bytes, says: str) -> None:
    with pytest.raises(RecordError, match=says.replace("|", "\\|")):
        Message.parse(data)


@pytest.mark.parametrize("data", [b"H|\\^&\nL|1\n", b"H|\\^&\r\nL|1\r\n"])
def test_line_feeds_where_tolerated(data: bytes) -> None:
    (message,) = Message.parse(data, tolerances=Tolerances(record_line_feeds=True))
    assert message.structure == "HL"


def test_a_line_feed_inside_a_record_stays() -> None:
    (message,) = Message.parse(b"H|\\^&\rM|1|ab\ncd\rL|1\r")
    assert message.records[1].field(3) == "ab\ncd"


def test_a_fragment_with_given_delimiters() -> None:
    (message,) = Message.parse(b"O|1|A\\B\rO|2|C\r", delimiters=STANDARD)
    assert (
        message.structure == "OO" and not message.terminated and message.header is None and message.terminator is None
    )
    assert message.records[0].repeats(3) == ["A", "B"]


@given(st.binary(max_size=200))
def test_parsing_anything_gives_messages_or_a_record_error(data: bytes) -> None:
    try:
        messages = Message.parse(b"H|\\^&\r" + data)
    except RecordError:
        return
    for message in messages:
        assert message.encode() and message.tree is message.tree and isinstance(message.structure, str)
        for record in message.records:
            assert record.components(3) is not None


# -- writing --------------------------------------------------------------------------------------------------


def test_writing() -> None:
    message = Message.of([build("H", {5: "LABMW"}), build("P", {2: "1", 6: ["DUPONT", "LÉA"]}), "L|1|N"])
    assert message.encode() == b"H|\\^&|||LABMW\rP|1||||DUPONT^L\xc9A\rL|1|N\r"
    assert message.records_bytes()[2] == b"L|1|N\r" and message.structure == "HPL"
    (again,) = Message.parse(message.encode())
    assert again == message


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([], "begins with H"),
        (["P|1", "L|1"], "begins with H"),
        (["H|\\^&", "P|1"], "ends with L"),
        (["H|\\^&", "P|1\rL|9", "L|1"], "holds a line end"),
        (["H|\\\\^&", "L|1"], "bad delimiter definition"),
        (["H|\\^&", "P|1||||張", "L|1"], "cannot be sent as latin-1"),
    ],
)
def test_what_cannot_be_written(records: list[str], says: str) -> None:
    with pytest.raises(RecordError, match=says):
        Message.of(records)


def test_errors_are_told_apart() -> None:
    assert not issubclass(RecordError, FrameError)
