"""Two stations and a bad line, explored until nothing new happens: is anything accepted twice, or acknowledged unread?

Both machines are the real ones. The line may lose a transmission, damage it (flipped bits, the tail lost) or repeat it,
as many times in all as the scenario's budget says; owners may refuse, or be slow. Time is virtual: it passes only when
nothing is under way, and always to the next deadline; deadlines that fall together are taken in either order.

What "repeat" means: an ENQ, a frame or a closing EOT arrives twice and the answer to the first arrival is lost, as when a
modem or device server repeats what it believes lost. A line that also delivers both answers is beyond what the standard
can survive, because an ACK carries no number: the last test shows that the exploration finds the loss.

Judged in each attempt of a message (a failed one is sent again whole, with a new attempt):
twice      the receiver's owner accepts a frame again, or out of order, or with other content;
unread     the sender counts a frame as acknowledged that the receiver's owner has not accepted;
deadlock   nothing can happen any more although a message is unsent or a station is not neutral; or there is a state
           from which, even if all goes well from now on, the end is never reached.

The control characters have no redundancy of their own, so that there is a number of well-aimed faults that no station
can survive: with messages both ways it takes three, one of them a repeat (a closing EOT repeated and its copy turned
into ACK, then a frame's byte turned into ENQ). The budgets stay below that.
"""

import dataclasses
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from protocols.astm import station
from protocols.astm.control import ACK, ENQ, EOT, NAK, STX
from protocols.astm.datalink import DataLink, Event, FrameSent, MessageSent, Role, SendingStarted, State
from protocols.astm.events import Fault
from protocols.astm.frame import Frame
from protocols.astm.scanner import Damaged
from protocols.astm.station import Station
from protocols.astm.table import Input
from protocols.astm.tolerance import STRICT, Tolerances

LINK_SLOTS = [
    "_state",
    "_out",
    "_deadline",
    "_owed",
    "_restarted",
    "_expected",
    "_last",
    "_frame",
    "_frames",
    "_in_a_row",
    "_strays",
    "_interrupt",
    "_queue",
    "_texts",
    "_index",
    "_attempts",
    "_crossed",
    "_plain",
]
SCANNER_SLOTS = ["_buffer", "_at", "_resume", "_tail", "_later", "_later_size", "_quiet"]
CONSTANT_SLOTS = {
    "_role",
    "_tolerances",
    "_limit",
    "_pending",
    "_strict",
    "_replies",
    "can_receive",
    "used",
    "_scanner",
}
VOLATILE_SLOTS = {"_serial", "_timer", "_events"}

Picture = tuple[Any, ...]


def photograph(link: DataLink) -> Picture:
    """Everything that decides what the machine will do, hashable."""
    scanner = link._scanner
    scanner._join()
    scanner._buffer, scanner._resume, scanner._at = (
        scanner._buffer[scanner._at :],
        max(0, scanner._resume - scanner._at),
        0,
    )
    if not scanner._buffer:
        scanner._resume = 0
    values = [getattr(link, slot) for slot in LINK_SLOTS]
    values[LINK_SLOTS.index("_queue")] = tuple(link._queue)
    values[LINK_SLOTS.index("_texts")] = tuple(link._texts)
    return (*values, scanner._buffer, scanner._resume, scanner._tail, scanner._quiet, bytes(scanner.noise))


def develop(link: DataLink, picture: Picture) -> DataLink:
    """The machine as it was when photographed."""
    for slot, value in zip(LINK_SLOTS, picture, strict=False):
        setattr(link, slot, value)
    link._queue = deque(link._queue)
    link._texts = list(link._texts)
    link._events, link._serial, link._timer = [], 0, None
    scanner = link._scanner
    scanner._buffer, scanner._resume, scanner._tail, scanner._quiet, noise = picture[len(LINK_SLOTS) :]
    scanner.noise = bytearray(noise)
    scanner._at = scanner._later_size = 0
    scanner._later = []
    return link


def test_a_picture_shows_everything() -> None:
    assert set(Station.__slots__) == {*LINK_SLOTS, *CONSTANT_SLOTS, *VOLATILE_SLOTS}


@dataclass(frozen=True)
class Scenario:
    messages: tuple[tuple[bytes, ...], tuple[bytes, ...]]
    faults: int = 2
    refusals: int = 1
    slow: int = 0
    interrupts: int = 0
    kinds: frozenset[str] = frozenset({"lose", "corrupt", "repeat"})
    machine: type[DataLink] = DataLink
    tolerances: Tolerances = STRICT
    lazy: bool = False  # pauses may last longer than the standard's least
    until_first: bool = False  # stop at the first thing that is wrong
    most: int = 400_000


@dataclass
class Report:
    states: int = 0
    depth: int = 0
    complete: bool = False
    twice: int = 0
    unread: int = 0
    deadlock: int = 0
    examples: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.states} states, depth {self.depth}, {'all' if self.complete else 'cut'}: accepted twice {self.twice}, "
            f"acknowledged and not accepted {self.unread}, deadlock {self.deadlock}"
        )


@dataclass(frozen=True)
class World:
    """One state: two stations (instrument, computer), what is under way, what is left of the budgets, what the judge knows."""

    stations: tuple[Picture, Picture]
    remaining: tuple[float | None, float | None]
    wire: tuple[tuple[bytes, ...], tuple[bytes, ...]]  # from 0 to 1, from 1 to 0
    swallow: tuple[bool, bool]  # the next transmission of this station is lost (the answer to a first copy)
    faults: int
    refusals: int
    slow: int
    interrupts: int
    accepted: tuple[int, int]  # frames of this station's message that the other's owner accepted in this attempt
    counted: tuple[int, int]  # frames that this station counts as acknowledged in this attempt


def transmissions(out: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(out):
        end = out.index(b"\n", at) + 1 if out[at] == STX else at + 1
        yield out[at:end]
        at = end


def corrupted(data: bytes) -> list[bytes]:
    if len(data) == 1:
        flipped = {bytes([data[0] ^ 1 << bit]) for bit in range(8)}
        meant = {one for one in flipped if one[0] in (ENQ, EOT, ACK, NAK, STX)}
        return [*sorted(meant), b"?"]
    middle = len(data) // 2
    return [
        b"\x03" + data[1:],  # STX gone: the frame is noise
        data[:middle] + b"\x7f" + data[middle + 1 :],
        data[:middle] + b"\x04" + data[middle + 1 :],
        data[:middle] + b"\x05" + data[middle + 1 :],
        data[:middle],  # the tail is lost
        data[:-1] + b"\x0b",
    ]


class Explorer:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.report = Report()
        self.links = [scenario.machine(role, scenario.tolerances) for role in (Role.INSTRUMENT, Role.COMPUTER)]

    def start(self) -> World:
        blank = World(
            (photograph(self.links[0]), photograph(self.links[1])),
            (None, None),
            ((), ()),
            (False, False),
            self.scenario.faults,
            self.scenario.refusals,
            self.scenario.slow,
            self.scenario.interrupts,
            (0, 0),
            (0, 0),
        )
        world = blank
        for side in (0, 1):
            if self.scenario.messages[side]:
                link = develop(self.links[side], world.stations[side])
                events = link.send(self.scenario.messages[side], "message")
                world = self.after(world, side, link, events, None)
        return world

    def after(
        self, world: World, side: int, link: DataLink, events: list[Event], old_timer: float | None, **changes: Any
    ) -> World:
        """The world after station `side` has done something: its output on the wire, its events before the judge."""
        accepted, counted = list(changes.pop("accepted", world.accepted)), list(world.counted)
        for event in events:
            if isinstance(event, SendingStarted):
                accepted[side] = counted[side] = 0
            elif isinstance(event, FrameSent):
                counted[side] += 1
                if accepted[side] < counted[side]:
                    self.violation("unread", f"station {side} counts frame {counted[side]}, {accepted[side]} accepted")
            elif isinstance(event, MessageSent) and counted[side] != len(self.scenario.messages[side]):
                self.violation("unread", f"station {side} counts its message as sent after {counted[side]} frames")
        wire = (
            [list(world.wire[0]), list(world.wire[1])]
            if "wire" not in changes
            else [list(way) for way in changes.pop("wire")]
        )
        swallow = list(changes.pop("swallow", world.swallow))
        for one in transmissions(link.data_to_send()):
            if swallow[side]:
                swallow[side] = False
            else:
                wire[side].append(one)
        if not link.waiting:
            swallow[side] = False
        remaining = list(world.remaining)
        timer = link.timer
        remaining[side] = None if timer is None else (timer.seconds if link._serial else old_timer)
        stations = list(world.stations)
        stations[side] = photograph(link)
        values: dict[str, Any] = {slot: getattr(world, slot) for slot in World.__dataclass_fields__}
        values.update(
            stations=tuple(stations),
            remaining=tuple(remaining),
            wire=(tuple(wire[0]), tuple(wire[1])),
            swallow=tuple(swallow),
            accepted=tuple(accepted),
            counted=tuple(counted),
            **changes,
        )
        return World(**values)

    def do(self, world: World, side: int, what: str, *arguments: Any, **changes: Any) -> World:
        link = develop(self.links[side], world.stations[side])
        events = getattr(link, what)(*arguments)
        return self.after(
            world, side, link, events if isinstance(events, list) else [], world.remaining[side], **changes
        )

    def violation(self, kind: str, text: str) -> None:
        setattr(self.report, kind, getattr(self.report, kind) + 1)
        if len(self.report.examples) < 5:
            self.report.examples.append(f"{kind}: {text}")

    def deliver(self, world: World, to: int, data: bytes, rest: tuple[bytes, ...], **changes: Any) -> World:
        wire = [world.wire[0], world.wire[1]]
        wire[1 - to] = rest
        return self.do(world, to, "receive", data, wire=wire, **changes)

    def owes(self, world: World, side: int) -> Frame | None:
        state = world.stations[side][LINK_SLOTS.index("_state")]
        frame: Frame = world.stations[side][LINK_SLOTS.index("_frame")]
        return frame if state in (State.DECIDING, State.LATE) else None

    def is_answer(self, world: World, sender: int, data: bytes) -> bool:
        state = world.stations[sender][LINK_SLOTS.index("_state")]
        return data[0] in (ACK, NAK) or (data[0] == EOT and state is State.RECEIVING)

    def next(self, world: World) -> Iterator[tuple[bool, World]]:
        """Everything that can happen now; the flag says that it is nobody's fault."""
        under_way = False
        for sender in (0, 1):
            if not world.wire[sender]:
                continue
            under_way = True
            to = 1 - sender
            data, *others = world.wire[sender]
            rest = tuple(others)
            if world.swallow[to]:
                continue  # the second copy waits until the receiver has dealt with the first
            yield True, self.deliver(world, to, data, rest)
            if world.faults:
                left = world.faults - 1
                if "lose" in self.scenario.kinds:
                    wire = [world.wire[0], world.wire[1]]
                    wire[sender] = rest
                    yield False, replace(world, wire=tuple(wire), faults=left)
                if "corrupt" in self.scenario.kinds:
                    for damaged in corrupted(data):
                        yield False, self.deliver(world, to, damaged, rest, faults=left)
                if "repeat" in self.scenario.kinds and not self.is_answer(world, sender, data):
                    swallow = [world.swallow[0], world.swallow[1]]
                    swallow[to] = True
                    yield False, self.deliver(world, to, data, (data, *rest), faults=left, swallow=swallow)
                if "repeat answers" in self.scenario.kinds:
                    yield False, self.deliver(world, to, data, (data, *rest), faults=left)
        deciding = False
        for side in (0, 1):
            frame = self.owes(world, side)
            if frame is None:
                if world.interrupts and world.stations[side][0] is State.RECEIVING:
                    yield False, self.do(world, side, "ask_for_line", interrupts=world.interrupts - 1)
                continue
            deciding = True
            accepted = [world.accepted[0], world.accepted[1]]
            true = self.scenario.messages[1 - side]
            place = accepted[1 - side]
            if place >= len(true) or frame.text != true[place]:
                self.violation("twice", f"station {side} is handed {frame.text!r} after {place} frames")
            accepted[1 - side] += 1
            yield True, self.do(world, side, "accept", accepted=tuple(accepted))
            if world.refusals:
                yield False, self.do(world, side, "refuse", refusals=world.refusals - 1)
        if under_way or (deciding and not world.slow):
            return
        yield from self.time_passes(world, deciding)

    def time_passes(self, world: World, deciding: bool) -> Iterator[tuple[bool, World]]:
        """Nothing is under way: on to the next deadline; with `lazy` also past a pause to the one after it."""
        running = [seconds for seconds in world.remaining if seconds is not None]
        if not running:
            return
        passes = {min(running)}
        if self.scenario.lazy:
            firm = [
                seconds
                for seconds, picture in zip(world.remaining, world.stations, strict=True)
                if seconds is not None and picture[0] is not State.HOLDING
            ]
            passes |= {min(firm)} if firm else set()
        for passed in passes:
            over = tuple(None if seconds is None else max(0.0, seconds - passed) for seconds in world.remaining)
            moved = replace(world, remaining=over, slow=world.slow - deciding)
            for side in (0, 1):
                if over[side] == 0:
                    link = develop(self.links[side], moved.stations[side])
                    timer = link.timer
                    assert timer is not None
                    yield not deciding, self.after(moved, side, link, link.expire(timer), 0)

    def finished(self, world: World) -> bool:
        neutral = all(picture[0] is State.NEUTRAL for picture in world.stations)
        unsent = any(picture[LINK_SLOTS.index("_queue")] for picture in world.stations)
        return neutral and not unsent and not any(world.wire)

    def run(self) -> Report:
        report, start = self.report, self.start()
        depth = {start: 0}
        well: dict[World, list[World]] = {}  # backwards along what is nobody's fault
        ends: list[World] = []
        waiting = deque([start])
        while waiting and len(depth) < self.scenario.most:
            if self.scenario.until_first and report.examples:
                break
            world = waiting.popleft()
            any_well = False
            for fine, following in self.next(world):
                any_well = any_well or fine
                if fine:
                    well.setdefault(following, []).append(world)
                if following not in depth:
                    depth[following] = depth[world] + 1
                    waiting.append(following)
            if self.finished(world):
                ends.append(world)
            elif not any_well:
                self.violation("deadlock", str(world))
        report.states, report.depth, report.complete = len(depth), max(depth.values()), not waiting
        if report.complete:
            reach = set(ends)
            back = deque(ends)
            while back:
                for before in well.get(back.popleft(), ()):
                    if before not in reach:
                        reach.add(before)
                        back.append(before)
            report.deadlock += len(depth.keys() - reach)
        return report


def replace(world: World, **changes: Any) -> World:
    values: dict[str, Any] = {slot: getattr(world, slot) for slot in World.__dataclass_fields__}
    return World(**{**values, **changes})


def records(*texts: str) -> tuple[bytes, ...]:
    return tuple(text.encode() + b"\r" for text in texts)


UP = records("H|\\^&", "R|1|5.4", "L|1")
DOWN = records("H|\\^&|host", "L|1|F")
LONG = records(*(f"R|{number}" for number in range(1, 10)))

IGNORES = Tolerances(interrupt="ignore")
RESTARTS = Tolerances(enq_in_transfer="restart")
ANSWERS = Tolerances(contention_reply="at-once")

SCENARIOS = {
    "one way, three faults": Scenario((UP, ()), faults=3),
    "both ways, two faults": Scenario((UP, DOWN), faults=2, refusals=1),
    "both ways, three losses or damages": Scenario(
        (UP, DOWN), faults=3, refusals=1, kinds=frozenset({"lose", "corrupt"})
    ),
    "both ways, four losses or repeats": Scenario(
        (UP, DOWN), faults=4, refusals=1, kinds=frozenset({"lose", "repeat"})
    ),
    "both ways, pauses longer": Scenario((UP, DOWN), faults=2, refusals=1, lazy=True),
    "numbers come round": Scenario((LONG, ()), faults=3, refusals=0),
    "six refusals": Scenario((records("H", "L"), DOWN), faults=1, refusals=7),
    "slow owner": Scenario((records("H", "L"), records("H", "L")), faults=1, refusals=0, slow=12),
    "interrupt": Scenario((UP, DOWN), faults=2, refusals=0, interrupts=2),
    "interrupt ignored": Scenario((UP, DOWN), faults=2, refusals=0, interrupts=2, tolerances=IGNORES),
    "restart tolerated": Scenario((UP, DOWN), faults=2, refusals=0, tolerances=RESTARTS),
    "contention answered": Scenario((UP, DOWN), faults=2, refusals=0, tolerances=ANSWERS),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_or_doubled(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = Explorer(SCENARIOS[name]).run()
    with capsys.disabled():
        print(f"\n  {name}: {report}")
    assert report.complete
    assert (report.twice, report.unread, report.deadlock) == (0, 0, 0), report.examples


class AcknowledgesFirst(DataLink):
    """Answers ACK when a frame arrives, and stores it afterwards."""

    __slots__ = ()

    def receive(self, data: bytes) -> list[Event]:
        waiting = self.waiting
        events = super().receive(data)
        if self.waiting and not waiting:
            self._out += b"\x06"
        return events

    def accept(self) -> list[Event]:
        before = self._out
        events = super().accept()
        self._out = before + self._out[len(before) + 1 :]
        return events


class CountsOn(DataLink):
    """Does not start the frame numbers anew after ENQ, so that frame 1 may look like a repeat."""

    __slots__ = ()

    def _begin_session(self, implicit: bool) -> None:
        last, expected = self._last, self._expected
        super()._begin_session(implicit)
        self._last, self._expected = last, expected

    def _end_session(self, reason: Any) -> None:
        last = self._last
        super()._end_session(reason)
        self._last = last


class TakesRepeats(DataLink):
    """Takes a frame that comes again for a new one."""

    __slots__ = ()

    def _judge(self, frame: Frame) -> None:
        self._step(Input.FRAME, frame)


class AcknowledgesAnything(DataLink):
    """Acknowledges a damaged frame, as if it were a repeat."""

    __slots__ = ()

    def _refuse_or_close(self, damaged: Damaged) -> None:
        if damaged.fault is Fault.EOT_INSIDE:
            super()._refuse_or_close(damaged)
        else:
            self._step(Input.REPEAT, Frame(0, b"", True, b""))


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (AcknowledgesFirst, "unread"),
        (CountsOn, "unread"),
        (TakesRepeats, "twice"),
        (AcknowledgesAnything, "unread"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else value,
)
def test_the_exploration_notices(broken: type[DataLink], kind: str) -> None:
    report = Explorer(Scenario((UP, ()), faults=1, refusals=1, machine=broken, until_first=True)).run()
    assert getattr(report, kind) > 0, report


def test_an_answer_that_comes_too_late_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the deadline for the owner's answer, a late ACK is taken for the answer to something else."""
    table = [dict(row) for row in station.TRANSITIONS]
    table[State.DECIDING][Input.TIMEOUT] = (lambda link, _: link._run(None), State.DECIDING)
    monkeypatch.setattr(station, "TRANSITIONS", table)
    report = Explorer(dataclasses.replace(SCENARIOS["slow owner"], until_first=True)).run()
    assert report.unread > 0, report


def test_a_line_that_repeats_answers_is_beyond_the_standard() -> None:
    """An ACK carries no number: one too many is taken for the next frame's, and no receiver can prevent it."""
    kinds = frozenset({"lose", "corrupt", "repeat answers"})
    report = Explorer(Scenario((UP, ()), faults=2, refusals=0, kinds=kinds)).run()
    assert report.unread > 0, report
