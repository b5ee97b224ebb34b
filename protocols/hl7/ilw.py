"""IHE ILW, the Inter-Laboratory Workflow, in one place: sub-orders to another laboratory, and its results.

=======================  ==========================================  ============================================
transaction              written                                     read
=======================  ==========================================  ============================================
LAB-35 sub-orders        ``write_sub_orders``, ``write_order_reply``  ``read_sub_orders``, ``read_order_reply``
LAB-36 results           ``write_sub_results``                       ``read_sub_results``
=======================  ==========================================  ============================================

OML^O21 and ORU^R01 are sent; O33, O35 and OUL^R22 are accepted. The states of a sub-order are in ``ilw_states``, what partners agree on in
``ilw_profile``.
"""

from __future__ import annotations

from protocols.hl7.ilw_orders import SentSpecimen, SubOrder, read_sub_orders, write_sub_orders
from protocols.hl7.ilw_profile import ILW_GENERIC, IlwProfile
from protocols.hl7.ilw_results import (
    REPORT,
    documents_of,
    observations_of,
    read_sub_results,
    said_of,
    write_sub_results,
)
from protocols.hl7.ilw_shipment import Shipment, shipment_of
from protocols.hl7.ilw_states import REQUESTER, SUBCONTRACTOR, Event, Standing, State, advance
from protocols.hl7.ltw_reply import OrderReply, read_order_reply, write_order_reply

__all__ = [
    "ILW_GENERIC",
    "REPORT",
    "REQUESTER",
    "SUBCONTRACTOR",
    "Event",
    "IlwProfile",
    "OrderReply",
    "SentSpecimen",
    "Shipment",
    "Standing",
    "State",
    "SubOrder",
    "advance",
    "documents_of",
    "observations_of",
    "read_order_reply",
    "read_sub_orders",
    "read_sub_results",
    "said_of",
    "shipment_of",
    "write_order_reply",
    "write_sub_orders",
    "write_sub_results",
]
