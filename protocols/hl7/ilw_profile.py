"""What about IHE ILW is agreed between two laboratories, because the supplement leaves it open or could not be read? Every such choice is a value here.

What is certain of ILW is little: two transactions (LAB-35 sub-orders, LAB-36 results), who speaks, and that the ordering facility is named across
organisations. Messages and control codes are those of LTW applied to it. Each field says what is uncertain; the defaults are the working profile.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IlwProfile:
    """How one partner speaks ILW."""

    cancels: tuple[str, ...] = ("CA", "DC")  # uncertain: ORC-1 by which the requester takes a sub-order back
    returns: tuple[str, ...] = ("OC",)  # uncertain: ORC-1 by which the subcontractor gives it back
    adds: tuple[str, ...] = ("SN",)  # uncertain: ORC-1 of a test that the subcontractor adds
    withdrawn: str = "X"  # uncertain: OBX-11 of a withdrawn result; D where the partner deletes
    received: str = "IP"  # uncertain: ORC-5 when the specimen has arrived; the first one means that, a further one that work has begun
    document: tuple[str, str] = (
        "application",
        "pdf",
    )  # ED-2, ED-3: tables 0191 and 0291 know neither, and practice varies
    answer_accepts: bool = False  # an AA without an ORC of the order means that it is accepted
    reply_with_content: bool = True  # False: the partner expects a plain ACK to a sub-order
    results_as: str = "ORU_R01"  # or OUL_R22
    shipment: str = "obx"  # uncertain: where the number of the box stands: obx (97209-1 under the specimen), spm (SPM-32, of 2.7), or nowhere ("")
    ins: bool = True  # the INS of a qualified identity goes along (PID-32 = VALI)
    replace: str = "cancel-new"  # uncertain: a sub-order that others replace leaves as CA, and they as NW; or rp-ro: RP and, in the same message, RO
    payor: bool = False  # the insurance of the order (IN1, IN2, IN3) goes along as it came; its number may be that of an identity nobody has qualified
    country: str = "FRA"  # MSH-17


ILW_GENERIC = IlwProfile()
