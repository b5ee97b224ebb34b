"""How is one row of the audit written as a line of RFC 5424? With a number that never skips and a hash of everything before it.

Source: RFC 5424 §6 (the grammar), §7.3 (meta, sequenceId). 32473 is the enterprise number that RFC 5612 leaves to examples: labmw has none of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

FACILITY: Final = 13
"""Log audit (RFC 5424 table 1)."""
NOTICE, WARNING = 5, 4
BOM: Final = "\ufeff"
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]")
_NAME = re.compile(r"[^\x21-\x7e]")


def line(
    *,
    at: str,
    host: str,
    process: str,
    message_id: str,
    number: int,
    chain: Mapping[str, str],
    text: str,
    severity: int = NOTICE,
) -> str:
    """One line, without its end. `chain` is the element labmw@32473: seq is in both, so that a reader of either sees a gap."""
    meta = element("meta", {"sequenceId": str(1 + (number - 1) % 2147483647), "language": "en"})
    ours = element("labmw@32473", {"seq": str(number), **chain})
    head = f"<{FACILITY * 8 + severity}>1 {at} {named(host, 255)} labmw {named(process, 128)} {named(message_id, 32)}"
    return f"{head} {meta}{ours} {BOM}{plain(text)}"


def element(name: str, values: Mapping[str, str]) -> str:
    """A structured-data element; quotes, backslashes and brackets are escaped (§6.3.3)."""
    pairs = "".join(f' {key}="{escaped(value)}"' for key, value in values.items())
    return f"[{name}{pairs}]"


def escaped(text: str) -> str:
    """A value as it stands in an element."""
    return re.sub(r'(["\\\]])', r"\\\1", plain(text))


def plain(text: str) -> str:
    """A text that cannot end its line."""
    return _CONTROL.sub(" ", text)


def named(text: str, most: int) -> str:
    """A field of the header: printable ASCII without spaces, "-" when nothing is left."""
    return _NAME.sub("", text)[:most] or "-"
