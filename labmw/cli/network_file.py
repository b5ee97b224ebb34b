"""Which captures does a file hold? Itself, or each direction of each connection of a recording of the network in which a message was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labmw.cli.decoder import Decoder, refused, unreadable
from labmw.cli.render import Decoded
from labmw.cli.unframe import LARGEST
from labmw.phrases import Language, say
from protocols.errors import NetworkCaptureError
from protocols.pcap import Stream, is_pcap, streams

Gap = Callable[[Stream], None]
"""Told of a direction in which packets are missing."""


def captures(decoder: Decoder, file: Path, gap: Gap) -> list[Decoded]:
    """Read a file; a recording of the network in which nothing is found, or that cannot be taken apart, is one refused capture."""
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    except OSError as error:
        return [unreadable(str(file), error)]
    if not is_pcap(data):
        return [decoder.read(str(file), data)]
    try:
        found = streams(data)
    except NetworkCaptureError as error:
        return [_not(file, data, f"network-{error.code}", **error.facts)]
    kept = []
    for one in found:
        if one.gap:
            gap(one)
        decoded = decoder.read(f"{file} {one.source} → {one.target}", one.data)
        if decoded.messages:
            kept.append(decoded)
    return kept or [_not(file, data, "replay-empty", connections=str(len(found)))]


def _not(file: Path, data: bytes, reason: str, **facts: str) -> Decoded:
    return refused(str(file), data, "pcap", reason, (("file", str(file)), *facts.items()))


def gap_told(one: Stream, language: Language) -> str:
    """Packets are missing, and where."""
    return say("replay-gap", language, source=one.source, target=one.target, bytes=len(one.data))
