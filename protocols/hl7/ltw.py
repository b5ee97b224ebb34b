"""IHE LTW, the Laboratory Testing Workflow, in one place: orders from the laboratory's information system, results to it.

=======================  =========================================  =====================================
transaction              labmw                                      the information system
=======================  =========================================  =====================================
LAB-1, LAB-4 orders      ``read_orders``, ``write_order_reply``     ``read_order_reply``
LAB-3, LAB-5 results     ``write_results``                          ``read_results``
=======================  =========================================  =====================================

Orders come as OML^O21, O33, O35 or ORM^O01, results go as ORU^R01 or OUL^R22. The nouns of a report are in ``report``.
"""

from __future__ import annotations

from protocols.hl7.ltw_orders import read_orders
from protocols.hl7.ltw_reply import OrderReply, read_order_reply, write_order_reply
from protocols.hl7.ltw_results import oul_r22, read_oul, read_results, result_status, write_results
from protocols.hl7.ltw_values import (
    ANSWERS,
    Action,
    OrderAnswer,
    OrderPatient,
    OrderRequest,
    Orders,
    OrderSpecimen,
)
from protocols.hl7.messages import oru_r01, read_oru
from protocols.hl7.profile import LTW_GENERIC, LtwProfile

__all__ = [
    "ANSWERS",
    "LTW_GENERIC",
    "Action",
    "LtwProfile",
    "OrderAnswer",
    "OrderPatient",
    "OrderReply",
    "OrderRequest",
    "OrderSpecimen",
    "Orders",
    "oru_r01",
    "oul_r22",
    "read_order_reply",
    "read_orders",
    "read_oru",
    "read_oul",
    "read_results",
    "result_status",
    "write_order_reply",
    "write_results",
]
