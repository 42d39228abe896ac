"""An SQL script as its statements, each with the line it starts at: split as psql splits it."""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* )
    | (?P<block> /\* )
    | (?P<quoted> (?<![\w$])[eE]'(?:[^'\\]+|\\.|'')*' | '[^']*(?:''[^']*)*' | "[^"]*" )
    | (?P<dollar> (?<![\w$])\$(?:[^\W\d]\w*)?\$ )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<mark> [();] )
    | (?P<meta> \\[^\n]* )
    | (?P<open> ['"] )
    """,
    re.VERBOSE | re.DOTALL,
)
BLOCK_MARK = re.compile(r"/\*|\*/")
COPY_IN = re.compile(r"\s*COPY\b[^;]*\bFROM\s+STDIN\b", re.IGNORECASE)
END_OF_ROWS = re.compile(r"^\\\.\s*$", re.MULTILINE)
NOISE = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
HEAD = re.compile(r"[^'(;=$]*")


@dataclass(frozen=True)
class Statement:
    line: int  # of its first word
    text: str

    @property
    def head(self) -> str:
        """What it does, without anything it says: ``INSERT INTO users``."""
        found = HEAD.match(NOISE.sub(" ", self.text))
        return " ".join(found[0].split())[:80] if found else ""

    @property
    def last_line(self) -> int:
        return self.line + self.text.count("\n")


@dataclass(frozen=True)
class Script:
    statements: list[Statement]
    meta_commands: list[str]  # what only psql understands: \i, \connect, \set, ...
    copies_in: bool  # holds rows for COPY FROM STDIN, as pg_dump writes them

    @property
    def needs_psql(self) -> bool:
        return bool(self.meta_commands) or self.copies_in


def split(text: str) -> Script:
    """Split a script at the semicolons that end statements.

    Those in quotes, comments, dollar quotes, parentheses and SQL-standard function bodies
    (``BEGIN ATOMIC ... END``) do not. A quote that never ends makes the rest one statement.
    """
    statements: list[Statement] = []
    meta_commands: list[str] = []
    copies_in = False
    position = 0
    first: int | None = None  # where the statement's first word or mark stands
    words: list[str] = []
    parentheses = body = 0
    line, counted = 1, 0

    def end(at: int) -> None:
        nonlocal first, words, parentheses, body, line, counted, copies_in
        if first is not None:
            line += text.count("\n", counted, first)
            counted = first
            statement = Statement(line, text[first:at])
            statements.append(statement)
            copies_in = copies_in or bool(COPY_IN.match(statement.text))
        first, words, parentheses, body = None, [], 0, 0

    while found := TOKEN.search(text, position):
        if first is None and (other := re.search(r"\S", text[position : found.start()])):
            first = position + other.start()  # something that is no token: 1, +, ...
        position = found.end()
        kind = found.lastgroup
        if kind == "comment":
            continue
        if kind == "block":
            position = _end_of_block(text, position)
            continue
        if kind == "meta":
            meta_commands.append(found[0].split()[0])
            if found[0].startswith("\\g"):
                end(found.start())
            continue
        if found[0] == ";" and parentheses <= 0 and body == 0:
            end(found.start())
            if copies_in and COPY_IN.match(statements[-1].text):
                rows = END_OF_ROWS.search(text, position)
                position = rows.end() if rows else len(text)
            continue
        if first is None:
            first = found.start()
        if kind == "dollar":
            close = text.find(found[0], position)
            position = len(text) if close < 0 else close + len(found[0])
        elif kind == "open":
            position = len(text)
        elif kind == "mark":
            parentheses += {"(": 1, ")": -1}.get(found[0], 0)
        elif kind == "word":
            words = [*words, found[0].lower()][:4]
            body = _body_depth(body, words, found[0].lower())
    if first is None and (other := re.search(r"\S", text[position:])):
        first = position + other.start()
    end(len(text.rstrip()))
    return Script(statements, meta_commands, copies_in)


def _end_of_block(text: str, position: int) -> int:
    """The end of a block comment, which may hold others."""
    depth = 1
    while depth and (mark := BLOCK_MARK.search(text, position)):
        depth += 1 if mark[0] == "/*" else -1
        position = mark.end()
    return len(text) if depth else position


def _body_depth(depth: int, words: list[str], word: str) -> int:
    """How deep in BEGIN ... END of a function; by psql's own rule, CASE counts too."""
    name = words[1:2] if words[1:3] != ["or", "replace"] else words[3:4]
    if words[0] != "create" or name not in (["function"], ["procedure"]):
        return 0
    if word == "begin" or (word == "case" and depth):
        return depth + 1
    return depth - 1 if word == "end" and depth else depth
