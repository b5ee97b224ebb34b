"""Is the name that an analyzer sends the patient's? Pure; tolerant of what is lost on the way, and otherwise in doubt a person looks (decision 0084).

Operators type names, analyzers cut them, drop accents and change the order of the parts. A word that stands for somebody else is what counts:
a twin's given name, the family name of the next in the queue.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from labmw.model import Patient
from protocols.hl7.datatypes import PersonName
from protocols.hl7.er7 import Segment

LONGEST: Final = 500
"""Characters of a name that are looked at: a field may be as long as a message."""
SURE: Final = 10
"""Letters that a word must keep to be taken for a cut one; CUT where the date of birth agrees as well. JEAN may be JEANNE, who is somebody else."""
CUT: Final = 3

_WORD: Final = re.compile(r"(?:[^\W\d_]|[?\ufffd])+")  # an accent that could not be sent often arrives as ?
_LETTERS: Final = {"ß": "SS", "ẞ": "SS", "Œ": "OE", "Æ": "AE", "Ø": "O", "Ł": "L", "Đ": "D", "Þ": "TH", "Ð": "D"}
_SPELLED: Final = {"Ä": "AE", "Ö": "OE", "Ü": "UE", "Ø": "OE", "Å": "AA"}
_TITLES: Final = frozenset({"MR", "MRS", "MISS", "MME", "MLLE"})
_NOBODY: Final = frozenset(
    {"NO", "NAME", "NONAME", "UNKNOWN", "INCONNU", "INCONNUE", "ANONYME", "ANONYMOUS", "SANS", "NOM"}
)


def another_name(patient: Patient, sent: str, *, born_alike: bool) -> bool:
    """Whether the analyzer names somebody else; an empty name says nothing, nor does a patient whose name the LIS has not told.

    Every name of the patient counts: birth name, used name, pseudonym (PID-5 repeats). `born_alike`: the analyzer gives the same date of birth.
    """
    if not sent.strip(" ^&~\\") or not (patient.family or patient.given):
        return False
    return _another(patient.family, patient.given, patient.pid, sent[:LONGEST], born_alike)


@lru_cache(maxsize=256)  # the results of a message share their patient
def _another(family: str, given: str, pid: str, sent: str, born_alike: bool) -> bool:
    least = CUT if born_alike else SURE
    ways = [words for text in _as_meant(sent) for words in _words(text)]
    if not any(ways):
        return False
    return not any(
        _agree(words, one, whole, least)
        for name in _names(family, given, pid)
        for one, whole in zip(_words(f"{name[0]} {name[1]}"), _words(" ".join(name)), strict=True)
        for words in ways
    )


def _names(family: str, given: str, pid: str) -> Iterator[tuple[str, str, str]]:
    """Every name of a patient, as (family, given, further)."""
    yield family, given, ""
    if pid:
        segment = Segment(pid)
        for number in range(1, len(segment.repetitions(5)) + 1):
            name = PersonName.read(segment, 5, number)
            if name is not None:
                yield name.family, name.given, name.further


def _as_meant(sent: str) -> Iterator[str]:
    """The text as it was read, and as it was meant where UTF-8 was read in Latin-1."""
    yield sent
    try:
        yield sent.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return


def _words(text: str) -> list[tuple[str, ...]]:
    """The words of a name without accents, in the two ways in which an umlaut is written."""
    upper = unicodedata.normalize("NFC", text).upper()
    found = []
    for table in ({}, _SPELLED):
        spelled = "".join(table.get(letter) or _LETTERS.get(letter, letter) for letter in upper)
        plain = "".join(one for one in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(one))
        words = [word for word in _WORD.findall(plain) if word.strip("?\ufffd")]
        if len(words) > 1:
            words = [word for word in words if word not in _TITLES]
        found.append(() if _NOBODY.issuperset(words) else tuple(words))
    return found


def _agree(sent: Sequence[str], name: Sequence[str], whole: Sequence[str], least: int) -> bool:
    """Whether one name holds all of the other, or both are the same letters with other gaps (LE GOFF, LEGOFF)."""
    if not sent or not name:
        return False
    if all(any(_fits(word, other, least) for other in whole) for word in sent):
        return True
    if all(any(_fits(word, other, least) for other in sent) for word in name):
        return True
    turned = ["".join((*name[cut:], *name[:cut])) for cut in range(len(name))]
    return any(_fits("".join(sent), one, least if least == CUT else LONGEST) for one in turned)


def _fits(one: str, other: str, least: int) -> bool:
    """Whether two words are the same, or one is the other cut short; an initial stands for its name where the births agree."""
    short, long = sorted((one, other), key=len)
    if len(short) != len(long) and len(short) < least and not (len(short) == 1 and least == CUT):
        return False
    return all(a == b or a in "?\ufffd" or b in "?\ufffd" for a, b in zip(short, long, strict=False))
