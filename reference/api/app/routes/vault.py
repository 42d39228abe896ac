"""What the scanner found. Secrets are sealed on the way in and have no way out here."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.access import GUARDED, VaultReader, VaultWriter, answers, get_own, own
from app.database import transaction
from app.models import Finding
from app.schemas import Finding as FindingOut
from app.schemas import Limit, NewFinding, Offset
from app.services import audit
from app.services.security import seal

router = APIRouter(prefix="/api/vault/findings", tags=["vault"])


@router.get("", responses=GUARDED)
def list_findings(
    principal: VaultReader, limit: Limit = 20, offset: Offset = 0
) -> list[FindingOut]:
    """The caller's findings, newest first."""
    query = select(Finding).order_by(Finding.found_at.desc()).limit(limit).offset(offset)
    with transaction() as session:
        rows = session.scalars(own(query, Finding, principal, "vault")).all()
    return [FindingOut.of(row) for row in rows]


@router.post("", status_code=201, responses=GUARDED | answers(409))
def create_finding(body: NewFinding, principal: VaultWriter, request: Request) -> FindingOut:
    """Add a finding."""
    row = Finding(
        owner_id=principal.user_id,
        chain=body.chain,
        address=body.address,
        balance=body.balance,
        private_key_enc=seal(body.private_key),
        seed_phrase_enc=seal(body.seed_phrase),
        wif_enc=seal(body.wif),
        extended_private_key_enc=seal(body.extended_private_key),
    )
    try:
        with transaction() as session:
            session.add(row)
            session.flush()
            session.refresh(row)
            what = ("finding", row.id)
            audit.record(session, request, "finding.create", who=principal, resource=what)
    except IntegrityError:
        raise HTTPException(409, "That address is there already.") from None
    return FindingOut.of(row)


@router.get("/{finding_id}", responses=GUARDED | answers(404))
def get_finding(finding_id: UUID, principal: VaultReader, request: Request) -> FindingOut:
    """One finding."""
    with transaction() as session:
        return FindingOut.of(get_own(session, request, Finding, finding_id, principal, "vault"))


@router.delete("/{finding_id}", status_code=204, responses=GUARDED | answers(404))
def delete_finding(finding_id: UUID, principal: VaultWriter, request: Request) -> None:
    """Remove a finding for good: a secret that is not wanted is better not kept."""
    with transaction() as session:
        session.delete(get_own(session, request, Finding, finding_id, principal, "vault"))
        what = ("finding", finding_id)
        audit.record(session, request, "finding.delete", who=principal, resource=what)
