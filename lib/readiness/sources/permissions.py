"""Every operation asked for by every role, beside what is declared for it.

What could change something is asked for with an identifier that nobody has and a body that is
empty; where the role is declared to be refused, a body that was found faulty is filled and sent
again. What a role may do and what would then be done (log out, start) is not asked of that role.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import httpx

from ..evidence import Collected, source
from ..finding import NotMeasured
from ..target import Permissions, Target, need
from ..traffic import Planned
from . import planning
from .answers import reading
from .authorization import Asker
from .client import Client, client
from .examples import resolve
from .openapi import Api, Operation, read_api, shape, wrong_base
from .ownership import planned_attempts, try_others_objects

HARMLESS = "would be done, so the role that may do it is not asked"


def planned(target: Target, operations: list[str]) -> list[Planned]:
    """What ``matrix`` would send: each operation, twice with a body, and what is not there."""
    http = target.http
    if http is None or http.permissions is None:
        return []
    roles = roles_in(http.permissions)
    public = {shape(one) for one in http.public}
    asked = [o for o in operations if shape(o) not in public]
    plan = [Planned(o, 4 * len(roles)) for o in asked]  # filled, and with a slash at its end
    plan += planning.absent(asked, len(roles))
    logins = planning.logins(http, *roles)
    return [*planning.document(http), *logins, *plan, *planned_attempts(http)]


def roles_in(permissions: Permissions) -> list[str]:
    """The roles that the declaration speaks of, in its order."""
    named = [*permissions.scopes, *(r for roles in permissions.allowed.values() for r in roles)]
    return list(dict.fromkeys(named))


@source("active", plan=planned)
def matrix(target: Target) -> Collected:
    """One row for each operation and role: what is declared, and what was answered.

    ``facts.others`` tells what one user could do with the objects of another.
    """
    http = need(target.http, "target.http")
    permissions = need(http.permissions, "target.http.permissions")
    roles = need(roles_in(permissions), "target.http.permissions.scopes (or allowed)")
    records: list[dict[str, Any]] = []
    gaps: list[str] = []
    with client(target) as http_client:
        api = read_api(target, http_client)
        askers = _askers(http_client, api, roles, gaps)
        public = {shape(one) for one in http.public}
        for operation in api.operations:
            if operation.shape in public:
                continue
            allowed = allowed_roles(operation, permissions)
            for role, asker in askers.items():
                records.append(_cell(asker, operation, role, allowed))
        others = []
        for owned in permissions.owned:
            try:
                others += try_others_objects(http_client, owned)
            except NotMeasured as gap:
                gaps.append(f"{owned.name}: {gap}")
    asked = [cell["answer"] for cell in records if cell["status"]]
    if why := wrong_base(http, len(asked), asked.count("absent")):
        gaps.insert(0, why)
    facts = {
        "operations_from": api.read_from,
        "left_out": api.left_out,
        "roles": roles,
        "others": others,
        "owned_declared": len(permissions.owned),
        "gaps": gaps,
    }
    return Collected(records, facts, {"httpx": httpx.__version__})


def _askers(
    http_client: Client, api: Api, roles: Iterable[str], gaps: list[str]
) -> dict[str, Asker]:
    askers: dict[str, Asker] = {}
    for role in roles:
        try:
            askers[role] = Asker(http_client, api, http_client.credentials(role))
        except NotMeasured as gap:
            gaps.append(f"role {role}: {gap}")
    return askers


def allowed_roles(operation: Operation, permissions: Permissions) -> list[str] | None:
    """The roles that may use an operation, or None where nothing is declared."""
    for pattern, roles in permissions.allowed.items():
        if fnmatchcase(operation.name, pattern) or shape(pattern) == operation.shape:
            return roles
    if not operation.secured:
        return None
    return [
        role
        for role, held in permissions.scopes.items()
        if any(set(wanted) <= set(held) for wanted in operation.scopes)
    ]


def _cell(
    asker: Asker, operation: Operation, role: str, allowed: list[str] | None
) -> dict[str, Any]:
    declared = None if allowed is None else "allowed" if role in allowed else "denied"
    cell: dict[str, Any] = {"operation": operation.name, "role": role, "declared": declared}
    if declared != "denied" and not _harmless(asker.api, operation):
        row: dict[str, Any] = {"answers": [], "not_asked": HARMLESS}
    else:
        row = asker.ask(operation, fill=declared == "denied")
    last = row["answers"][-1] if row["answers"] else {}
    return cell | {
        "seen": seen(row),
        "answer": reading(row),
        "status": last.get("status"),
        "sent": last.get("sent"),
        "not_asked": row["not_asked"],
    }


def _harmless(api: Api, operation: Operation) -> bool:
    """Whether an operation does nothing when it is asked for emptily, of an object nobody has."""
    if operation.safe or "{" in operation.template:
        return True
    return bool(resolve(api.document, operation.body_schema).get("required"))


SEEN = {
    "refused": "denied",
    "login form": "denied",
    "open": "allowed",
    "reached": "allowed",
    "validated": "allowed",
    "stub": "allowed",
    "not asked": "not asked",
}


def seen(row: dict[str, Any]) -> str:
    """What an answer shows: allowed, denied, unclear, or that it was not asked for."""
    return SEEN.get(reading(row), "unclear")


MARKS = {  # a word, a shape and a tone for each kind of cell
    "as declared: allowed": ("circle", "good"),
    "as declared: denied": ("circle-open", "good"),
    "let in, though declared denied": ("square", "bad"),
    "refused, though declared allowed": ("diamond", "caution"),
    "nothing declared": ("triangle-up", "caution"),
    "unclear": ("x-thin", "unknown"),
    "not asked": ("line-ew", "unknown"),
}


def kind(cell: dict[str, Any]) -> str:
    """Which of MARKS a cell of the matrix is."""
    if cell["seen"] in ("not asked", "unclear"):
        return str(cell["seen"])
    if cell["declared"] is None:
        return "nothing declared"
    if cell["seen"] == cell["declared"]:
        return f"as declared: {cell['declared']}"
    if cell["seen"] == "allowed":
        return "let in, though declared denied"
    return "refused, though declared allowed"


def matrix_figure(evidence: Any) -> Any:
    """A figure: operations down, roles across, a shape for what each may do; else a sentence."""
    if not evidence.records:
        return evidence.problem.message if evidence.problem else "No operation was asked for."
    import plotly.graph_objects as go

    from ..report.look import TONES

    operations = list(dict.fromkeys(r["operation"] for r in evidence.records))[::-1]
    figure = go.Figure()
    for name, (symbol, tone) in MARKS.items():
        cells = [r for r in evidence.records if kind(r) == name]
        if not cells:
            continue
        figure.add_scatter(
            name=f"{name} ({len(cells)})",
            x=[c["role"] for c in cells],
            y=[c["operation"] for c in cells],
            mode="markers",
            marker={
                "symbol": symbol,
                "size": 11,
                "color": TONES[tone],
                "line": {"width": 2, "color": TONES[tone]},
            },
        )
    figure.update_layout(height=170 + 19 * len(operations))
    figure.update_xaxes(
        title="role",
        side="top",
        categoryorder="array",
        categoryarray=evidence.facts["roles"],
        range=[-0.5, len(evidence.facts["roles"]) - 0.5],
    )
    figure.update_yaxes(
        title="operation",
        categoryorder="array",
        categoryarray=operations,
        range=[-0.6, len(operations) - 0.4],
        dtick=1,
        tickfont={"size": 11},
    )
    figure.update_layout(legend={"orientation": "h", "y": -0.01, "yanchor": "top"})
    return figure


def matrix_table(evidence: Any) -> Any:
    """A data frame: the cells that are not as declared, or could not be told."""
    import pandas as pd

    order = [*MARKS]
    rows = [r for r in evidence.records if not kind(r).startswith("as declared")]
    rows.sort(key=lambda r: order.index(kind(r)))
    return pd.DataFrame(
        [
            {
                "operation": r["operation"],
                "role": r["role"],
                "declared": r["declared"] or "–",
                "answer": f"{r['status'] or '–'} {r['answer']}",
                "note": kind(r) if not r["not_asked"] else r["not_asked"],
            }
            for r in rows
        ],
        columns=["operation", "role", "declared", "answer", "note"],
    )
