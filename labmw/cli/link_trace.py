"""labmw link trace: what passes on a line of the running labmw, now?"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import ConfigOption, LanguageOption, configuration, fail, language_of
from labmw.cli.wire_view import rows
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labmw.store import Row, Transaction
    from labmw.watch.veil import Veil

USAGE = 2
EVERY = 0.4  # seconds between looks
MOST = 500  # pieces of one look
WATCHED = 100  # messages whose results wait for the rules, looked at again
WAITING = "verify"
REASONS = 8  # told of one message, each with its facts
FAR = 100_000  # pieces or messages of all lines that are looked back over


def trace(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A link of the configuration.", show_default=False)],
    last: Annotated[int, typer.Option("--last", help="Begin with so many pieces that have passed already.")] = 20,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="End after so many seconds; else Ctrl-C.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Follow the bytes of a line in both directions, what became of each message, and of its results. Only the store is read; the line is not touched. Patient records are not shown.

    Exit codes: 0 it was followed, 2 wrong usage, or the configuration or the store cannot be read.
    """
    from labmw.errors import StoreError
    from labmw.store import open_reader
    from labmw.store.lock import holder

    settings = configuration(config, USAGE)
    tongue = language_of(settings, language)
    lines = [link.name for link in settings.link] + (
        [settings.lis.feed] if settings.lis and settings.lis.speaks else []
    )
    if name not in lines:
        fail(say("link-test-unknown", tongue, link=name, names=", ".join(lines) or "-"), USAGE)
    site, end = settings.site.id, time.monotonic() + seconds if seconds is not None else None
    view = _View(settings.site.timezone, tongue)
    try:
        if holder(settings.store.url) is None:
            typer.echo(say("trace-not-running", tongue), err=True)
        typer.echo(say("trace-following", tongue, link=name), err=True)
        with (
            open_reader(settings.store.url, key_file=settings.store.key_file) as reader,
            contextlib.suppress(KeyboardInterrupt),
        ):
            piece, message, since = reader.look(lambda: _beginning(site, name, max(0, last)))
            while True:
                found = reader.look(lambda: _after(site, name, piece, message, since))  # noqa: B023 - asked at once
                piece, message = view.show(*found, piece=piece, message=message)
                view.results(*reader.look(lambda: _became(view.watched)))
                if len(found[0]) == MOST:
                    continue
                if end is not None and time.monotonic() >= end:
                    break
                time.sleep(EVERY if end is None else min(EVERY, max(0.0, end - time.monotonic())))
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), USAGE)
    if not view.shown:
        typer.echo(say("trace-none", tongue, link=name), err=True)


def _beginning(site: str, link: str, last: int) -> Transaction[tuple[int, int, str]]:
    """The numbers to begin after in the journal and among messages, and since when; of a long history only the end is looked at."""
    from labmw.store.statements import tracing

    [newest] = yield tracing.newest_piece()
    [message] = yield tracing.newest_message()
    found = (yield tracing.last_pieces(site, link, int(newest.id) - FAR, last)) if last else []
    if not found:
        return int(newest.id), int(message.id), ""
    return int(found[-1].id) - 1, int(message.id) - FAR, found[-1].at


def _after(site: str, link: str, piece: int, message: int, since: str) -> Transaction[tuple[list[Row], list[Row]]]:
    from labmw.store.statements import tracing

    pieces = yield tracing.pieces_after(site, link, piece, MOST)
    messages = yield tracing.messages_after(site, link, message, since)
    return pieces, messages


def _became(messages: Sequence[int]) -> Transaction[tuple[list[Row], list[Row]]]:
    from labmw.store.statements import tracing

    if not messages:
        return [], []
    states = yield tracing.became(messages)
    return states, (yield tracing.why_quarantined(messages))


class _View:
    """Shows rows as they come, each piece under the veil of its session and direction."""

    def __init__(self, zone: str, tongue: Language) -> None:
        from zoneinfo import ZoneInfo

        self._zone, self._tongue = ZoneInfo(zone), tongue
        self._veils: dict[tuple[str, str], Veil] = {}
        self.shown = 0
        self.watched: list[int] = []
        self._told: dict[int, str] = {}

    def show(self, pieces: list[Row], messages: list[Row], *, piece: int, message: int) -> tuple[int, int]:
        """Show what is new, in the order of its times; return the numbers to go on from."""
        told = [(row.at, 0, row) for row in pieces] + [(row.received_at, 1, row) for row in messages]
        for _, kind, row in sorted(told, key=lambda one: one[:2]):
            self.shown += 1
            if kind:
                self._message(row)
            else:
                self._piece(row)
        return max([piece, *(int(row.id) for row in pieces)]), max([message, *(int(row.id) for row in messages)])

    def _piece(self, row: Row) -> None:
        from labmw.watch.veil import Veil

        key = row.session, row.direction
        if key not in self._veils and len(self._veils) > 64:
            self._veils.clear()
        data = self._veils.setdefault(key, Veil()).over(bytes(row.data))
        for line in rows(self._when(row.at), row.direction, data, self._tongue):
            typer.echo(line)

    def _message(self, row: Row) -> None:
        facts = {
            "number": row.id,
            "kind": say(f"message-kind-{row.kind or 'other'}", self._tongue),
            "driver": row.driver or "–",
            "disposition": say(f"trace-{row.disposition}", self._tongue),
        }
        sentence = say("trace-message", self._tongue, **facts)
        if row.reason:
            known = {name: value for name, value in json.loads(row.facts).items() if isinstance(value, str | int)}
            sentence += ": " + say(row.reason, self._tongue, **known)
        typer.echo(f"{self._when(row.received_at)} = {sentence}")
        self.watched = [*self.watched, int(row.id)][-WATCHED:]

    def results(self, states: list[Row], reasons: list[Row]) -> None:
        """Say of each message what its results became; again when the rules have decided, for those that waited."""
        for number in tuple(self.watched):
            rows = [row for row in states if row.message == number]
            sentence = self._became(number, rows, [row for row in reasons if row.message == number])
            if rows and sentence != self._told.get(number):
                typer.echo(f"{' ' * 12} = {sentence}")
            self._told[number] = sentence
            if not any(row.state == WAITING for row in rows):
                self.watched.remove(number)
                del self._told[number]

    def _became(self, number: int, states: list[Row], reasons: list[Row]) -> str:
        tongue = self._tongue
        each = ", ".join(f"{row.count} {say(f'state-{row.state}', tongue)}" for row in states)
        total = sum(int(row.count) for row in states)
        sentence = say("trace-results", tongue, number=number, results=total, each=each)
        for row in reasons[:REASONS]:
            known = {name: value for name, value in json.loads(row.facts).items() if isinstance(value, str | int)}
            sentence += f"\n{' ' * 15}{row.count} × " + say(row.reason, tongue, **known)
        if left := sum(int(row.count) for row in reasons[REASONS:]):
            sentence += f"\n{' ' * 15}{left} × …"
        return sentence

    def _when(self, stamp: str) -> str:
        from labmw.clock import read_stamp

        return read_stamp(stamp).astimezone(self._zone).strftime("%H:%M:%S.%f")[:-3]
