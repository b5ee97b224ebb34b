"""Beckman Coulter AU480, AU680, AU5800 and DxC 700 AU chemistry analyzers (Olympus before), fixed columns over their own link (protocol = "au").

How wide each column is, whether a BCC comes, and which number a test has online are chosen in menus of the analyzer (Online: Setup, Protocol, Test No.): the columns
below are those of one published installation of an AU5800. Compare them with the menu and put a file of your own beside the configuration; a text
that does not fit them is kept whole and quarantined. Test numbers are each laboratory's own: none is mapped, no unit is sent, and every mark
(data flag) holds its result. DQ is quality control, DH a repeated run; DR and DA (reagent blank, calibration) are kept and shown. Inquiries are
stored and not answered: the columns of an order (S) are menus too, and no page or message that we have read shows them.

Source: Olympus AU2700/AU5400 On-line Specifications, issued 2000-03-16, revised 2000-06-08, p. 6 (what a text is, BCC); the columns from the published host program
DeviceLink for an AU5800, not from a table of the maker's, whose AU5800 Online Specification (D-160845, 11th edition, 2015-04-17) was at hand only as far as its contents.
Evidence: unverified.
"""

from labmw.driver.columns import Columns, layout_of
from labmw.driver.declaration import Evidence, Field
from labmw.driver.laying import PlainDriver

DRIVER = PlainDriver(
    name="beckman-au",
    protocol="au",
    maker="Beckman Coulter",
    models=("AU480", "AU680", "AU5800", "DxC 700 AU"),
    evidence=Evidence.UNVERIFIED,
    layout=layout_of(Columns()),
    run=Field("O", 4, 5),
    flags={},
)
