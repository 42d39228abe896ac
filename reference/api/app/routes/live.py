"""News of the oracle over a WebSocket, for whoever has proven who they are."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket
from starlette.concurrency import run_in_threadpool

from app.database import transaction
from app.middleware import admit
from app.services import audit

router = APIRouter(tags=["live"])

PROTOCOL = "nps.bearer"


@router.websocket("/ws/oracle")
async def live(socket: WebSocket) -> None:
    """The token comes as a subprotocol, `nps.bearer, <token>`: in a query it would be logged."""
    offered = socket.scope["subprotocols"]
    bearer = offered[1] if len(offered) == 2 and offered[0] == PROTOCOL else None
    principal, allowance = await run_in_threadpool(admit, socket, bearer)
    if principal is None or allowance.exceeded:
        await run_in_threadpool(_denied, socket)
        return await socket.close(1008)
    await socket.accept(PROTOCOL)
    await socket.send_json({"hello": principal.username})
    async for _ in socket.iter_text():  # nothing is taken from the caller yet
        pass


def _denied(socket: WebSocket) -> None:
    with transaction() as session:
        resource = ("path", socket.url.path)
        audit.record(session, socket, "access.denied", success=False, resource=resource)
