"""Reading shell text, not running it: the simple commands in it and how they are joined."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

KEYWORDS = {"if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "{", "}"}
PREFIXES = {"exec", "time", "sudo", "nohup", "command", "env", "tini", "dumb-init"}
SHELLS = {"sh", "bash", "ash", "dash", "zsh"}
HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1[^\n]*\n.*?\n\s*\2\s*?(?=\n|$)", re.S)
# 2>&1 and &>file, whose & would be taken for an operator; 3<>/dev/tcp/..., >file
REDIRECTED = re.compile(r"(?<![^\s;|&()])(\d*[<>]&\d*-?|(&|\d*)(<>|>>|>|<)\s*[^\s;|&()<>'\"]+)")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.S)
# Commands that succeed whatever the state of the service.
HARMLESS = {"true", ":", "echo", "printf", "sleep", "date", "pwd", "hostname", "whoami", "ls"}
PASSING_ON = {"cat", "tee", "head", "tail", "wc", "sort"}  # at the end of a pipe


@dataclass(frozen=True)
class Command:
    """A simple command and the operator after it: ``&&``, ``||``, ``|``, ``;`` or nothing."""

    words: tuple[str, ...]
    then: str = ""

    @property
    def program(self) -> str:
        """The program's name without its folder."""
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""

    @property
    def always_succeeds(self) -> bool:
        return self.program in HARMLESS or self.words == ("exit", "0")


def commands(text: str) -> list[Command]:
    """The simple commands of a script, in order; comments and here-documents are left out.

    Leading keywords, assignments and wrappers such as ``exec`` are taken off. What is not shell
    gives an empty list.
    """
    text = HEREDOC.sub("\n", text.replace("\\\n", " "))
    text = REDIRECTED.sub(" ", text)
    text = "\n".join(_uncommented(line) for line in text.splitlines())
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();|&\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    try:
        tokens = list(lexer)
    except ValueError:
        return []
    found: list[Command] = []
    words: list[str] = []
    for token in [*tokens, ";"]:
        if not re.fullmatch(r"[();|&\n]+", token):
            words.append(token)
            continue
        operator = token.replace("\n", "").strip("()") or ";"
        if bare := _bare(words):
            found.append(Command(bare, operator if operator in ("&&", "||", "|") else ";"))
        words = []
    return found


def _uncommented(line: str) -> str:
    for found in re.finditer(r"(?:^|\s)#", line):
        before = line[: found.start()]
        if before.count("'") % 2 == 0 and before.count('"') % 2 == 0:
            return before
    return line


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """The words without what stands before the program itself."""
    rest = list(words)
    while rest and (rest[0] in KEYWORDS or ASSIGNMENT.fullmatch(rest[0]) or _wraps(rest[0])):
        if _wraps(rest.pop(0)):
            while rest and rest[0].startswith("-"):
                rest.pop(0)
    return tuple(rest)


def _wraps(word: str) -> bool:
    return word.rsplit("/", 1)[-1] in PREFIXES


def text_of(command: object) -> str:
    """A command given as a text or as a list of words, as shell text; ``sh -c`` is looked into."""
    if isinstance(command, str):
        try:
            words = shlex.split(command)
        except ValueError:
            return command
    elif isinstance(command, list):
        words = [str(word) for word in command]
    else:
        return ""
    if len(words) > 2 and words[0].rsplit("/", 1)[-1] in SHELLS and words[1] in ("-c", "-ec"):
        return words[2]
    return command if isinstance(command, str) else shlex.join(words)


def idles(text: str) -> bool:
    """Whether a script does nothing but wait, end, or talk to itself."""
    found = commands(text)
    return bool(found) and all(_idle(command) for command in found)


def _idle(command: Command) -> bool:
    arguments = [word for word in command.words[1:] if not word.startswith("-")]
    if command.program == "tail":
        return arguments == ["/dev/null"]
    if command.program in SHELLS | {"cat", "read"}:
        return not arguments
    return command.always_succeeds or command.program in ("pause", "exit", "trap", "wait")


def cannot_fail(text: str) -> bool:
    """Whether a script succeeds whatever happens: ``exit 0``, ``curl ... || true``."""
    found = commands(text)
    if not found or any(c.program == "exit" and c.words[1:] not in ((), ("0",)) for c in found):
        return False
    last = found[-1]
    chain = [last]
    for before in reversed(found[:-1]):
        if before.then == ";":
            break
        chain.insert(0, before)
    if len(chain) > 1 and chain[-2].then in ("||", "|"):
        passing = chain[-2].then == "|" and last.program in PASSING_ON
        return passing or last.always_succeeds
    return all(c.always_succeeds for c in chain)
