"""Credentials that a service must refuse, made from one that it accepts.

Every forgery is one alteration of a valid credential; its name says which. None of them can be
right by accident: where an alteration might leave the same bytes, it is made differently.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import jwt

ALPHABET = string.ascii_letters + string.digits
TEN_YEARS_S = 315_360_000
# Where a service looks the key up by what the token says: what it would then find is known.
KID_TRICKS = (
    ("key file /dev/null", "../../../../../../../dev/null", b""),
    ("key file of one letter", "../../../../../../../proc/sys/kernel/ftrace_enabled", b"1\n"),
    ("key chosen in SQL", "x' UNION SELECT 'readiness'--", b"readiness"),
    ("no key by this name", "", b""),
)
POWERS = ("role", "roles", "scope", "scopes", "permissions", "groups", "admin", "is_admin")


@dataclass(frozen=True)
class Attempt:
    """A credential to be refused. ``value`` is secret, as it may be nearly the valid one."""

    family: str
    name: str
    value: str | None  # None: send no credential at all


@dataclass(frozen=True)
class Token:
    """A JSON Web Token taken apart; ``payload_text`` is its second part as it was sent."""

    text: str
    header: dict[str, Any]
    payload: dict[str, Any]
    head: str
    body: str
    signature: str

    @property
    def symmetric(self) -> bool:
        return str(self.header.get("alg", "")).startswith("HS")


def read_token(text: str) -> Token | None:
    """A JSON Web Token's parts, or None when it is none."""
    try:
        header = jwt.get_unverified_header(text)
        payload = jwt.decode(text, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    head, body, signature = text.split(".")
    return Token(text, header, payload, head, body, signature)


def encode(value: bytes | Mapping[str, Any]) -> str:
    """base64url without padding, of bytes or of compact JSON in the given order."""
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Mapping[str, Any], body: str, key: bytes) -> str:
    """A token signed by HMAC, also where a library would refuse such a key."""
    digest = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(header["alg"], hashlib.sha256)
    said = f"{encode(header)}.{body}"
    return f"{said}.{encode(hmac.new(key, said.encode(), digest).digest())}"


def issued(like: Token, payload: Mapping[str, Any], key: str) -> str:
    """A token as the service would issue it, with its key; jwt.PyJWTError when it cannot be."""
    if like.symmetric:
        return signed(like.header, encode(payload), key.encode())
    header = {k: v for k, v in like.header.items() if k not in ("alg", "typ")}
    return jwt.encode(dict(payload), key, str(like.header.get("alg")), header)


def no_credential() -> Iterator[Attempt]:
    """Nothing, and what is next to nothing."""
    yield Attempt("nothing", "no credential", None)
    yield Attempt("nothing", "empty", "")
    for word in ("null", "undefined", "0", "a.b.c"):
        yield Attempt("nothing", f"the text {word!r}", word)


def forged_tokens(token: Token) -> Iterator[Attempt]:
    """Forgeries of a JSON Web Token that need no key."""
    plain = {**token.header, "alg": "none"}
    for spelling in ("none", "None", "NONE", "nOnE"):
        head = encode({**plain, "alg": spelling})
        yield Attempt("unsigned", f"alg {spelling}", f"{head}.{token.body}.")
    yield Attempt("unsigned", "alg none, two parts", f"{encode(plain)}.{token.body}")
    kept = f"{encode(plain)}.{token.body}.{token.signature}"
    yield Attempt("unsigned", "alg none, signature kept", kept)
    bare = encode({k: v for k, v in token.header.items() if k != "alg"})
    yield Attempt("unsigned", "no alg", f"{bare}.{token.body}.{token.signature}")
    yield Attempt("unsigned", "signature stripped", f"{token.head}.{token.body}.")
    yield Attempt("unsigned", "two parts", f"{token.head}.{token.body}")
    yield Attempt("unsigned", "signature cut short", token.text[:-4])
    for where in (0, len(token.signature) // 2):
        changed = _with_other(token.signature, where)
        name = f"signature changed at {'its start' if where == 0 else 'its middle'}"
        yield Attempt("unsigned", name, f"{token.head}.{token.body}.{changed}")
    for name, payload in _altered(token.payload):
        body = encode(payload)
        yield Attempt(
            "altered", f"{name}, signature kept", f"{token.head}.{body}.{token.signature}"
        )
        yield Attempt("altered", f"{name}, alg none", f"{encode(plain)}.{body}.")
    yield from _other_keys(token)
    yield from partly_kept(token.text)


def _altered(payload: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    subject = payload.get("sub")
    yield "subject changed", {**payload, "sub": _other_subject(subject)}
    powers = [name for name in POWERS if name in payload] or ["role"]
    yield "role changed", {**payload, **{p: _other_power(payload.get(p, "")) for p in powers}}
    if isinstance(payload.get("exp"), int | float):
        yield "expiry moved", {**payload, "exp": payload["exp"] + TEN_YEARS_S}


def _other_subject(subject: Any) -> Any:
    try:
        UUID(str(subject))
    except ValueError:
        return subject + 1 if isinstance(subject, int) else "admin" * (1 + (subject == "admin"))
    return str(uuid4())


def _other_power(power: Any) -> Any:
    if isinstance(power, bool):
        return not power
    return [*power, "admin"] if isinstance(power, list) else f"{power} admin".strip()


def _other_keys(token: Token) -> Iterator[Attempt]:
    key = secrets.token_bytes(32)
    header = {k: v for k, v in token.header.items() if k != "jwk"}
    for algorithm in ("HS256", "HS512"):
        made = signed({**header, "alg": algorithm}, token.body, key)
        yield Attempt("other key", f"a random key, {algorithm}", made)
    own = {**header, "alg": "HS256"}
    yield Attempt("other key", "an empty key", signed(own, token.body, b""))
    oct_key = {"kty": "oct", "k": encode(key), "alg": "HS256"}
    yield Attempt(
        "other key", "key in the header", signed({**own, "jwk": oct_key}, token.body, key)
    )
    for name, kid, known in KID_TRICKS:
        yield Attempt("other key", name, signed({**own, "kid": kid}, token.body, known))
    private = _rsa_key()
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key()))
    headers = {**header, "alg": "RS256", "jwk": public}
    made = jwt.encode(token.payload, private, "RS256", headers)
    yield Attempt("other key", "RSA key in the header", made)


@cache
def _rsa_key() -> Any:
    """A key of our own, which no service knows; made once, which takes a while."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048)


def confused(token: Token, public_keys: Mapping[str, bytes]) -> Iterator[Attempt]:
    """The service's own public key, used as the secret of an HMAC."""
    for name, key in public_keys.items():
        for algorithm in ("HS256", "HS512"):
            made = signed({**token.header, "alg": algorithm}, token.body, key)
            yield Attempt("key confusion", f"{algorithm} with {name}", made)


def partly_kept(text: str) -> Iterator[Attempt]:
    """Credentials that share their beginning or their end with the valid one."""
    for keep in sorted({8, 16, 40, 64, 128, len(text) // 2, len(text) - 8}):
        if 0 < keep < len(text) - 3:
            yield Attempt("partly kept", f"first {keep} characters", _scrambled(text, keep, None))
    half = len(text) // 2
    yield Attempt("partly kept", "last half", _scrambled(text, 0, half))


def forged_opaque(text: str) -> Iterator[Attempt]:
    """Forgeries of a credential that means something to the service only.

    HTTP's Basic credential (RFC 7617) is a name and a password in base64: the password is what a
    forger does not have.
    """
    if login := _basic(text):
        name, _, password = login.partition(":")
        yield Attempt("altered", "no password", _as_basic(name, ""))
        for attempt in forged_opaque(password):
            if attempt.value != password:  # as a very short one may come out
                value = _as_basic(name, attempt.value or "")
                yield Attempt(attempt.family, f"password, {attempt.name}", value)
        return
    end = len(text.rstrip("="))  # what follows the padding of base64 is not read
    yield Attempt("altered", "last character changed", _with_other(text, end - 1))
    yield Attempt("altered", "first character changed", _with_other(text, 0))
    yield Attempt("altered", "last character missing", f"{text[: end - 1]}{text[end:]}")
    yield Attempt("altered", "a character appended", f"{text[:end]}A{text[end:]}")
    if text.swapcase() != text:
        yield Attempt("altered", "upper and lower case swapped", text.swapcase())
    yield Attempt("altered", "random, of the same length", _scrambled(text, 0, None))
    for name in ("sha256", "sha512"):
        digest = hashlib.new(name, text.encode()).hexdigest()
        yield Attempt("altered", f"its {name} digest", digest)
    yield Attempt("altered", "a wildcard", "%")
    yield Attempt("altered", "a quotation mark", "' OR '1'='1")
    yield from partly_kept(text)


def _basic(text: str) -> str | None:
    """``name:password`` where a text is that in base64."""
    try:
        login = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return None
    return login if ":" in login and login.isprintable() else None


def _as_basic(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()


def _with_other(text: str, at: int) -> str:
    """The text with another character there, which also stands for other bytes in base64."""
    if not text:
        return "A"
    if set(text) <= set(string.hexdigits):
        other = "7" if text[at] != "7" else "2"
    else:  # the last character of base64 may count for two bits only: Q and g differ in those
        other = "g" if text[at] in "QRSTUVWXYZabcdef" else "Q"
    return text[:at] + other + text[at + 1 :]


def _scrambled(text: str, keep: int, keep_from: int | None) -> str:
    """Random characters in place of all but the beginning (or the end); separators stay."""
    return "".join(
        c
        if i < keep or (keep_from is not None and i >= keep_from) or not c.isalnum()
        else secrets.choice(ALPHABET.replace(c, ""))
        for i, c in enumerate(text)
    )
