"""What observers signed of the ledger: the published checkpoints, read and checked again for whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from contracts.wire.checkpoint import Cosigned
from contracts.wire.ids import Hash
from ledger.published import BadPublication, Published


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest checkpoints, the highest first. ``unreadable``: files of the folder that are not what they say."""

    checkpoints: tuple[Cosigned, ...]
    unreadable: tuple[str, ...] = ()


@dataclass(slots=True)
class Observed:
    """The folder that a town publishes its checkpoints in. A file is checked once, and again when it changed."""

    folder: Path
    _known: dict[Path, tuple[tuple[int, int], Cosigned | None]] = field(default_factory=dict)

    def newest(self, count: int) -> Newest:
        """The highest ``count`` of those that are right."""
        read = {path: self._checked(path) for path in Published(self.folder).paths()}
        right = [found for found in read.values() if found is not None]
        right.sort(key=lambda found: (found.checkpoint.height, found.checkpoint.name), reverse=True)
        bad = sorted(path.name for path, found in read.items() if found is None)
        return Newest(tuple(right[:count]), tuple(bad))

    def one(self, name: Hash) -> Cosigned | None:
        """The checkpoint of this name; None where there is none, or its file is not what it says."""
        path = Published(self.folder).path_of(name)
        return self._checked(path) if path.is_file() else None

    def _checked(self, path: Path) -> Cosigned | None:
        about = path.stat()
        mark = (about.st_mtime_ns, about.st_ino)
        known = self._known.get(path)
        if known is None or known[0] != mark:
            try:
                known = mark, Published(self.folder).read(path)
            except BadPublication:
                known = mark, None
            self._known[path] = known
        return known[1]
