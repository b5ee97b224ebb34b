"""Any sender of LIS02-A2 records that no other driver knows: everything is kept as sent, and nothing of it is released.

Source: CLSI LIS02-A2, clauses 6 to 14 (field positions); no instrument.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Field

DRIVER = Driver(
    name="any-astm",
    maker="",
    test=Field("R", 3, 4, bare=True),
    completed_or=Field("R", 12),  # the start, where nothing else is said
    flags={},  # a letter means what its maker says, and the maker is unknown
)
