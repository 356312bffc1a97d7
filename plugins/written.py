"""Files appear whole or not at all: written beside their place, then renamed."""

import os
import tempfile
from pathlib import Path


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 by a temporary file and a rename; folders are made as needed."""
    write_bytes(target, text.encode())


def write_bytes(target: Path, content: bytes) -> None:
    """The same with bytes."""
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
