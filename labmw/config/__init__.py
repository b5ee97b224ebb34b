"""The configuration: what can be written in its one TOML file, and reading it strictly."""

from labmw.config.file import load
from labmw.config.laboratory import Drivers, Limits, Mapping, Retention, Role, Rules, Site, Store, Web, WorkMode
from labmw.config.link import Link, Serial, content_of
from labmw.config.lis import Lis, Orders
from labmw.config.routing import Comparison, Destination, FileDrop, Route
from labmw.config.values import address
from labmw.config.whole import Config

__all__ = [
    "Comparison",
    "Config",
    "Destination",
    "Drivers",
    "FileDrop",
    "Limits",
    "Link",
    "Lis",
    "Mapping",
    "Orders",
    "Retention",
    "Role",
    "Route",
    "Rules",
    "Serial",
    "Site",
    "Store",
    "Web",
    "WorkMode",
    "address",
    "content_of",
    "load",
]
