"""Any sender of HL7 v2 messages that no other driver knows: everything is kept as sent, and nothing of it is released.

Source: HL7 v2.5.1, chapter 2 (MSH) and chapter 7 (OBR, OBX, SPM, SAC); no instrument.
Evidence: unverified.
"""

from labmw.driver.declaration import Hl7Driver

DRIVER = Hl7Driver(name="any-hl7", flags={})  # a letter means what its maker says, and the maker is unknown
