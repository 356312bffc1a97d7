"""The header of every study's evidence, and how evidence is written: figures as JSON, and a page with the same name."""

import json
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from fixtures.storage.atomic import write_text
from plugins.run import environment


class Stamp(TypedDict):
    """The code that measured, when, and on what."""

    commit: str
    date: str  # ISO 8601, UTC
    environment: environment.Fingerprint


def stamp() -> Stamp:
    """The stamp of this checkout and this machine, now."""
    return {"commit": environment.commit(), "date": environment.now(), "environment": environment.fingerprint()}


def write(target: Path, found: dict[str, Any], page: str) -> None:
    """Write NAME.json and NAME.md, each atomically."""
    write_text(target, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    write_text(target.with_suffix(".md"), page)
