"""The nonces of many ciphertexts, eight bytes each, to see which stand more than once.

A database of 10 GB may hold a hundred million of them, which are 800 MB; so what does not fit into
the memory that an audit may take waits on disk, divided by its last bits, and is compared part by
part.
"""

from __future__ import annotations

from array import array
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IN_MEMORY = 16_000_000  # 128 MB
FILES = 32


class Nonces:
    """Digests of nonces; ``len`` is how many there are."""

    def __init__(self) -> None:
        self._held = array("q")
        self._files: list[IO[bytes]] = []
        self._written = 0

    def __len__(self) -> int:
        return self._written + len(self._held)

    def add(self, digests: bytes) -> None:
        self._held.frombytes(digests)
        if len(self._held) >= IN_MEMORY:
            self._write()

    def held(self) -> bytes:
        """All of them, where they are few."""
        return self._held.tobytes()

    def repeated(self) -> set[int]:
        """The digests that stand more than once."""
        if not self._files:
            return _repeated(self._held)
        self._write()
        found: set[int] = set()
        for file in self._files:
            with file:
                file.seek(0)
                found |= _repeated(array("q", file.read()))
        return found

    def _write(self) -> None:
        import numpy as np

        if not self._files:
            self._files = [TemporaryFile() for _ in range(FILES)]  # noqa: SIM115  (``repeated``)
        digests = np.frombuffer(self._held, dtype=np.int64)
        for number, file in enumerate(self._files):
            file.write(digests[(digests & (FILES - 1)) == number].tobytes())
        self._written += len(digests)
        del digests
        self._held = array("q")


def _repeated(held: array[int]) -> set[int]:
    import numpy as np

    found = np.frombuffer(held, dtype=np.int64)
    found.sort()  # in place
    return set(found[1:][found[1:] == found[:-1]].tolist())


def digests(nonces: list[bytes]) -> NDArray[np.int64]:
    """Eight bytes for each of some nonces of one length, the same in every process, which hash() is
    not."""
    import numpy as np

    words = -(-len(nonces[0]) // 8) if nonces else 0
    padded = b"".join([nonce.ljust(8 * words, b"\0") for nonce in nonces])
    found = np.zeros(len(nonces), dtype=np.uint64)
    for column in np.frombuffer(padded, dtype="<u8").reshape(len(nonces), words).T:
        found = (found ^ column) * np.uint64(0x9E3779B97F4A7C15)  # wraps around
        found ^= found >> np.uint64(32)
    return found.view(np.int64)
