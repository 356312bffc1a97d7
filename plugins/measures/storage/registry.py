"""Finds the forms of storage: every Form in the files of this folder."""

from functools import cache

from fixtures.registry import found_in
from plugins.measures.storage.form import Form

USUAL = 512  # numbers of a vector, by whose bytes forms are ordered


@cache
def forms() -> dict[str, Form]:
    """Return all forms by name, the largest first."""
    known = found_in("plugins.measures.storage", Form)  # type: ignore[type-abstract]
    return dict(sorted(known.items(), key=lambda item: -item[1].bytes_of(USUAL)))
