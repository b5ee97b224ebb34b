"""Is one analyzer there twice? Which connections are open now, and which serial numbers they have given.

Two live connections with one serial number are two instruments that call themselves the same (a cloned setting), or one whose results would be
counted twice: nothing of either is believed while both last. An analyzer that lost its power comes back from the same address while its
old connection still looks alive (spec A.15): it takes that one's place, and only if the old one speaks again are there two.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

MOST = 10_000  # serial numbers that are remembered; the longest unheard goes first


class Place(NamedTuple):
    """One connection: its link and who is at the other end."""

    link: str
    peer: str

    @property
    def host(self) -> str:
        """The address without the port; a device as it is."""
        return self.peer.rpartition(":")[0] or self.peer

    def __str__(self) -> str:
        return f"{self.link} ({self.peer})"


@dataclass(slots=True)
class _Voice:
    """Where one serial number has spoken on connections that are still open, the latest last."""

    places: list[Place] = field(default_factory=list)
    disputed: bool = False  # two of them are live: until one has ended


@dataclass(slots=True)
class Presence:
    """The connections of one process."""

    _open: Counter[Place] = field(default_factory=Counter)
    _spoken: dict[Place, set[str]] = field(default_factory=dict)  # which serial numbers, on connections that are open
    _voices: OrderedDict[str, _Voice] = field(default_factory=OrderedDict)

    def opened(self, link: str, peer: str) -> None:
        """A connection was opened."""
        self._open[Place(link, peer)] += 1

    def closed(self, link: str, peer: str) -> None:
        """A connection has ended."""
        place = Place(link, peer)
        self._open[place] -= 1
        if self._open[place] <= 0:
            del self._open[place]
            # The next connection from this address and port is another one: what was said on this one is not said on it.
            for serial in self._spoken.pop(place, ()):
                if (voice := self._voices.get(serial)) is not None and place in voice.places:
                    voice.places.remove(place)

    def said(self, serial: str, link: str, peer: str, *, alternates: bool) -> Place | None:
        """A serial number speaks on a connection; returns the other live connection that gives it too, or None.

        `alternates`: the protocol has one connection for one analyzer, so that two from one address cannot speak in turn.
        """
        here = Place(link, peer)
        voice = self._voices.setdefault(serial, _Voice())
        self._voices.move_to_end(serial)
        while len(self._voices) > MOST:
            forgotten, voice_of = self._voices.popitem(last=False)
            for place in voice_of.places:
                self._spoken.get(place, set()).discard(forgotten)
        known = [one for one in voice.places if one in self._open]
        others = [one for one in known if one != here]
        elsewhere = [one for one in others if (one.link, one.host) != (here.link, here.host)]
        speaks_again = alternates and here in known and known[-1] != here
        voice.places = [*others, here]
        if here in self._open:
            self._spoken.setdefault(here, set()).add(serial)
        voice.disputed = bool(others) and (voice.disputed or bool(elsewhere) or speaks_again)
        return (elsewhere or others)[-1] if voice.disputed else None
