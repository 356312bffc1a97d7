"""A failure about wrong vectors ends in their likely cause, found by a few more calls."""

import pytest

from fixtures.cells import EncoderKey
from plugins.measures.vectors.cause import likely_cause
from plugins.measures.vectors.drift import Drift
from plugins.subjects import Subjects

WRONG_VECTORS = ("E2", "E3", "E5")


def hint(item: pytest.Item, name: str) -> list[str]:
    """Return one line for the message of a broken promise, or none."""
    values = getattr(item, "funcargs", {})
    drift, subjects, key = (values.get(argument) for argument in ("drift", "subjects", "encoder_key"))
    if name not in WRONG_VECTORS or not (
        isinstance(drift, Drift) and isinstance(subjects, Subjects) and isinstance(key, EncoderKey)
    ):
        return []
    try:
        found = likely_cause(subjects.encoder(key).formed, drift, values["tower"])
    except Exception:  # a probe that fails must not hide what it was to explain
        return []
    return [f"likely cause: {found}"] if found else []
