"""Trying the doors: credentials that must be refused, at an operation that needs one.

Each is presented cold, before any valid credential was seen, and again right after the same request
with the valid one, when a cache that is keyed on too little would answer for it. Tokens and secrets
stay in memory: a row says which alteration was tried and what was answered.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from typing import Any

import httpx
import jwt

from ..evidence import Collected, source
from ..finding import NotMeasured, Reason
from ..target import Authentication, Role, Target, WebSocket, need
from ..traffic import Planned, Stopped
from ..variables import keep_secret
from . import planning
from .attempts import to_login
from .client import Client, Exchange, client
from .default_secrets import Default, of_repository, shipped
from .forgery import (
    Attempt,
    Token,
    confused,
    forged_opaque,
    forged_tokens,
    issued,
    no_credential,
    read_token,
    signed,
)
from .login import opened
from .websocket import handshake

MOST_DOORS = 6
PUBLIC_KEYS = "/.well-known/jwks.json"
SILENCES = 3  # in a row: the service is gone


class Door:
    """A way to present credentials: a header, its scheme, and what was tried through it.

    With ``websocket`` they are presented in the handshake of a WebSocket instead.
    """

    def __init__(
        self,
        http_client: Client,
        operation: str,
        name: str,
        role: Role,
        websocket: WebSocket | None = None,
    ) -> None:
        self.name = name
        self._websocket = websocket
        self.header, self.scheme = role.header, role.scheme
        self.valid: str | None = None
        self.valid_answered: int | None = None
        self.attempts: list[Attempt] = []
        self.rows: list[dict[str, Any]] = []
        self._client = http_client
        self._method, self._path = operation.split(" ", 1)

    def knock(self, value: str | None) -> Exchange:
        """Ask for the protected operation with this credential, or with none."""
        if self._websocket:
            return handshake(self._client, self._websocket, value)
        sent = {} if value is None else {self.header: f"{self.scheme} {value}".strip()}
        return self._client.send(self._method, self._path, headers=sent)

    def try_all(self, attempts: Iterable[Attempt], after_the_valid: bool) -> None:
        """Present every attempt; stops when the rate limiter answers or nobody does."""
        silences = 0
        for attempt in attempts:
            before = self.knock(self.valid).status if after_the_valid else None
            exchange = self.knock(attempt.value)
            self.rows.append(
                {
                    "credential": self.name,
                    "family": attempt.family,
                    "attempt": attempt.name,
                    "moment": "after the valid one" if after_the_valid else "cold",
                    "valid_before": before,
                    "status": exchange.status,
                    "to_login": to_login(exchange),
                    "error": exchange.error,
                }
            )
            silences = silences + 1 if exchange.status is None else 0
            if exchange.status == 429 or silences == SILENCES:
                return


def _planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    """Every forgery cold, and again after the valid credential, at every door."""
    http = target.http
    if http is None or http.authentication is None:
        return
    wanted = http.authentication
    known = [*shipped(wanted.default_secrets)]
    known += of_repository(target.repository, wanted.secrets_files, [])
    token = read_token(jwt.encode({"sub": "x", "exp": 1}, "a key for counting only, not in use"))
    basic = base64.b64encode(b"name:" + b"a" * 40).decode()  # which is tried in one more way
    opaque = len([*no_credential(), *forged_opaque(basic)])
    forged = len([*no_credential(), *forged_tokens(token)]) + 12 if token else 0
    each = 3 * max(forged, opaque) + 2
    doors = [f"GET {wanted.websocket.path} (WebSocket)"] if wanted.websocket else []
    yield from (Planned(door, each) for door in [*wanted.also, *doors])
    standing = sum(role.credential is not None for role in http.roles.values())
    at_main = (1 + min(standing, MOST_DOORS)) * each + 3 * len(known) + opaque + 12
    yield Planned(wanted.protected, at_main)
    yield Planned(f"GET {wanted.jwks or PUBLIC_KEYS}")
    yield from planning.logins(http, wanted.token_role)


@source("active", plan=_planned)
def attempts(target: Target) -> Collected:
    """One row for each credential that was tried, with what the protected operation answered.

    Nothing is measured unless the valid credential opens the operation and none does not.
    """
    http = need(target.http, "target.http")
    wanted = need(http.authentication, "target.http.authentication")
    missing: list[str] = []
    with client(target) as http_client:
        nobody = Door(http_client, wanted.protected, "nobody", Role()).knock(None)
        if nobody.status not in (401, 403) and not to_login(nobody):
            raise _no_baseline(wanted, "without credentials", nobody, "401 or 403")
        door, token, facts = _main_door(http_client, wanted)
        known = [*shipped(wanted.default_secrets)]
        known += of_repository(target.repository, wanted.secrets_files, missing)
        doors = [door, *_further_doors(http_client, wanted, door)]
        doors += _standing_doors(http_client, wanted)
        stopped, last = "", None
        expiry: dict[str, Any] = {"with": [], "problem": None}
        try:
            _try_cold(http_client, wanted, doors, token, known)
            _try_after_the_valid(wanted, doors)
            expiry = _try_expired(door, token, wanted)
            last = door.knock(door.valid).status
        except Stopped as early:
            stopped = str(early)
        facts |= {
            "stopped": stopped,
            "protected": wanted.protected,
            "websocket": wanted.websocket.model_dump() if wanted.websocket else None,
            "scheme": http_client.scheme,
            "expiry": expiry,
            "max_lifetime_minutes": wanted.max_lifetime_minutes,
            "valid_at_the_end": last,
            "doors": [
                {"credential": d.name, "valid_answered": d.valid_answered, "tried": len(d.rows)}
                for d in doors
            ],
            "default_secrets": {"tried": len(known), "files_not_found": missing},
        }
    records = [row for one in doors for row in one.rows]
    return Collected(records, facts, {"httpx": httpx.__version__, "pyjwt": jwt.__version__})


def _try_cold(
    http_client: Client,
    wanted: Authentication,
    doors: list[Door],
    token: Token | None,
    known: list[Default],
) -> None:
    """Every attempt at every door, before a valid credential was seen there."""
    for one in doors:
        one.try_all(one.attempts, after_the_valid=False)
    doors[0].try_all(_as_keys(token, known), after_the_valid=False)
    doors[0].try_all(_as_credentials(known), after_the_valid=False)
    if wanted.api_key_header:
        doors.append(_api_key_door(http_client, wanted, known))


def _try_after_the_valid(wanted: Authentication, doors: list[Door]) -> None:
    """Every attempt again, each right after the valid credential of its door."""
    for one in doors:
        if one.valid is None:
            continue
        answer = one.knock(one.valid)
        one.valid_answered = answer.status
        if one is doors[0] and not opened(answer.status):
            raise _no_baseline(wanted, f"with the {one.name}", answer, "2xx")
        if opened(answer.status):
            one.try_all(one.attempts, after_the_valid=True)


def _no_baseline(wanted: Authentication, how: str, got: Exchange, hoped: str) -> NotMeasured:
    reason = Reason.UNREACHABLE if got.status is None else Reason.INCONCLUSIVE
    remedy = "choose another target.http.authentication.protected or token_role"
    if got.status == 429:
        remedy = "lower target.http.requests_per_minute to what its rate limiter allows"
    return NotMeasured(
        reason,
        f"{wanted.protected} {how} answered {got.status or got.error} and not {hoped}, so answers "
        f"to forged credentials say nothing: {remedy}",
    )


def _main_door(
    http_client: Client, wanted: Authentication
) -> tuple[Door, Token | None, dict[str, Any]]:
    """The door that the token of ``token_role`` opens, with the forgeries of that token."""
    name = wanted.token_role
    sent = http_client.credentials(name)
    role = http_client.http.roles[name]
    door = Door(http_client, wanted.protected, f"token of {name}", role)
    door.valid = sent[role.header].removeprefix(role.scheme).strip()
    token = read_token(door.valid)
    facts: dict[str, Any] = {"token": _describe(token, wanted), "confusion_tried": None}
    door.attempts = [*no_credential()]
    if token is None:
        door.attempts += forged_opaque(door.valid)
        return door, None, facts
    door.attempts += forged_tokens(token)
    if not token.symmetric:
        keys = _public_keys(http_client, wanted.jwks or PUBLIC_KEYS)
        facts["confusion_tried"] = bool(keys)
        door.attempts += confused(token, keys)
    return door, token, facts


def _further_doors(http_client: Client, wanted: Authentication, main: Door) -> list[Door]:
    """Other doors for the same token: operations that are cached or not, and the WebSocket."""
    role = http_client.http.roles[wanted.token_role]
    doors = [Door(http_client, one, f"{main.name} at {one}", role) for one in wanted.also]
    if socket := wanted.websocket:
        name = f"{main.name} at the WebSocket {socket.path}"
        doors.append(Door(http_client, f"GET {socket.path}", name, role, socket))
    for door in doors:
        door.valid, door.attempts = main.valid, main.attempts
    return doors


def _describe(token: Token | None, wanted: Authentication) -> dict[str, Any]:
    """What may be told of the token: its make, not its content."""
    if token is None:
        return {"kind": "opaque", "declared": wanted.token}
    expires, issued = token.payload.get("exp"), token.payload.get("iat", time.time())
    timed = isinstance(expires, int | float) and isinstance(issued, int | float)
    return {
        "kind": "jwt",
        "declared": wanted.token,
        "algorithm": str(token.header.get("alg"))[:20],
        "claims": sorted(str(name)[:40] for name in token.payload),
        "lifetime_minutes": round((expires - issued) / 60, 1) if timed else None,
    }


def _standing_doors(http_client: Client, wanted: Authentication) -> list[Door]:
    """Doors of the credentials that the parameters hold: API keys, long-lived tokens."""
    doors: list[Door] = []
    for name, role in http_client.http.roles.items():
        if role.credential is None or name == wanted.token_role or len(doors) == MOST_DOORS:
            continue
        door = Door(http_client, wanted.protected, f"credential of {name}", role)
        door.valid = http_client.credentials(name)[role.header].removeprefix(role.scheme).strip()
        door.attempts = [*forged_opaque(door.valid)]
        doors.append(door)
    return doors


def _api_key_door(http_client: Client, wanted: Authentication, known: list[Default]) -> Door:
    """The header for API keys, tried with what nobody was given."""
    role = Role(header=wanted.api_key_header or "", scheme="")
    door = Door(http_client, wanted.protected, f"header {wanted.api_key_header}", role)
    nothing = [a for a in no_credential() if a.value is not None]
    invented = [a for a in forged_opaque("a" * 20 + "B" * 23) if a.name.startswith("random")]
    door.try_all([*nothing, *invented, *_as_credentials(known)], after_the_valid=False)
    return door


def _as_keys(token: Token | None, known: list[Default]) -> list[Attempt]:
    """The token, signed with every known secret."""
    if token is None:
        return []
    header = {**token.header} if token.symmetric else {**token.header, "alg": "HS256"}
    return [
        Attempt(
            "default secret", f"signed with {d.name}", signed(header, token.body, d.value.encode())
        )
        for d in known
    ]


def _as_credentials(known: list[Default]) -> list[Attempt]:
    return [Attempt("default secret", f"{d.name} itself", d.value) for d in known]


def _public_keys(http_client: Client, path: str) -> dict[str, bytes]:
    """The public keys that the service publishes, in the forms that get mistaken for secrets."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        published = jwt.PyJWKSet.from_dict(http_client.send("GET", path).json() or {}).keys
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
        return {}
    found: dict[str, bytes] = {}
    for number, key in enumerate(published[:3], 1):
        if not hasattr(key.key, "public_bytes"):
            continue
        pem = key.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        found[f"public key {number} (PEM)"] = pem
        found[f"public key {number} (PEM, no line end)"] = pem.rstrip()
    return found


def _try_expired(door: Door, token: Token | None, wanted: Authentication) -> dict[str, Any]:
    """Try tokens that were valid once; says with what, and how it is known that they were."""
    tried: dict[str, Any] = {"with": [], "problem": None}
    expired: list[Attempt] = []
    if wanted.expired_token:
        value = wanted.expired_token.value()
        parsed = read_token(value)
        if parsed and parsed.payload.get("exp", float("inf")) > time.time():
            tried["problem"] = "target.http.authentication.expired_token has not expired"
        else:
            expired.append(Attempt("expired", "a token that has expired", value))
            tried["with"].append("an expired token")
    if wanted.signing_key and token:
        key = wanted.signing_key.value()

        def made(payload: dict[str, Any]) -> str:
            return keep_secret(issued(token, payload, key), "token signed by us")

        try:
            control = door.knock(made(token.payload)).status
        except (jwt.PyJWTError, ValueError, TypeError):
            control = None
        if opened(control):
            ended = int(time.time()) - 86_400
            past = {"exp": ended}
            past |= {name: ended - 1800 for name in ("iat", "nbf") if name in token.payload}
            never = {k: v for k, v in token.payload.items() if k != "exp"}
            expired.append(Attempt("expired", "expired yesterday", made(token.payload | past)))
            expired.append(Attempt("expired", "without an expiry", made(never)))
            tried["with"].append("the signing key")
        else:
            tried["problem"] = (
                "target.http.authentication.signing_key is not the key: what it signs is refused"
            )
    door.try_all(expired, after_the_valid=False)
    door.try_all(expired, after_the_valid=True)
    return tried
