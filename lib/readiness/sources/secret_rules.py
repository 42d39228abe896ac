"""What a secret looks like in a text: well-known tokens, keys, addresses with passwords, and
assignments of literals to names that speak of secrets.

Where a kind of token carries a checksum it is verified, so that what only looks like one is told
apart. Placeholders are no secrets.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

PLACEHOLDER = re.compile(
    r"change.?me|change.?this|replace|example|placeholder|your[_-]|dummy|xxxx|\*\*\*|todo|insert|"
    r"sample|redacted|not.?a.?(real|secret)|00000000|12345678|abcdefgh|deadbeef|^<|^\$|\{\{|%\(|\$\{|"
    r"^(none|null|true|false|test|secret|password|default|postgres|root|admin|user|localhost)$",
    re.I,
)
TOKENS = {
    "AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
    "GitHub fine-grained token": r"\bgithub_pat_[A-Za-z0-9_]{82}\b",
    "GitLab token": r"\bglpat-[A-Za-z0-9_-]{20}\b",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "PyPI token": r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
    "Slack token": r"\bxox[abposr]-(?:[0-9]+-){1,3}[A-Za-z0-9-]{20,}",
    "Slack webhook": r"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}",
    "Stripe key": r"\b[sr]k_live_[A-Za-z0-9]{20,}",
    "Google API key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "Anthropic key": r"\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{40,}",
    "OpenAI key": r"\bsk-(?:proj-)?[A-Za-z0-9]{20,}T3BlbkFJ[A-Za-z0-9]{20,}",
    "SendGrid key": r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b",
    "Telegram bot token": r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b",
    "age key": r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b",
    "JSON Web Token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    "private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:\\n|\s)*[A-Za-z0-9+/=\\\s]{64,}",
    "password in a URL": r"\b[a-z][a-z0-9+.-]{2,}://[^\s:/@'\"<>]{1,60}:(?P<value>[^\s/@'\"<>]{4,100})@",
    "WIF key": r"\b[5KL][1-9A-HJ-NP-Za-km-z]{50,51}\b",
}
_TOKENS = {rule: re.compile(pattern) for rule, pattern in TOKENS.items()}
NAMES = r"[A-Za-z0-9_.-]*(?:secret|passw(?:or)?d|passwd|token|api_?key|private_?key|access_?key|"
NAMES += r"encryption_?key|signing_?key|credential|auth_?key|salt)[A-Za-z0-9_.-]*"
_SPEAKS = re.compile(r"(?i)secret|passw|token|key|credential|salt")  # else there is no name
# NAME = value, NAME: value, NAME: type = value, ["NAME"] = value, NAME == value
_GIVEN = rf"(?P<name>{NAMES})[\"'`]?\]?\s*(?::\s*[A-Za-z_][\w.\[\] |]{{0,40}}?\s*=|:=|=>|==?|:)\s*"
_LITERAL = r"(?P<quote>[\"'`])(?P<value>(?:(?!(?P=quote))\S){6,200})(?P=quote)"
_QUOTED = re.compile(rf"(?i){_GIVEN}(?P<call>[\w.]{{1,30}}\((?:default\s*=\s*)?)?[bru]?{_LITERAL}")
_BARE = re.compile(rf"(?i){_GIVEN}(?P<value>[^\s\"'`,;#}}][^\s\"'`,;}}]{{5,199}})")
# getenv("NAME", "value"), getenv("NAME") or "value", process.env.NAME || "value"
_FALLBACK = re.compile(
    rf"(?i)(?:(?:env|environ|config|\bget|setdefault)\(\s*[\"'](?P<name>{NAMES})[\"']\s*"
    rf"(?:,\s*(?:default\s*=\s*)?|\)\s*or\s*)|\benv\.(?P<other>{NAMES})\s*(?:\|\||\?\?)\s*)"
    rf"{_LITERAL}"
)
_NOT_THE_SECRET = re.compile(
    r"(file|path|url|uri|name|field|header|type|id|ttl|expir\w*|minutes|seconds|length|prefix|"
    r"endpoint|algorithm|limit|policy|scopes?|count|size|days|regex|pattern|hash|public)$",
    re.I,
)
# What signs or encrypts: a literal is all that keeps others from doing it, whoever made it up.
_KEY = re.compile(
    r"(?:secret|signing|encryption|session|jwt|hmac|cookie)_?(?:secret_?)?key$|"
    r"(?:jwt|session|cookie|signing)_?secret$",
    re.I,
)
_TESTS = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|fixtures)/|(?:^|/)(?:test_|conftest)|[._](?:test|spec)\."
)
CONFIGURATION = re.compile(
    r"(^|/)(docker-)?compose[^/]*\.ya?ml$|(^|/)\.env|(^|/)(Dockerfile|Containerfile)[^/]*$|"
    r"(^|/)\.github/workflows/|(^|/)\.gitlab-ci|(^|/)(Jenkinsfile|\.travis\.yml|\.circleci/)|"
    r"\.(ini|cfg|conf|properties|toml|tfvars)$|(^|/)(railway|render|fly|app)\.(toml|ya?ml)$"
)
CODE = (".py", ".js", ".ts", ".tsx", ".jsx", ".go", ".java", ".rb")
_ADDRESS = re.compile(r"^\.{0,2}/|^https?:|\{\{|\$\{|%\(")
_SYMBOLS = re.compile(r"[(){}\[\]<>$]")  # of expressions and selectors; of generated keys too,
DENSE_LENGTH, DENSE_ENTROPY = 32, 4.3  # which are longer and have more bits a character
LIVE_ENTROPY = 3.3  # bits a character: words have less, random letters and digits more
LIVE_LENGTH = 16
LONGEST_LINE = 20_000  # characters; built files have one line


@dataclass(frozen=True)
class Hit:
    """A secret that was found. ``value`` stays in memory: only its fingerprint is written."""

    line: int
    rule: str
    value: str

    @property
    def fingerprint(self) -> str:
        """Tells the same secret again; slow to make, so that a weak one is not guessed from it."""
        made = hashlib.pbkdf2_hmac("sha256", self.value.encode(), b"readiness", 20_000)
        return made.hex()[:16]


def is_placeholder(value: str) -> bool:
    """Whether a value stands for one that is to be put there."""
    return PLACEHOLDER.search(value) is not None or len(set(value)) <= 3


def entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())


def looks_live(value: str) -> bool:
    """Whether a text looks as if a generator had made it, and not a person."""
    if len(value) < LIVE_LENGTH or is_placeholder(value):
        return False
    kinds = sum(bool(re.search(p, value)) for p in (r"\d", r"[a-z]", r"[A-Z]"))
    return kinds >= 2 and bool(re.search(r"\d", value)) and entropy(value) >= LIVE_ENTROPY


def tokens_in(text: str, first_line: int = 1) -> Iterator[Hit]:
    """Well-known secrets in a text."""
    for rule, pattern in _TOKENS.items():
        for match in pattern.finditer(text):
            value = match.groupdict().get("value") or match[0]
            if _is_one(rule, value):
                yield Hit(first_line + text.count("\n", 0, match.start()), rule, value)


def _is_one(rule: str, value: str) -> bool:
    if rule == "private key":
        return "EXAMPLE" not in value and len(set(value)) > 20
    if is_placeholder(value):
        return False
    if rule in ("GitHub token", "npm token"):
        return _checksum(value.split("_", 1)[1])
    if rule == "WIF key":
        return _is_wif(value)
    if rule == "JSON Web Token":
        return _is_jwt(value)
    if rule == "password in a URL":
        return not re.search(r"[{}$]|^\w*(pass(word)?|secret|pw)\w*$", value, re.I)
    return entropy(value) >= 2.5


def _checksum(body: str) -> bool:
    """The last six characters are the CRC-32 of the others, in base 62."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number, text = zlib.crc32(body[:-6].encode()), ""
    while number:
        number, rest = divmod(number, 62)
        text = digits[rest] + text
    return text.rjust(6, "0") == body[-6:]


def _is_wif(value: str) -> bool:
    import base58

    try:
        decoded = base58.b58decode_check(value)
    except ValueError:
        return False
    return len(decoded) in (33, 34)


def _is_jwt(value: str) -> bool:
    try:
        part = value.split(".")[0]
        head = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error):
        return False
    return isinstance(head, dict) and str(head.get("alg", "none")).lower() != "none"


def assignments_in(path: str, text: str) -> Iterator[Hit]:
    """Literals given to names that speak of secrets.

    In configuration any literal counts that is no placeholder, and so does one that code falls back
    to or signs with; else in code and data only what looks as if a generator had made it.
    """
    strict = CONFIGURATION.search(path) is not None
    place = "literal in configuration" if strict else "literal in code"
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LONGEST_LINE or not _SPEAKS.search(line):
            continue
        found = {}
        for match in _QUOTED.finditer(line):
            a_key = not match["call"] and _is_a_key(path, match["name"], match["value"])
            found[match["value"]] = (
                match["name"],
                "key in code" if a_key and not strict else place,
            )
        if PurePosixPath(path).suffix not in CODE:  # where a bare word is an expression
            bare = {m["value"]: (m["name"], place) for m in _BARE.finditer(line)}
            found |= {v: said for v, said in bare.items() if not _SYMBOLS.search(v)}
        for match in _FALLBACK.finditer(line):
            found[match["value"]] = (match["name"] or match["other"], "literal to fall back to")
        for value, (name, rule) in found.items():
            lenient = rule == "literal in code"
            if not _NOT_THE_SECRET.search(name) and _may_be_one(value, lenient):
                yield Hit(number, rule, value)


def _is_a_key(path: str, name: str, value: str) -> bool:
    """Whether code takes a literal to sign or encrypt with; not what such a key is called."""
    said, called = (re.sub(r"[^a-z]", "", text.lower()) for text in (value, name))
    return bool(_KEY.search(name)) and not _TESTS.search(path) and said not in called


def _may_be_one(value: str, lenient: bool) -> bool:
    """Whether a literal can be a secret: no placeholder, no address or path, and no expression."""
    if is_placeholder(value) or _ADDRESS.search(value):
        return False
    if _SYMBOLS.search(value) and (len(value) < DENSE_LENGTH or entropy(value) < DENSE_ENTROPY):
        return False
    return not lenient or looks_live(value)


def build_arguments_in(path: str, text: str) -> Iterator[Hit]:
    """Secrets that an image keeps in its history: ARG and ENV with a literal."""
    if not re.search(r"(^|/)(Dockerfile|Containerfile)", path):
        return
    pattern = rf"(?im)^\s*(?:ARG|ENV)\s+(?P<name>{NAMES})[ =](?P<value>\S+)"
    for match in re.finditer(pattern, text):
        value = match["value"].strip("\"'")
        if not _NOT_THE_SECRET.search(match["name"]) and not is_placeholder(value):
            line = text.count("\n", 0, match.start()) + 1
            yield Hit(line, "build argument of an image", value)
