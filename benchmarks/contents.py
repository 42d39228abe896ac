"""Searching, opening and adding up what tables hold, against the plainest thing that does the same.

Each source runs alone in a process of its own, which tells its seconds and its peak of memory. Of
what is read, memory holds a batch of rows, what was found (a thousand values a column, a hundred
finds of a kind) and, of ciphertexts, eight bytes each up to 128 MB, then none: so what five million
rows take is what 10 GB take, but for those 128 MB.

python benchmarks/contents.py [rows]     5,000,000 rows unless said otherwise
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from binascii import a2b_base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from readiness import scratch
from readiness.evidence import Evidence
from readiness.parameters import validated
from readiness.sources import checksums, ciphertexts, parts, plaintext
from readiness.sources.columns import declared
from readiness.sources.database import session
from readiness.sources.envelope import configured
from readiness.sources.scan import batches, snapshot
from readiness.target import Target

ROWS = 5_000_000
CIPHERTEXTS = 1_000_000
SECTION = {"key": "a password", "salt": "a salt", "iterations": 1_000}
# Three columns of text: a ciphertext, a digest or an identifier, a line.
TABLE = """
CREATE TABLE rows AS SELECT n AS id,
    'ENC4:' || encode(decode(md5(n::text) || md5('a' || n) || md5('b' || n), 'hex'), 'base64')
        AS sealed,
    CASE n % 2 WHEN 0 THEN md5(n::text)::uuid::text ELSE md5(n::text) END AS mixed,
    'GET /api/users/' || n || '?limit=20 200 in 12 ms' AS line
FROM generate_series(1, {rows}) n;
"""


def seconds(work: Callable[[], object], runs: int = 3) -> float:
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return round(sorted(taken)[len(taken) // 2], 2)


def of(url: str, *columns: str) -> Target:
    limits = {"url": url, "statement_timeout_s": 900}
    raw: dict[str, Any] = {"name": "t", "database": limits}
    raw["encryption"] = {**SECTION, "columns": list(columns)} if columns else []
    return validated(Target, raw, "benchmark", {}, specimen=True)


def sound(evidence: Evidence) -> Evidence:
    assert evidence.problem is None, evidence.problem
    return evidence


def scans(rows: int = ROWS) -> dict[str, object]:
    """The search of 5 million rows of three columns, the envelopes of one, and the checksum."""
    with scratch.database(TABLE.replace("{rows}", str(rows))) as url:
        with psycopg.connect(url, autocommit=True) as database:
            database.execute("VACUUM ANALYZE rows")
            size = database.execute("SELECT pg_relation_size('rows')").fetchone()
            count = seconds(lambda: database.execute("SELECT count(*) FROM rows").fetchone())
            prefix = "SELECT count(*) FROM rows WHERE sealed NOT LIKE 'ENC4:%'"
            by_prefix = seconds(lambda: database.execute(prefix.encode()).fetchone())
        grep = r"[5KL][1-9A-HJ-NP-Za-km-z]{50}|[xyz]prv|PRIVATE KEY|AKIA|@[a-z0-9-]+\."
        copy = ["psql", "-qAtc", "COPY rows TO STDOUT", url]
        by_grep = seconds(lambda: _piped(copy, ["grep", "-cE", grep]), 1)
        by_grep_prefix = seconds(
            lambda: _piped([*copy[:2], "COPY (SELECT sealed FROM rows) TO STDOUT", url],
                           ["grep", "-cv", "^ENC4:"]), 1
        )  # fmt: skip
        envelopes, search, summed = (
            alone(what, url) for what in ("envelopes", "search", "checksum")
        )
    return {
        "rows": rows,
        "table_mb": round(size[0] / 1e6) if size else None,
        "count_s": count,
        "prefix_s": by_prefix,
        "prefix_to_count": round(by_prefix / count, 1),
        "copy_grep_prefix_s": by_grep_prefix,
        "copy_grep_prefix_to_prefix": round(by_grep_prefix / by_prefix, 1),
        "envelopes": envelopes,
        "envelopes_to_count": round(envelopes["s"] / count, 1),
        "envelopes_to_copy_grep_prefix": round(envelopes["s"] / by_grep_prefix, 1),
        "copy_grep_five_patterns_s": by_grep,
        "search_eleven_kinds": search,
        "search_to_count": round(search["s"] / count, 1),
        "search_to_copy_grep": round(search["s"] / by_grep, 1),
        "checksum": summed,
        "checksum_to_count": round(summed["s"] / count, 1),
    }


def _piped(first: list[str], second: list[str]) -> None:
    with subprocess.Popen(first, stdout=subprocess.PIPE) as source:
        subprocess.run(second, stdin=source.stdout, stdout=subprocess.DEVNULL, check=False)


def source(what: str, url: str) -> Evidence:
    if what == "envelopes":
        return plaintext.sensitive_columns(of(url, "rows.sealed"))
    if what == "search":
        return plaintext.elsewhere(of(url))
    if what == "checksum":
        return checksums.of_tables(of(url))
    parts.LARGE = 10**9 if what == "ciphertexts by one process" else parts.LARGE
    return ciphertexts.stored(of(url, "people.mother"))


def alone(what: str, url: str) -> dict[str, Any]:
    """Seconds and megabytes of one source, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, what, url], check=True, capture_output=True, text=True
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def measure(what: str, url: str) -> None:
    evidence: list[Evidence] = []
    taken = seconds(lambda: evidence.append(sound(source(what, url))), 2)
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
    counted = evidence[0].records[0].get("sealed")
    print(json.dumps({"s": taken, "peak_mb": peak, **({"sealed": counted} if counted else {})}))


def opened(number: int = CIPHERTEXTS) -> dict[str, object]:
    """Every ciphertext of a column read and opened, against opening them where they are.

    The shares say where the time goes: decryption itself, base64, and the server handing over the
    values (which it does in part while others are opened). What is left is the loop around them:
    prefix, slices, nonces.
    """
    with scratch.database("CREATE TABLE people (id int PRIMARY KEY, mother text)") as url:
        ours = configured(of(url, "people.mother").encryption[0])
        values = [ours.seal(f"person number {n}, called Maryam") for n in range(number)]
        with (
            psycopg.connect(url) as database,
            database.cursor() as cursor,
            cursor.copy("COPY people FROM STDIN") as copy,
        ):
            for row in enumerate(values):
                copy.write_row(row)
        raw = [a2b_base64(value[5:]) for value in values]
        decrypt = AESGCM(ours.keys[0]).decrypt

        def bare() -> None:
            for one in raw:
                decrypt(one[:12], one[12:], None)

        def handed_over() -> None:
            target = of(url, "people.mother")
            with session(target) as database, snapshot(database):
                (table,), _ = declared(database, target.encryption[0], ["public"])
                assert sum(map(len, batches(database, table))) == number

        bodies = [value[5:].encode() for value in values]
        alone_s = seconds(bare, 2)
        decoded = seconds(lambda: [a2b_base64(b, strict_mode=True) for b in bodies], 2)
        fetched = seconds(handed_over, 2)
        with psycopg.connect(url, autocommit=True) as database:
            database.execute("VACUUM ANALYZE people")
        one = alone("ciphertexts by one process", url)
        several = alone("ciphertexts", url)
        assert one["sealed"] == several["sealed"] == number
    return {
        "ciphertexts": number,
        "bare_decryption_s": alone_s,
        "base64_s": decoded,
        "handed_over_by_the_database_s": fetched,
        "verified_by_one_process": one,
        "verified_by_several": several,
        "share_of_bare_by_one": round(alone_s / one["s"], 2),
        "share_of_bare_by_several": round(alone_s / several["s"], 2),
        "per_second": round(number / several["s"]),
    }


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(*sys.argv[1:])
        sys.exit()
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    found = {"scans": scans(rows), "verification": opened(min(CIPHERTEXTS, rows))}
    print(json.dumps(found, indent=1))
    Path(os.environ.get("RESULTS", os.devnull)).write_text(json.dumps(found))
