"""A table of the configuration file that allows no key it does not know."""

from __future__ import annotations

import msgspec


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: an unknown key is an error, so that a typing mistake never disables anything in silence."""
