"""A service that issues tokens and verifies them, sound unless ``flaw`` says how it is not."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from functools import cache
from typing import Any

import jwt
from readiness.loopback import Request, Response

KEY = "the-key-of-this-specimen-0123456789"
OPAQUE = "tk_9fJ2mQ7xLw4RvB8sZc1NdY6hKpT3aGeU"
API_KEY = "ak_5wXz8LqN2vRb7TmC4yHd9KfJ1sPg6EaU"


@cache
def _rsa() -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048)


def _public_pem() -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = _rsa().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return bytes(pem)


def _json(status: int, content: Any) -> Response:
    return Response(status, [("Content-Type", "application/json")], json.dumps(content).encode())


def answer(request: Request, options: dict[str, Any]) -> Response:
    flaw = options["flaw"]
    options["asked"] = options.get("asked", 0) + 1
    if request.path == "/login":
        if flaw == "login refused":
            return _json(401, {"detail": "wrong password"})
        return _json(200, {"access_token": _issue(options)})
    if request.path == "/.well-known/jwks.json" and options.get("algorithm") == "RS256":
        public = jwt.algorithms.RSAAlgorithm.to_jwk(_rsa().public_key())
        return _json(200, {"keys": [json.loads(public)]})
    if request.path != "/me":
        return _json(404, {})
    if flaw == "limiter" and options["asked"] > options["allowed"]:
        return _json(429, {"detail": "slow down"})
    if flaw == "open to all":
        return _json(200, {"name": "anybody"})
    given = request.headers.get("authorization", "").removeprefix("Bearer").strip()
    key = request.headers.get("x-api-key", "")
    known = _known(given, options) if given or "authorization" in request.headers else False
    if flaw == "cached by address":
        options["seen"] = known = known or options.get("seen", False)
    if known or _known_key(key, flaw):
        return _json(403 if flaw == "valid refused" else 200, {"name": "somebody"})
    if flaw == "breaks" and given.count(".") == 1:
        return _json(500, {"detail": "oops"})
    if flaw == "lockout":
        options["failures"] = options.get("failures", 0) + 1
    particular = flaw == "sound, and particular" and given
    return _json(422 if particular else options.get("refuses_with", 401), {"detail": "no"})


def _issue(options: dict[str, Any]) -> str:
    if options.get("opaque"):
        return OPAQUE
    now = int(time.time())
    claims = {"sub": "someone", "role": "user", "iat": now, "exp": now + 1800}
    if options["flaw"] == "thirty days":
        claims["exp"] = now + 30 * 86_400
    if options["flaw"] == "never ends":
        del claims["exp"]
    if options.get("algorithm") == "RS256":
        return jwt.encode(claims, _rsa(), "RS256")
    return jwt.encode(claims, options.get("key", KEY), "HS256")


def _known_key(key: str, flaw: str) -> bool:
    if flaw == "default api key" and key == "changeme":
        return True
    if flaw == "api key by its prefix" and key[:16] == API_KEY[:16]:
        return True
    return key == API_KEY


def _known(token: str, options: dict[str, Any]) -> bool:
    """Whether a bearer credential is accepted."""
    flaw, cache_ = options["flaw"], options.setdefault("cache", set())
    if flaw == "lockout" and options.get("failures", 0) > 30:
        return False
    if options.get("opaque"):
        return _known_opaque(token, flaw)
    if flaw == "default bearer" and token == "changeme":
        return True
    if flaw == "placeholder bearer" and token == "replace-me-before-launch-of-this-service":
        return True
    part = {"cache by prefix": token[:40], "cache by end": token[-20:]}.get(flaw)
    if part and part in cache_:
        return True
    good = _verified(token, options)
    if part and good:
        cache_.add(part)
    return good


def _known_opaque(token: str, flaw: str) -> bool:
    match flaw:
        case "compares the beginning":
            return token[:16] == OPAQUE[:16]
        case "ignores case":
            return token.lower() == OPAQUE.lower()
        case "takes the digest":
            return token in (OPAQUE, hashlib.sha256(OPAQUE.encode()).hexdigest())
        case "matches a pattern":
            return token in (OPAQUE, "%")
    return token == OPAQUE


def _verified(token: str, options: dict[str, Any]) -> bool:
    flaw = options["flaw"]
    key: Any = options.get("key", KEY)
    algorithms, checks = ["HS256"], {"require": ["exp"]}
    if flaw == "signature stripped" and token.endswith("."):
        return True
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        header = {}
    if options.get("algorithm") == "RS256":
        if flaw == "key confusion" and header.get("alg") == "HS256":
            return _hmac_holds(token, _public_pem())
        key, algorithms = _rsa().public_key(), ["RS256"]
    match flaw:
        case "alg none" if header.get("alg") == "none":
            checks = {"verify_signature": False}  # type: ignore[dict-item]
        case "alg none in capitals" if header.get("alg") == "NONE":
            checks = {"verify_signature": False}  # type: ignore[dict-item]
        case "signature ignored":
            checks = {"verify_signature": False}  # type: ignore[dict-item]
        case "key in the header" if "jwk" in header:
            return _hmac_holds(token, base64.urlsafe_b64decode(header["jwk"]["k"] + "=="))
        case "key file from the header" if "kid" in header:
            return _hmac_holds(token, b"")
        case "expiry ignored":
            checks = {"verify_exp": False, "require": ["exp"]}  # type: ignore[dict-item]
        case "expiry not required" | "never ends":
            checks = {}
    try:
        jwt.decode(token, key, algorithms=algorithms, options=checks)  # type: ignore[arg-type]
    except jwt.InvalidTokenError:
        return False
    return True


def _hmac_holds(token: str, key: bytes) -> bool:
    import hmac

    said, _, signature = token.rpartition(".")
    digest = hmac.new(key, said.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == signature
