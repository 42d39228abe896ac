"""What stands in clear: the sensitive columns value by value, and canaries everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata
from typing import TYPE_CHECKING, Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured
from ..target import Target, need
from ..traffic import Planned
from . import planning
from .canary import Canaries
from .client import client
from .columns import declared
from .database import session
from .envelope import Envelope, configured
from .pieces import sifting
from .sealed import COUNTS, classified
from .search import Search

if TYPE_CHECKING:
    import pandas as pd


@source("passive")
def sensitive_columns(target: Target) -> Collected:
    """Every value of the columns of ``target.encryption``: an envelope, or in clear?

    One record a column with counts: ``envelopes`` are well formed to their last character,
    ``legacy`` have an older format, and ``clear`` is what is left: no prefix, a prefix with
    anything behind it, or with a text or a key in it. The server tells them apart; only values that
    are not surely sealed come here, and of those no more than a thousand a column. In
    ``facts.clear``, one row for each: its place, its length and its shape, in which every letter is
    an x and every digit a 9. ``share`` is there where a table was not read whole.
    """
    schemas = need(target.database, "target.database").schemas
    records: list[dict[str, Any]] = []
    clear: list[dict[str, Any]] = []
    missing: list[str] = []
    with session(target) as database:
        sifting(database)
        for format in target.encryption:
            tables, not_there = declared(database, format, schemas)
            missing += not_there
            envelopes = configured(format)
            for table in tables:
                for index in range(len(table.columns)):
                    record, listed = classified(database, table, index, envelopes)
                    records.append(record)
                    clear += listed
        version = database.facts["server_version"]
    records += [{"column": name, "problem": "there is no such column"} for name in missing]
    return Collected(records, {"clear": clear}, {"PostgreSQL": version})


@source("passive")
def elsewhere(target: Target) -> Collected:
    """Every other column that can hold a text, in every schema, and every large object: searched
    for keys, seed phrases, credentials, card numbers, people, and for fields named like a sensitive
    column inside documents.

    Texts of any kind, JSON, arrays, composite types, hstore, XML and bytes are searched, also in
    partitions and materialised views. One record a table: how many columns, what was ``found`` by
    kind, whether it is ``empty``, and a ``problem`` where it could not be read whole. In ``facts``:
    ``hits``, one row for each find with its column, row, path, length and shape; ``left_out``, what
    the parameters allow there.
    """
    schemas = need(target.database, "target.database").schemas
    with session(target) as database:
        sensitive = {
            (table.schema, table.name, column)
            for format in target.encryption
            for table in declared(database, format, schemas)[0]
            for column, _ in table.columns
        }
        formats = [Envelope(format) for format in target.encryption]
        names = [name for format in target.encryption for name in format.columns]
        search = Search(database, sensitive, names, formats, target.plaintext)
        search.tables()
        search.large_objects()
        version = database.facts["server_version"]
    facts = {"hits": search.hits, "left_out": search.left_out}
    return Collected(
        search.records, facts, {"PostgreSQL": version, "mnemonic": metadata.version("mnemonic")}
    )


def _planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    http = target.http
    if http is None:
        return
    for one in http.canaries:
        yield Planned(one.operation)
        yield from [Planned(one.remove)] if one.remove else []
    yield from planning.logins(http, *(one.as_role for one in http.canaries))


@source("passive", plan=_planned)
def canaries(target: Target) -> Collected:
    """Unique values, written through the service's API, and where the database then holds them.

    Writes where ``active`` is permitted and does nothing elsewhere, which ``facts.state`` says
    (``written``, ``not permitted``, ``no service``, ``not declared``, ``failed``): so the sensitive
    columns can be judged without. One record a canary: whether the service accepted it, in which
    columns it stands encrypted, how often in clear, and whether the API took it away again. In
    ``facts``: ``hits``, one row for each place in clear; ``searched``, how many tables, and
    ``not_searched``, which not; ``files``, the logs and backups that the parameters name; ``left``,
    where it still stands after its removal.
    """
    facts: dict[str, Any] = {"hits": [], "searched": 0, "not_searched": [], "left": []}
    facts["files"] = []
    if "active" not in target.permit:
        return Collected([], {**facts, "state": "not permitted"})
    if target.http is None:
        return Collected([], {**facts, "state": "no service"})
    if not target.http.canaries:
        return Collected([], {**facts, "state": "not declared"})
    formats = need(target.encryption, "target.encryption")
    with session(target) as database, client(target) as service:
        flock = Canaries(database, service, formats)
        try:
            flock.write()
            flock.settle()
            facts["state"] = "written"
        except NotMeasured as gap:
            facts |= {"state": "failed", "reason": str(gap.reason), "message": str(gap)}
        finally:
            flock.remove()
        flock.search_files(target.plaintext)
        flock.search()  # again: a removal may have written what it removed somewhere else
        facts |= flock.facts()
        version = database.facts["server_version"]
    return Collected(flock.records(), facts, {"PostgreSQL": version})


def by_column(evidence: Evidence) -> pd.DataFrame:
    """A row a column: how many values, with an envelope and in clear."""
    import pandas as pd

    table = pd.DataFrame(evidence.records, columns=["column", *COUNTS, "problem"])
    return table if table["problem"].notna().any() else table.drop(columns="problem")


def in_clear(evidence: Evidence) -> pd.DataFrame:
    """A row for each value in clear: where it stands, what is wrong, its length and shape."""
    import pandas as pd

    columns = ["column", "row", "kind", "length", "shape"]
    return pd.DataFrame(evidence.facts.get("clear", []), columns=columns)


def finds(evidence: Evidence) -> pd.DataFrame:
    """A row for each column, kind and path in which something was found; the worst first."""
    import pandas as pd

    columns = ["column", "kind", "path", "values", "first row", "length", "shape"]
    grouped: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for hit in evidence.facts.get("hits", []):
        path = re.sub(r"\[\d+\]", "[*]", hit["path"])
        grouped.setdefault((hit["column"], hit["kind"], path), []).append(hit)
    rows = [
        (
            *place,
            f"{len(hits)} or more" if any("and_more" in hit for hit in hits) else len(hits),
            hits[0]["row"],
            hits[0]["length"],
            hits[0]["shape"],
        )
        for place, hits in grouped.items()
    ]
    return pd.DataFrame(rows, columns=columns)


def searched(evidence: Evidence) -> pd.DataFrame:
    """A row a table: columns searched, what was found by kind, what stood in the way."""
    import pandas as pd

    rows = [
        {**r, "found": ", ".join(f"{kind}: {n}" for kind, n in r.get("found", {}).items())}
        for r in evidence.records
    ]
    table = pd.DataFrame(rows, columns=["table", "columns", "empty", "found", "problem"])
    return table.fillna("")


def canary_table(evidence: Evidence) -> pd.DataFrame:
    """A row a canary: what wrote it, where it stands, and whether it went again."""
    import pandas as pd

    columns = ["operation", "field", "answer", "encrypted_in", "in_clear", "removed"]
    return pd.DataFrame(evidence.records, columns=columns)


def canary_hits(evidence: Evidence) -> pd.DataFrame:
    """A row for each place where a canary stands in clear, and in which form."""
    import pandas as pd

    columns = ["operation", "field", "column", "form", "row", "length"]
    return pd.DataFrame(evidence.facts.get("hits", []), columns=columns)
