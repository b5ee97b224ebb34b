"""Which versions of HL7 are served? Those that HL7 v2 has had (MSH-12, table 0104); what we write ourselves is 2.5.1."""

from __future__ import annotations

import re

OURS = "2.5.1"
"""MSH-12 of what we compose, and of the answer to a version that there is not."""

_V2 = re.compile(r"2\.[0-9](\.[0-9]{1,2})?")


def served(version: str) -> bool:
    """Whether a message of this version is read; one that names none is read as it is written."""
    return not version or _V2.fullmatch(version) is not None
