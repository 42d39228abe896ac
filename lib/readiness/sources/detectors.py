"""What gives a secret or a person away: kinds of value, each with a sieve and a proof.

The sieve is a regular expression that the server applies to every value; it may let too much
through. The proof is looked for in what came through, here: a checksum, a structure, a list of
issuers. Digests, identifiers, timestamps and ciphertexts have the look of many kinds and the proof
of none.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..finding import Severity
from .envelope import base58_holds
from .seed_phrase import found_in

BASE58 = "[1-9A-HJ-NP-Za-km-z]"
ESCAPED = r"\\[0-9a-z]+"  # as JSON and bytes write a line end: its letter belongs to no token
APART = f"(?:^|[^0-9A-Za-z]|{ESCAPED})"  # what stands before a token that begins here
# Public beginnings of credentials, so made by their issuers that they can be found.
TOKENS = (
    r"(?:AKIA|ASIA)[A-Z2-7]{16}",  # Amazon
    r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,}",
    r"glpat-[A-Za-z0-9_-]{20,}",  # GitLab
    r"xox[abposr]-[A-Za-z0-9-]{20,}",  # Slack
    r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{20,}",  # Stripe
    r"sk-(?:proj-|ant-|or-)?[A-Za-z0-9_-]{32,}",  # OpenAI, Anthropic, OpenRouter
    r"AIza[A-Za-z0-9_-]{35}",  # Google
    r"ya29\.[A-Za-z0-9_-]{30,}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[A-Za-z0-9_-]{50,}",
    r"hf_[A-Za-z0-9]{34,}",  # Hugging Face
    r"SG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{40,}",  # SendGrid
    r"key-[0-9a-f]{32}",  # Mailgun
    r"dop_v1_[0-9a-f]{64}",  # DigitalOcean
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",  # Shopify
    r"sq0(?:atp|csp)-[A-Za-z0-9_-]{22,}",  # Square
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",  # Telegram bots
    r"hvs\.[A-Za-z0-9_-]{24,}",  # Vault
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
)
MARKS = (
    *("AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox%-"),
    *("k_live_", "k_test_", "sk-", "AIza", "ya29.", "npm_", "pypi-", "hf_", "SG.", "key-"),
    *("dop_v1_", "shpat_", "shpca_", "shppa_", "shpss_", "sq0%-", ":AA", "hvs.", "AGE-SECRET"),
)
# Beginnings of card numbers by issuer (ISO/IEC 7812), each with the lengths that it has.
ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d{2})\d{12}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|3(?:0[0-5]|[68]\d)\d{11}"  # Diners
    r"|62\d{14,17}"  # UnionPay
)
# Country codes of one to three digits (ITU-T E.164).
COUNTRIES = re.compile(
    r"1[2-9]|7[3-9]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    r"|2[1-689]|3[578]|42|5[09]|6[789]|85|88|9[679]"
)
FILES = {"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "html", "php", "py", "json"}
# RFC 2606 and 6761: nobody has an address there.
NOBODY = re.compile(r"(?:^|\.)(?:example(?:\.(?:com|net|org))?|test|invalid|localhost|local)$")


@dataclass(frozen=True)
class Kind:
    """A kind of value: what the server sifts by, and what is proved of what it let through."""

    name: str
    sieve: str  # a regular expression that PostgreSQL and Python read alike
    proof: Callable[[str], str | None]  # the part of a text that is one, if any
    # What each has, too, and what is cheaper to look for than the sieve, in this order:
    least: int = 0  # bytes
    marks: tuple[str, ...] = ()  # one of these is in it; % stands for anything
    glance: str = ""  # an expression with few states
    personal: bool = False  # of a person, and no secret that opens anything


def _matching(
    pattern: str, holds: Callable[[str], bool] = lambda found: True
) -> Callable[[str], str | None]:
    """The first match of a pattern, or of its group if it has one, for which ``holds``."""
    compiled = re.compile(pattern)

    def proof(text: str) -> str | None:
        for match in compiled.finditer(text):
            found = match[compiled.groups and 1]
            if holds(found):
                return str(found)
        return None

    return proof


def _checksum(found: str) -> bool:
    return base58_holds(found.encode())


def _jwt(found: str) -> bool:
    """The header of a JSON Web Token names an algorithm (RFC 7515)."""
    head = found.split(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return False
    return isinstance(header, dict) and "alg" in header


def _key_block(found: str) -> bool:
    return len(re.sub(r"\\n|\s", "", found)) >= 20


def _mail(found: str) -> bool:
    name, _, domain = found.rpartition("@")
    last = domain.rsplit(".", 1)[-1].lower()
    return bool(name) and last not in FILES and not NOBODY.search(domain.lower())


def _phone(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    return 9 <= len(digits) <= 15 and bool(COUNTRIES.match(digits)) and len(set(digits)) > 1


def luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def card_like(found: str) -> bool:
    """Whether this has an issuer's beginning and length, whatever its check digit."""
    return bool(ISSUERS.fullmatch(re.sub(r"\D", "", found)))


def _card(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    return card_like(digits) and luhn(digits) and len(set(digits)) > 1


# Twelve words in a row, of three letters or of another script, with little more than spaces
# between. No counting inside a word: the server builds such an expression anew for each value.
_LETTER, _FOREIGN = r"[^\x01-@\[-`{-\x7f]", r"[^\x01-\x7f]"
_APART = r"""[ \t\n\r,;.|"'_\\　-]"""  # a backslash is how JSON begins a line end
_BETWEEN = _APART + r"""[ \t\n\r,;.|"'_\\　0-9-]*"""
_WORD = rf"(?:[a-zA-Z]{_LETTER}{_LETTER}+|{_FOREIGN}{_LETTER}*)"
WORDS = rf"(?:^|[^a-zA-Z])(?:{_WORD}{_BETWEEN}){{11}}{_LETTER}"
CARD = r"[2-6][0-9]{3}[ -]?[0-9]{4,6}[ -]?[0-9]{4,5}(?:[ -]?[0-9]{1,7})?"
AROUND = r"(?<![0-9A-Za-z.+/=_-]){}(?![0-9A-Za-z/=_]|[.-][0-9A-Za-z])"  # no piece of a UUID

KINDS = (
    Kind(
        "private key (WIF)",
        rf"{APART}[5KLc9]{BASE58}{{50,51}}",
        _matching(rf"(?<![0-9A-Za-z])[5KLc9]{BASE58}{{50,51}}(?![0-9A-Za-z])", _checksum),
        least=51,
        glance=f"{APART}[5KLc9]{3 * BASE58}",
    ),
    Kind(
        "extended private key",
        rf"[xyztuvYZUV]prv{BASE58}{{107}}",
        _matching(rf"(?<![0-9A-Za-z])[xyztuvYZUV]prv{BASE58}{{107,108}}(?![0-9A-Za-z])", _checksum),
        least=111,
        marks=("prv",),
    ),
    Kind("seed phrase (BIP-39)", WORDS, found_in, least=47, glance=f"(?:{_APART}.*){{8}}"),
    Kind(
        "private key (PEM)",
        r"-----BEGIN [A-Z ]*PRIVATE KEY",
        _matching(r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----([^-]+)", _key_block),
        marks=("PRIVATE KEY",),
    ),
    Kind(
        "credential of a provider",
        APART + "(?:" + "|".join(TOKENS) + ")",
        _matching(r"(?<![0-9A-Za-z])(?:" + "|".join(TOKENS) + ")"),
        least=20,
        marks=MARKS,
    ),
    Kind(
        "password in a URL",
        r"[a-z]://[^/:@ \n]+:[^/@ \n]+@",
        _matching(r"(?<=[a-z])://[^/\s:@\"']+:(?![*x$<{\[]+[^@]*@)[^/\s@\"']{3,}@"),
        marks=("://%@",),
    ),
    Kind(
        "JSON Web Token",
        r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.",
        _matching(r"(?<![0-9A-Za-z])eyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]*", _jwt),
        least=20,
        marks=("eyJ%.eyJ",),
    ),
    Kind(
        "card number",
        rf"(?:^|[^0-9A-Za-z.+/=_-]|{ESCAPED}){CARD}",
        _matching(AROUND.format(f"({CARD})"), _card),
        least=12,
    ),
    Kind(
        "e-mail address",
        r"[A-Za-z0-9_]@[A-Za-z0-9-]+\.[A-Za-z]",
        _matching(
            r"(?<![\w.+/:-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}\b", _mail
        ),
        marks=("@",),
        personal=True,
    ),
    Kind(
        "phone number",
        f"(?:^|[^A-Za-z0-9+/=]|{ESCAPED})"
        r"\+[1-9][0-9]{0,3}[ ().-]{0,2}[0-9][0-9 ().-]{5,14}[0-9]",
        _matching(
            r"(?<![A-Za-z0-9+/=])\+[1-9]\d{0,3}[ ().-]{0,2}\d[\d ().-]{5,14}\d(?![0-9A-Za-z+/=])",
            _phone,
        ),
        marks=("+",),
        personal=True,
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def severity_of(hits: Sequence[dict[str, Any]]) -> Severity | None:
    """Medium where nothing but personal data was found, which a service may keep if it says so."""
    kinds = {hit["kind"] for hit in hits}
    personal = all(kind in BY_NAME and BY_NAME[kind].personal for kind in kinds)
    return Severity.MEDIUM if kinds and personal else None
