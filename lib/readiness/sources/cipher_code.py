"""The service's own cipher: run in its own interpreter, tried against ours in both directions."""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode, urlsafe_b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import cryptography
import psycopg

from .. import scratch
from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Encryption, Target, need
from .cipher_cases import SENTENCE, spoilt, texts_for
from .cipher_service import Answer, Service, running
from .envelope import EnvelopeError, Envelopes
from .keys import derive_key, salted

if TYPE_CHECKING:
    import pandas as pd

ENCRYPTIONS = 500  # of one text in one process
EACH_WORKER = 50  # of one text in each of two forked processes
KEY, OTHER_KEY = "short salt", "another key"  # under which the keys are kept


@source("active")
def round_trip(target: Target) -> Collected:
    """What the service's cipher made of texts, of changed ciphertexts and of our ciphertexts.

    ``target.encryption.code`` of each format is loaded in its own interpreter and used with
    throwaway keys, never with the configured ones. Each text is encrypted by the service, stored in
    a table of the scratch server, read back and decrypted by the service and by our implementation
    of the declared format, and what ours encrypts is decrypted by the service. One record a case,
    in four groups:
    derivation, round trip, two encryptions, refusal; ``facts.untried`` are formats without code.
    """
    formats = need(target.encryption, "target.encryption")
    need([format.code for format in formats if format.code], "target.encryption.code")
    records: list[dict[str, Any]] = []
    codes = []
    for format in formats:
        if format.code is None:
            continue
        with running(format.code) as service:
            trial = _Trial(service, format)
            trial.derive()
            trial.round_trips()
            trial.repeat()
            trial.tamper()
            derives = bool(format.code.derive_key)
            code = {"module": format.code.module, "python": service.python, "derives": derives}
        codes.append({"format": format.label, **code})
        several = {"format": format.label} if len(formats) > 1 else {}
        records += [several | record for record in trial.records]
    untried = [format.label for format in formats if format.code is None]
    facts = {"codes": codes, "untried": untried}
    return Collected(records, facts, {"cryptography": cryptography.__version__})


class _Trial:
    """The cases, one group after the other; what they showed is in ``records``."""

    def __init__(self, service: Service, format: Encryption) -> None:
        self.records: list[dict[str, Any]] = []
        self._service = service
        self._format = format
        self._texts = texts_for(format)

    def derive(self) -> None:
        """Two keys, and the derivation against ours with salts that need padding or cutting."""
        code, form = self._format.code, self._format
        assert code
        if code.derive_key is None:
            # As it will be used: 32 bytes for AES-GCM, their base64url for Fernet, or a password.
            ours, other = (secrets.token_bytes(form.key_bytes) for _ in range(2))
            given = {KEY: ours, OTHER_KEY: other}
            if form.scheme == "fernet":
                given = {name: urlsafe_b64encode(key) for name, key in given.items()}
            self._service.ask([["key", n, b64encode(k).decode()] for n, k in given.items()])
            self._ours = Envelopes(form, ours)
            return
        size = form.salt_bytes
        salts = {
            KEY: "salt",
            "long salt": secrets.token_hex(size),
            "salt beyond ASCII": "نمک" + "ü" * size,
        }
        password = secrets.token_hex(32)
        asked = [
            ["derive", name, password, salt, b64encode(salted(salt, form)).decode()]
            for name, salt in {**salts, OTHER_KEY: secrets.token_hex(size // 2 or 8)}.items()
        ]
        answers = self._service.ask(asked)
        for (name, salt), answer in zip(salts.items(), answers, strict=False):
            same = hmac.compare_digest(_key(answer), derive_key(password, salt, form))
            said = _raised(answer) or ("the same key" if same else "another key")
            self._note("derivation", name, derived=said)
        # The service's key, so that a derivation of its own does not spoil the other groups.
        theirs = _key(answers[0])
        usable = len(theirs) in (16, 24, 32)
        self._ours = Envelopes(form, theirs if usable else derive_key(password, salts[KEY], form))

    def round_trips(self) -> None:
        """Each text there and back, by every way there is."""
        texts = list(self._texts.items())
        encrypted = self._service.ask([["encrypt", text, KEY] for _, text in texts])
        read = _stored([_value(answer) for answer in encrypted])
        opened = self._service.ask([["decrypt", value or "", KEY] for value in read])
        ours = [self._ours.seal(text) for _, text in texts]
        opened_ours = self._service.ask([["decrypt", value, KEY] for value in ours])
        for n, (name, text) in enumerate(texts):
            value = read[n]
            self._note(
                "round trip",
                name,
                characters=len(text),
                encrypts=_raised(encrypted[n]) or self._kind(value),
                holds_the_text=bool(len(text) > 3 and value and text in value),
                opens_own=_opened(opened[n], text) if value is not None else "nothing to open",
                ours_opens=self._open(value, text),
                opens_ours=_opened(opened_ours[n], text),
            )
        self._example = read[0]

    def repeat(self) -> None:
        """One text again and again, in one process and in two workers forked from it."""
        times = [["encrypt", SENTENCE, KEY]] * ENCRYPTIONS
        self._repeated("in one process", [_value(a) for a in self._service.ask(times)])
        if self._service.forks:
            workers = [["forked", SENTENCE, KEY, EACH_WORKER]] * 2
            answers = self._service.ask(workers)
            if raised := next((said for a in answers if (said := _raised(a))), None):
                self._note("two encryptions", "in two workers", raised=raised)
                return
            both = [value for answer in answers for value in answer["said"]]
            self._repeated("in two workers", both)

    def _repeated(self, case: str, values: list[str | None]) -> None:
        nonces = []
        for value in values:
            with suppress(EnvelopeError):
                nonces.append(self._ours.unpack(value or "")[: self._format.header_bytes])
        self._note(
            "two encryptions",
            case,
            values=len(values),
            different_values=len(set(values)),
            nonces=len(nonces),
            different_nonces=len(set(nonces)),
        )

    def tamper(self) -> None:
        """A sound ciphertext of the service, spoilt in every way; nothing may come of it."""
        if self._kind(self._example) != "sealed":
            return  # the round trip says so already
        assert self._example
        cases = spoilt(self._example, self._ours)
        asked = [["decrypt", value, KEY] for _, value in cases]
        cases.append(("wrong key", self._example))
        asked.append(["decrypt", self._example, OTHER_KEY])
        for (case, _), answer in zip(cases, self._service.ask(asked), strict=True):
            self._note("refusal", case, answer=_opened(answer, SENTENCE))

    def _note(self, group: str, case: str, **seen: Any) -> None:
        self.records.append({"group": group, "case": case, **seen})

    def _kind(self, value: str | None) -> str:
        if value is None:
            return "no text"
        try:
            self._ours.open(value)
        except EnvelopeError as closed:
            return str(closed)
        return "sealed"

    def _open(self, value: str | None, text: str) -> str:
        try:
            return "the text" if self._ours.open(value or "") == text.encode() else "another text"
        except EnvelopeError as closed:
            return str(closed)


def _stored(values: list[str | None]) -> list[str | None]:
    """The values after they have been in a table of the scratch server; None where none fits."""
    fit = [(n, v) for n, v in enumerate(values) if v is not None and "\0" not in v]
    try:
        with psycopg.connect(scratch.server().url()) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE stored (n int, value text)")
            cursor.executemany("INSERT INTO stored VALUES (%s, %s)", fit)
            back: dict[int, str] = dict(cursor.execute("SELECT n, value FROM stored").fetchall())
    except psycopg.Error as broke:
        raise NotMeasured(Reason.TOOL_MISSING, f"no scratch server to store in: {broke}") from None
    return [back.get(n) for n in range(len(values))]


def _raised(answer: Answer) -> str | None:
    return f"raised {answer['raised']}" if "raised" in answer else None


def _value(answer: Answer) -> str | None:
    """What encrypting gave, when that is a text that can be stored and sent."""
    said = answer.get("said")
    if not isinstance(said, str):
        return None
    try:
        said.encode()
    except UnicodeEncodeError:
        return None
    return said


def _key(answer: Answer) -> bytes:
    return b64decode(answer["said"]) if "said" in answer else b""


def _opened(answer: Answer, text: str) -> str:
    """What decrypting came to: refused, nothing, the text, or another text."""
    if raised := _raised(answer):
        return f"refused ({raised.removeprefix('raised ')})"
    said = answer.get("said")
    if said is None and "other" not in answer:
        return "nothing"
    return "the text" if said == text else "another text"


def cases(evidence: Evidence) -> pd.DataFrame:
    """A row a case of the groups derivation, round trip and two encryptions."""
    import pandas as pd

    rows = [record for record in evidence.records if record["group"] != "refusal"]
    columns = [
        "format",
        "group",
        "case",
        "characters",
        "derived",
        "encrypts",
        "opens_own",
        "ours_opens",
    ]
    columns += ["opens_ours", "values", "different_values", "different_nonces"]
    if not any("format" in row for row in rows):
        columns.remove("format")
    table = pd.DataFrame(rows, columns=columns).astype(object)
    return table.where(table.notna(), "")


def refusals(evidence: Evidence) -> pd.DataFrame:
    """A row for each answer to changed ciphertexts: how many cases gave it, and which."""
    import pandas as pd

    answers: dict[str, list[str]] = {}
    for record in evidence.records:
        if record["group"] == "refusal":
            answers.setdefault(record["answer"], []).append(record["case"])
    rows = [(answer, len(cases), "; ".join(cases)) for answer, cases in answers.items()]
    return pd.DataFrame(rows, columns=["answer", "cases", "which"])
