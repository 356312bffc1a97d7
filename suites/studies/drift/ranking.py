"""What drift costs: margins, certificates, changed answers and forecasts of every cell, as data."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fixtures.cells import Cell, EncoderKey
from fixtures.errors import BadInput, Unavailable
from fixtures.truth import REFERENCE
from plugins.cells.given_back import BuildFailed, CannotRun
from plugins.golden.verified import Golden
from plugins.measures.drift.answers.answers import KINDS, SIDES, Answers, GoldenAnswers, Vectors
from plugins.measures.drift.answers.certificate import Errors
from plugins.measures.drift.answers.forecast import Haystack, check, forecast
from plugins.measures.drift.answers.mixing import verdict
from plugins.subjects import Subjects
from suites.studies.drift.gallery import gallery

Step = Callable[[str], None]
PERCENTS = np.linspace(0, 100, 101)


def audit_ranking(subjects: Subjects, golden: Golden, cells: Iterable[tuple[str, str]], progress: Step) -> dict[str, Any]:
    """All figures for (backend, precision) cells on the CPU, text→image; those that cannot run are listed with the reason.

    The larger gallery is absent, with its reason, for a data set that none can be made of. Raises BadInput for one scene.
    """
    n, q, gold = len(subjects.dataset.scenes), len(subjects.dataset.queries), subjects.dataset.gold_images
    if n < 2:
        raise BadInput(f"the data set has {n} scene, expected two or more: nothing can be reordered in it")
    wanted = Vectors(golden.text[:q], golden.image[:n])
    itself = GoldenAnswers(wanted, gold)
    found: dict[str, Any] = {
        "queries": q,
        "items": n,
        "cells": [],
        "skipped": [],
        "margins": {str(k): np.percentile(itself.margins(k), PERCENTS).tolist() for k in (1, 10)},
    }
    haystack = None
    try:
        progress("a larger gallery")
        haystack = Haystack.of(itself, gallery(subjects))
        found["gallery"] = check(haystack, min(n, len(haystack.rows) // 4))
    except (Unavailable, ValueError) as reason:
        found["no_gallery"] = str(reason)
    for backend, precision in cells:
        progress(f"rankings of {backend} {precision}")
        cell = Cell(EncoderKey(subjects.model_id, backend, precision, "cpu"), REFERENCE)
        try:
            vectors = Vectors(subjects.text_embeddings(cell.encoder)[:q], subjects.image_embeddings(cell)[:n])
        except (CannotRun, BuildFailed) as reason:
            found["skipped"].append({"backend": backend, "precision": precision, "reason": str(reason)})
            continue
        row = {"backend": backend, "precision": precision}
        found["cells"].append({**row, **audit_answers(Answers(itself, vectors), haystack)})
    return found


def audit_answers(answers: Answers, haystack: Haystack | None) -> dict[str, Any]:
    """One cell: sizes of its errors, certified and changed answers in every mixture, forecasts and the mixing verdict."""
    error = answers.errors("both")
    found: dict[str, Any] = {
        "largest_angle": {"queries": float(error.queries.max()), "items": float(error.items.max())},
        "sides": {side: _side(answers, side) for side in SIDES},
    }
    if haystack is not None:
        found["forecast"] = {
            side: forecast(haystack, answers.differences(side), found["sides"][side]["reach"]) for side in ("queries", "both")
        }
        changed = haystack.changed(answers)
        found["larger"] = {"size": len(haystack.rows), "changed": int(changed.sum()), "n": len(changed)}
        curves = [found["forecast"][side]["curve"] for side in ("queries", "both")]
        found["mixing"] = verdict(answers, *curves)
    return found


def _side(answers: Answers, side: str) -> dict[str, Any]:
    own = answers.errors(side)
    differences = answers.differences(side)
    found: dict[str, Any] = {
        "difference": {"median": float(np.median(differences)), "largest": float(differences.max())},
        "reach": _reach(answers, own.largest),
    }
    for kind in KINDS:
        found[kind] = {
            "certified": float(answers.certified(kind, own.largest).mean()),
            "certified_own": float(answers.certified(kind, own).mean()),
            "changed": int(answers.changed(kind, side).sum()),
        }
    return found


def _reach(answers: Answers, errors: Errors) -> float:
    """The margin from which on the first answer of a usual query is certified: its first two items' usual distance counts."""
    first, second = answers.golden.first[:, :2].T
    chord = np.sqrt(max(0.0, 2 - 2 * np.median(answers.golden.index.between[first, second])))
    return float(chord * np.sin(errors.queries.max()) + 4 * np.sin(errors.items.max() / 2))
