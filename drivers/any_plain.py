"""Any sender on a plain link that no other driver knows: its texts are kept as sent, and nothing of them is released.

Source: none; no text is taken apart.
Evidence: unverified.
"""

from labmw.driver.laying import PlainDriver

DRIVER = PlainDriver(name="any-plain", flags={})
