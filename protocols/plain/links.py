"""Which plain links are there? By the name that a configuration gives them."""

from collections.abc import Mapping
from typing import Final

from protocols.plain import beckman, maglumi, rapid, stx, tags
from protocols.plain.receiver import PlainLink

LINKS: Final[Mapping[str, PlainLink]] = {
    link.name: link for link in (tags.LINK, maglumi.LINK, stx.LINK, beckman.AU_LINK, beckman.PK_LINK, rapid.LINK)
}
