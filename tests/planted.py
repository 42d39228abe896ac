"""A table of values that look like secrets and are none, with fifty secrets planted among them."""

from __future__ import annotations

import json
import os
from base64 import b64encode

import base58
import jwt
import psycopg
from mnemonic import Mnemonic
from psycopg.types.json import Jsonb
from readiness.sources.finds import FIELD

# Ciphertexts, digests, identifiers, timestamps, numbers, prose: nothing to be found.
NOISE = """
CREATE EXTENSION IF NOT EXISTS hstore;
CREATE TYPE pair AS (a text, b int);
CREATE DOMAIN note AS varchar(4000);
CREATE TABLE rows (
    id bigint PRIMARY KEY, sealed text, mixed varchar(4000), fixed char(600), own note, plain json,
    doc jsonb, tags text[], docs jsonb[], raw bytea, facts hstore, both_ pair, page xml);
INSERT INTO rows (id, sealed, mixed, doc, tags)
SELECT n,
    'ENC4:' || encode(decode(md5(n::text) || md5('a' || n) || md5('b' || n), 'hex'), 'base64'),
    CASE n % 10
        WHEN 0 THEN md5(n::text)::uuid::text
        WHEN 1 THEN encode(sha256(n::text::bytea), 'hex')
        WHEN 2 THEN (timestamptz '2026-01-01 00:00+00' + n * interval '1 second')::text
        WHEN 3 THEN (4000000000000000 + n::bigint * 7919)::text
        WHEN 4 THEN (extract(epoch FROM timestamptz '2026-01-01') * 1000000 + n)::bigint::text
        WHEN 5 THEN '/api/users/' || n || '?limit=20&offset=' || n
        WHEN 6 THEN '$argon2id$v=19$m=65536$' || encode(decode(md5(n::text), 'hex'), 'base64')
        WHEN 7 THEN 'gAAAAA' || translate(encode(decode(md5(n::text) || md5('c' || n), 'hex'),
                                                 'base64'), '+/', '-_')
        WHEN 8 THEN 'the order was sent on time and will arrive at the house of the buyer by noon'
        ELSE '192.0.2.' || n % 250 || ' v1.2.' || n END,
    CASE WHEN n % 20 = 0 THEN jsonb_build_object('id', n, 'at', '2026-02-16T12:00:00Z',
        'hash', encode(sha256(n::text::bytea), 'base64'), 'nonce', md5(n::text)) END,
    CASE WHEN n % 25 = 0 THEN ARRAY['a', md5(n::text)] END
FROM generate_series(1, {rows}) n;
"""


def secrets() -> dict[str, list[str]]:
    """Values of every kind, made anew."""
    wif = [b"\x80" + os.urandom(32) + b"\x01", b"\x80" + os.urandom(32), b"\xef" + os.urandom(32)]
    wif += [b"\xef" + os.urandom(32) + b"\x01"]
    extended = ["0488ade4", "049d7878", "04b2430c", "04358394"]
    phrases = [Mnemonic(language).generate(128) for language in Mnemonic.list_languages()]
    phrases += [Mnemonic("english").generate(256).upper().replace(" ", "\n")]
    return {
        "private key (WIF)": [base58.b58encode_check(raw).decode() for raw in wif],
        "extended private key": [
            base58.b58encode_check(bytes.fromhex(v) + os.urandom(74)).decode() for v in extended
        ],
        "seed phrase (BIP-39)": phrases,
        "private key (PEM)": [
            f"-----BEGIN {kind}PRIVATE KEY-----\n{b64encode(os.urandom(48)).decode()}\n"
            for kind in ("", "RSA ", "OPENSSH ")
        ],
        "credential of a provider": [
            "AKIA" + "Q2W3E4R5T6Y7U2IO",
            "ghp_" + "a1B2" * 9,
            "xoxb-" + "123456789012-abcdefGHIJ",
            "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
            "123456789:AA" + "H9k_" * 8 + "x",
        ],
        "password in a URL": ["postgres://app:hunter2hunter2@db.internal/app"],
        "JSON Web Token": [jwt.encode({"sub": "1"}, "k" * 32, algorithm="HS256")],
        "card number": ["4111111111111111", "5500 0055 5555 5559", "3714-496353-98431"],
        "e-mail address": [
            "maryam@mail.ir",
            "j.doe+x@corp.co.uk",
            "ada@uni-example.edu",
            "x_y@a-b.info",
        ],
        "phone number": [
            "+98 912 345 6789",
            "+14155552671",
            "+49 (30) 901820-0",
            "+972-50-123-4567",
        ],
        FIELD: ["Maryam", "شیرین"],
    }


def plant(database: psycopg.Connection, rows: int) -> dict[tuple[str, str], str]:
    """Hide fifty values; returns where: (column, row) -> kind."""
    where: dict[tuple[str, str], str] = {}
    shapes = [
        ("sealed", lambda v: v),
        ("mixed", lambda v: f"note: {v} (kept)"),
        ("fixed", lambda v: v),
        ("own", lambda v: v),
        ("doc", lambda v: Jsonb({"user": {"notes": ["x", v]}})),
        ("plain", lambda v: json.dumps({"a": {"b": v}}, ensure_ascii=False)),
        ("tags", lambda v: ["x", v]),
        ("docs", lambda v: [Jsonb({"x": v})]),
        ("raw", lambda v: v.encode()),
        ("facts", lambda v: f'"k"=>"{v}"'),
        ("both_", lambda v: (v, 1)),
        ("page", lambda v: f"<p><q>{v}</q></p>"),
    ]
    number = 0
    for kind, values in secrets().items():
        for value in values:
            column, form = shapes[number % len(shapes)]
            if column == "raw" and not value.isascii():
                column, form = shapes[(number + 1) % len(shapes)]
            given = form(value)
            if kind == FIELD:
                column, given = "doc", Jsonb({"audit": {"body": {"motherName": value}}})
            place = 1 + (number * 7_919 + 13) % rows
            database.execute(f"UPDATE rows SET {column} = %s WHERE id = %s", (given, place))
            where[f"public.rows.{column}", f"id={place}"] = kind
            number += 1
    extra = [("mixed", "mother_name=Maryam"), ("mixed", '{"mother_name": "Zoë"}')]
    extra += [("page", "<a><mother_name>Zoë</mother_name></a>"), ("facts", '"mother_name"=>"Z"')]
    extra += [("plain", '{"k": "{\\"mother-name\\": \\"Zoë\\"}"}')]
    for column, text in extra:
        place = 1 + (number * 7_919 + 13) % rows
        database.execute(f"UPDATE rows SET {column} = %s WHERE id = %s", (text, place))
        where[f"public.rows.{column}", f"id={place}"] = FIELD
        number += 1
    large = "lo_from_bytea(0, convert_to(repeat('x', 1048570) || ' AKIAQ2W3E4R5T6Y7U2IO ', 'UTF8'))"
    oid = database.execute(f"SELECT {large}").fetchone()[0]
    where["large objects.data", f"oid={oid} from byte 1044480"] = "credential of a provider"
    return where
