"""Runs the service's own cipher in the service's own interpreter; a program, never imported.

One JSON line in, one JSON line out, until standard input ends. The first line describes the code
to load; the others are lists of operations. Plain enough for an interpreter much older than ours.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

Operation = Callable[..., Any]
CHILD_SECONDS = 10  # a lock that was held while forking would keep the child for ever


class Code:
    """The three functions of the service, called in the way that they take."""

    def __init__(self, job: dict[str, Any]) -> None:
        sys.path[:0] = job["path"]
        module = importlib.import_module(job["module"])
        self._derive: Operation | None = _function(module, job["derive_key"])
        self._encrypt: Operation = _function(module, job["encrypt"])
        self._decrypt: Operation = _function(module, job["decrypt"])
        self._keys: dict[str, Any] = {}
        self._as_bytes = False  # the service's values are bytes and not text

    def derive(self, name: str, password: str, salt: str, padded: str) -> str:
        """Derive a key and keep it as ``name``; the answer is the key in base64."""
        assert self._derive
        try:
            key = self._derive(password, salt)
        except (TypeError, AttributeError):  # it takes bytes
            key = self._derive(password.encode(), base64.b64decode(padded))
        self._keys[name] = key
        return base64.b64encode(key.encode() if isinstance(key, str) else bytes(key)).decode()

    def key(self, name: str, key: str) -> None:
        """Keep a key that is given."""
        self._keys[name] = base64.b64decode(key)

    def encrypt(self, text: str, key: str) -> str:
        value = self._encrypt(text, self._keys[key])
        self._as_bytes = isinstance(value, bytes)
        return value.decode("latin-1") if isinstance(value, bytes) else value

    def decrypt(self, value: str, key: str) -> Any:
        """The text; None where the service answers nothing."""
        given = value.encode("latin-1") if self._as_bytes else value
        text = self._decrypt(given, self._keys[key])
        return text.decode() if isinstance(text, bytes) else text

    def forked(self, text: str, key: str, times: int) -> list[str]:
        """Encrypt in a child process, as each worker of a pre-forking server does."""
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                signal.alarm(CHILD_SECONDS)
                values = [self.encrypt(text, key) for _ in range(times)]
                with os.fdopen(writer, "w") as out:
                    json.dump(values, out)
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answer:
            said = answer.read()
        os.waitpid(child, 0)
        return json.loads(said)  # type: ignore[no-any-return]


def _function(module: Any, path: str | None) -> Any:
    """``encrypt`` or ``vault.encrypt`` of a module."""
    found = module
    for name in path.split(".") if path else []:
        found = getattr(found, name)
    return found if path else None


def _answer(code: Code, operation: list[Any]) -> dict[str, Any]:
    try:
        return {"said": getattr(code, operation[0])(*operation[1:])}
    except Exception as refused:
        return {"raised": type(refused).__name__, "message": str(refused)[:200]}


def main() -> None:
    # What the service prints must not get into the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs = os.fdopen(os.dup(0), encoding="utf-8")
    code = None
    for line in jobs:
        job = json.loads(line)
        if code is None:
            try:
                code = Code(job)
                reply: Any = {"python": sys.version.split()[0], "forks": hasattr(os, "fork")}
            except Exception as broke:
                reply = {"raised": type(broke).__name__, "message": str(broke)[:500]}
        else:
            reply = [_answer(code, operation) for operation in job]
        try:
            said = json.dumps(reply)
        except (TypeError, ValueError):
            said = json.dumps([_plain(one) for one in reply])
        answers.write(said + "\n")
        answers.flush()


def _plain(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer that is no JSON is named by its type."""
    try:
        json.dumps(answer)
    except (TypeError, ValueError):
        return {"other": type(answer["said"]).__name__}
    return answer


if __name__ == "__main__":
    main()
