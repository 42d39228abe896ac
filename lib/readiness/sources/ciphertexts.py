"""Every ciphertext that the database holds, opened: a stream through memory, never a sample."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cryptography
import psycopg

from ..evidence import Collected, Evidence, source
from ..target import Encryption, Target, need
from . import parts
from .columns import Table, declared
from .database import Session, session
from .envelope import EnvelopeError, Envelopes, Kind, configured
from .nonces import digests
from .scan import COUNTS, KINDS, MOST_LISTED, Scan, batches

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST_DIAGNOSED = 200  # each costs some twenty derivations by the first of them, then little
MOST_PLACES = 20  # named for one nonce


@source("passive")
def stored(target: Target) -> Collected:
    """Every value of the columns of ``target.encryption``, opened under the configured keys.

    One record a column: how many rows, and how many values of each kind (``sealed`` opens). In
    ``facts``: the declared ``formats``; ``unsealed``, one row for each value that does not open,
    with its place and never its content; ``reused``, one row for each nonce that stands in several
    different ciphertexts of one key, and ``copies``, how many values are another one letter for
    letter.
    """
    formats = need(target.encryption, "target.encryption")
    schemas = need(target.database, "target.database").schemas
    need([name for format in formats for name in format.columns], "target.encryption.columns")
    unsealed: list[dict[str, Any]] = []
    listed = Counter[Kind]()

    def note(column: str, row: str, kind: Kind, value: bytes, envelopes: Envelopes) -> None:
        listed[kind] += 1
        if listed[kind] <= MOST_LISTED:
            offender = {"column": column, "row": row, "kind": str(kind), "bytes": len(value)}
            diagnose = kind is Kind.REFUSED and listed[kind] <= MOST_DIAGNOSED
            said = {"diagnosis": envelopes.diagnosis(value)} if diagnose else {}
            unsealed.append(offender | said)

    missing: list[str] = []
    with session(target) as database, parts.shared(database) as snapshot:
        scan = Scan(database, note)
        to_open: list[tuple[Table, Envelopes]] = []
        for format in formats:
            tables, not_there = declared(database, format, schemas)
            missing += not_there
            envelopes = configured(format)
            to_open += [(table, envelopes) for table in tables]
        for table, envelopes in to_open:
            parts.read(scan, target, table, envelopes, snapshot)
        repeated = scan.nonces.repeated()
        reused, copies = _reuse(database, to_open, repeated) if repeated else ([], 0)
        version = database.facts["server_version"]
    scan.records += [{"column": name, "problem": "there is no such column"} for name in missing]
    facts = {
        "formats": [described(format) for format in formats],
        "unsealed": unsealed,
        "reused": reused,
        "copies": copies,
        "nonces": len(scan.nonces),
    }
    tools = {"PostgreSQL": version, "cryptography": cryptography.__version__}
    return Collected(scan.records, facts, tools)


def described(format: Encryption) -> dict[str, Any]:
    """A declared format, without its secrets."""
    secret = {"columns", "key", "older_keys", "salt", "code"}
    said = {"label": format.label, "older_keys": len(format.older_keys)}
    if format.kdf == "hkdf-sha256" or format.salting == "per value":
        said["password_bytes"] = len(format.key.value().encode())
    return format.model_dump(mode="json", exclude=secret) | said


def _reuse(
    database: Session, to_open: list[tuple[Table, Envelopes]], repeated: set[int]
) -> tuple[list[dict[str, Any]], int]:
    """Where the nonces stand that seemed to repeat: the reused ones, and the number of copies.

    The same ciphertext twice is a copied value: it was encrypted once. The same nonce in two
    different ciphertexts was used twice, if one key may have made both: that is two that open under
    one key, or two that open under none, but not one of each, which may be a damaged copy or
    another key's.
    """
    groups: dict[bytes, _Group] = {}
    for table, envelopes in to_open:
        cut = envelopes.format.header_bytes
        try:
            rows = batches(database, table, envelopes.format.max_values)
            for batch in rows:
                unpacked = list(_unpacked(table, batch, envelopes))
                found = digests([raw[:cut] for _, _, raw in unpacked]).tolist()
                for (column, key, raw), digest in zip(unpacked, found, strict=True):
                    if digest in repeated:
                        group = groups.setdefault(raw[:cut], _Group())
                        place = f"{table.full_name(column)} {table.named(key)}"
                        group.add(place, raw, envelopes.key_of(raw))
        except psycopg.Error:
            if database.connection.broken:
                raise
            continue  # said in the table's record already: the first pass stopped there too
    reused = [
        {
            "nonce": hashlib.sha256(nonce).hexdigest()[:16],
            "ciphertexts": sum(len(different) for different in group.different.values()),
            "values": group.values,
            "places": group.places,
        }
        for nonce, group in groups.items()
        if any(len(different) > 1 for different in group.different.values())
    ]
    copies = sum(g.values - sum(len(d) for d in g.different.values()) for g in groups.values())
    return reused, copies


def _unpacked(
    table: Table, batch: list[Any], envelopes: Envelopes
) -> Iterator[tuple[str, Any, bytes]]:
    """The column, the row's key and the bytes of each value of some rows that is an envelope."""
    for key, *values in batch:
        for (column, _), value in zip(table.columns, values, strict=True):
            try:
                yield column, key, envelopes.unpack(value or b"")
            except EnvelopeError:
                continue


class _Group:
    """The values that share a nonce."""

    def __init__(self) -> None:
        self.values = 0
        self.different: dict[str | None, set[int]] = {}  # by key; None: opens under none
        self.places: list[str] = []

    def add(self, place: str, raw: bytes, key: str | None) -> None:
        self.values += 1
        self.different.setdefault(key, set()).add(hash(raw))
        if len(self.places) < MOST_PLACES:
            self.places.append(place)


def by_column(evidence: Evidence) -> pd.DataFrame:
    """A row a column: how many values of which kinds; kinds that occur nowhere are left out."""
    import pandas as pd

    table = pd.DataFrame(evidence.records, columns=["column", *COUNTS, "problem"])
    always = ("rows", "null", "empty", "sealed")
    unseen = [kind for kind in KINDS if kind not in always and not table[kind].fillna(0).any()]
    table = table.drop(columns=unseen)
    return table if table["problem"].notna().any() else table.drop(columns="problem")


def unsealed(evidence: Evidence) -> pd.DataFrame:
    """A row for each value that does not open: where it stands, its kind, its size."""
    import pandas as pd

    columns = ["column", "row", "kind", "diagnosis", "bytes"]
    return pd.DataFrame(evidence.facts.get("unsealed", []), columns=columns)


def reuse(evidence: Evidence) -> pd.DataFrame:
    """A row for each nonce that stands in different ciphertexts: a digest of it, and where."""
    import pandas as pd

    columns = ["nonce", "ciphertexts", "values", "places"]
    return pd.DataFrame(evidence.facts.get("reused", []), columns=columns)


def composition(evidence: Evidence) -> go.Figure:
    """Bars, one a column: its values by kind; what is neither sealed nor absent stands out."""
    import plotly.graph_objects as go

    from ..report.look import ACCENT, TONES

    tones = {"sealed": ACCENT, "legacy": TONES["caution"]}
    tones |= {"null": TONES["unknown"], "empty": TONES["unknown"], Kind.OLDER_KEY: ACCENT}
    shown = [r for r in evidence.records if "problem" not in r or r.get("rows")]
    names = [record["column"] for record in shown]
    figure = go.Figure()
    for kind in ("sealed", *(k for k in KINDS if k != "sealed"), "empty", "null"):
        counts = [record.get(kind, 0) for record in shown]
        if any(counts):
            colour = tones.get(kind, TONES["bad"])
            figure.add_bar(y=names, x=counts, name=kind, orientation="h", marker_color=colour)
    figure.update_layout(
        barmode="stack",
        xaxis_title="values",
        yaxis={"title": "column", "autorange": "reversed"},
        title="What the sensitive columns hold",
        height=160 + 24 * len(names),
    )
    return figure
