"""The whole configuration file, table by table."""

from __future__ import annotations

from labmw.config.laboratory import Drivers, Limits, Mapping, Retention, Role, Rules, Site, Store, Web
from labmw.config.link import Link
from labmw.config.lis import Lis, Orders
from labmw.config.routing import Destination, FileDrop, Route
from labmw.config.strict import Strict
from labmw.partner import Partner


class Config(Strict, frozen=True):
    """The whole file."""

    site: Site
    store: Store = Store()
    web: Web = Web()
    link: list[Link] = []
    lis: Lis | None = None
    files: list[FileDrop] = []
    destination: list[Destination] = []
    partners: list[Partner] = []
    orders: Orders = Orders()
    route: list[Route] = []
    rules: Rules = Rules()
    roles: dict[str, Role] = {}  # by name, such as [roles.biologist]; without any, nobody decides in labmw
    drivers: Drivers = Drivers()
    mapping: Mapping = Mapping()
    limits: Limits = Limits()
    retention: Retention = Retention()

    @property
    def destinations(self) -> tuple[str, ...]:
        """The names of everybody to whom results are sent, the LIS first."""
        lis = (self.lis.name,) if self.lis else ()
        return (*lis, *(one.name for one in self.destination), *(one.name for one in self.files))
