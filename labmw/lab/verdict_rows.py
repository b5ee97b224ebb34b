"""What is kept of a verdict? Its row, which explains it years later, and what the audit says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labmw.model import Verdict
from labmw.store.json_text import json_list, json_object
from labmw.store.transaction import Row
from rules.pack import Packs


def weightiest(verdict: Verdict) -> str:
    """Return the code of the reason that decided; "" for a release."""
    if verdict.released:
        return ""
    return max(verdict.reasons, key=lambda reason: reason.level).code if verdict.reasons else "unexplained"


def verdict_row(
    site: str, row: Row, verdict: Verdict, packs: Packs, now: str, responsible: str = ""
) -> Mapping[str, Any]:
    """What is kept of a verdict, with everything that explains it years later."""
    reasons = [
        {"code": one.code, "level": one.level.name.lower(), "rule": one.rule, "facts": dict(one.facts)}
        | ({"scope": one.scope, "panel": list(one.panel)} if one.scope != "result" else {})
        for one in verdict.reasons
    ]
    return {
        "site": site,
        "result": row.id,
        "level": int(verdict.level),
        "reasons": json_list(reasons),
        "trace": json_list(verdict.trace),
        "packs": json_list([{"pack": name, "signed_by": packs.signers.get(name, "")} for name in verdict.packs]),
        "comments": json_list(verdict.comments),
        "decided_at": now,
        "decided_by": "rules",
        "stage": "automatic" if verdict.released else "",
        "responsible": responsible if verdict.released else "",
    }


def audit_row(site: str, row: Row, verdict: Verdict, now: str, late: str = "") -> Mapping[str, Any]:
    """What the audit keeps of a verdict; `late` is the fact that had it given again."""
    detail = {
        "verdict": verdict.level.name.lower(),
        "packs": list(verdict.packs),
        "reasons": [one.code for one in verdict.reasons],
    } | ({"late": late} if late else {})
    return {
        "site": site,
        "at": now,
        "who": "labmw",
        "what": "verified-again" if late else "verified",
        "subject": f"result/{row.id}",
        "why": weightiest(verdict),
        "detail": json_object(detail),
    }
