"""Files appear whole or not at all: written beside their place, then renamed."""

import os
import tempfile
from pathlib import Path

from fixtures.full_disk import writing


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 by a temporary file and a rename; folders are made as needed. Raises BadInput when the disk is full."""
    write_bytes(target, text.encode())


def write_bytes(target: Path, content: bytes) -> None:
    """The same with bytes; what is no ordinary file (/dev/stdout) is written to as it is."""
    with writing(target.name, target.parent):
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except BaseException:  # a full disk, a signal: nothing half-written stays
            Path(name).unlink(missing_ok=True)
            raise
