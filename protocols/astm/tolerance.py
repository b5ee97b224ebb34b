"""Which deviations from the standard does a link bear with?

Everything is strict by default; a driver or a link's configuration names what it needs, and every use is counted.
Source: the deviations are those met in the field (senaite.astm captures, vendor host manuals); each field says which.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from protocols.errors import SettingError


@dataclass(frozen=True, slots=True)
class Tolerances:
    """What this link is allowed to get wrong, and the few choices that the standard leaves to us."""

    max_frame: int = 64_000
    """Longest frame accepted, in bytes with the 7 of overhead (LIS01-A2; E1381 says 247). Sysmex XN, cobas c 311 send more than 247."""
    checksum: Literal["required", "optional", "none"] = "required"
    """optional: may be absent, must be right if present. none: may be absent or wrong. Menus of many analyzers offer it."""
    lower_case_checksum: bool = False
    """Hex digits a to f are taken for A to F."""
    frame_numbers: Literal["strict", "warn", "off", "absent"] = "strict"
    """warn and off: any number 0..7 (Pentra and Yumizen restart or skip; warn counts each jump). absent: frames carry no number."""
    trailer: Literal["required", "optional"] = "required"
    """optional: CR and LF after the checksum may be missing, both or one."""
    enq_in_transfer: Literal["nak", "restart"] = "nak"
    """restart: ENQ between two frames starts the session anew (a peer that was switched off and on)."""
    implicit_session: bool = False
    """A frame may come without ENQ before it: it opens a session."""
    send_replies: bool = True
    """False: a line in one direction only, nothing is ever answered."""
    resynchronise: bool = False
    """STX inside a frame starts the frame anew, instead of damaging it."""
    control_in_text: bool = False
    """Text may hold LF, STX and ENQ (base64 with line ends in M records); the checksum alone decides."""
    contention_reply: Literal["standard", "at-once"] = "standard"
    """at-once: as computer, the colliding ENQ is answered itself (cobas c 311 and e 411 wording), not the one after it."""
    interrupt: Literal["honour", "ignore"] = "honour"
    """What we do as sender when a frame is answered with EOT; the standard allows both, cobas c 311 ignores."""
    turnaround: float = 0.0
    """Seconds to wait after the peer's EOT before our ENQ, for analyzers that miss one that comes too soon."""
    packing: Literal["record", "message"] = "record"
    """message: when sending, the whole message is one text, cut where the frame is full (cobas c 311, Sysmex)."""
    numbered_records: bool = False
    """A digit before the record letter is dropped ("2P|1"): hosts that number the records inside one frame."""
    record_line_feeds: bool = False
    """Records may end with CR LF or LF where CR is due."""

    @staticmethod
    def from_mapping(settings: Mapping[str, object]) -> "Tolerances":
        """Tolerances from a table of a configuration or driver.

        Raises:
            SettingError: names the unknown key, or the key and the values that it may have.
        """
        return STRICT.changed(settings)

    def changed(self, settings: Mapping[str, object]) -> "Tolerances":
        """These tolerances with some of them set otherwise: a link's own over its driver's.

        Raises:
            SettingError: as from_mapping.
        """
        known = {field.name: _HINTS[field.name] for field in fields(Tolerances)}
        for key, value in settings.items():
            if key not in known:
                raise SettingError(f"unknown tolerance {key!r}: use one of {', '.join(sorted(known))}")
            _check(key, value, known[key])
        chosen: dict[str, Any] = dict(settings)
        return replace(self, **chosen)


def _check(key: str, value: object, hint: Any) -> None:
    if hint is bool:
        good, wanted = isinstance(value, bool), "true or false"
    elif hint is int:
        good, wanted = type(value) is int and 16 <= value <= 64 * 2**20, "a whole number of bytes from 16 to 67108864"
    elif hint is float:
        good = type(value) in (int, float) and 0 <= float(str(value)) <= 60
        wanted = "a number of seconds from 0 to 60"
    else:
        good, wanted = value in get_args(hint), "one of " + ", ".join(map(repr, get_args(hint)))
    if not good:
        raise SettingError(f"tolerance {key} = {value!r}: give {wanted}")


_HINTS = get_type_hints(Tolerances)
STRICT = Tolerances()
"""The standard, to the letter."""
