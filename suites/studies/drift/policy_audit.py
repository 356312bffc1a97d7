"""The audit's answer to "what to do": a policy for each low-precision cell, and for each planted defect."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures.capability import Backend, Tower
from fixtures.registry import backends
from fixtures.spaced import spaced
from plugins.golden.verified import Golden, names_of
from plugins.measures.drift.policies.policy import Say, find_policy, write_policy
from plugins.measures.drift.policies.trial import Target
from plugins.measures.vectors.metrics import METRICS
from plugins.subjects import Subjects
from suites.studies.drift.policy_planted import DEFECTS, faulty
from suites.studies.drift.sampling import Budget

CELLS = (("torch-eager", "fp16"), ("torch-eager", "bf16"), ("torch-dynamic-int8", "int8"))
SECONDS = 0.4  # to time one set: there are some sixty
PART = 0.5  # of a cell's own drift: the tighter budget that it is searched for where it keeps golden's


def budgets(subjects: Subjects, golden: Golden, precision: str, cosine: float | None = None) -> dict[Tower, Target]:
    """Golden's pixels and texts with the precision's tolerance, and the cosine distance `cosine` if one is given."""
    texts = names_of(subjects, "text")
    rows = spaced(len(texts), Budget(subjects.model).policy_texts or len(texts))
    images = golden.image[subjects.dataset.rows(golden.pixel_names)]
    names: dict[Tower, list[str]] = {"image": list(golden.pixel_names), "text": [texts[row] for row in rows]}
    limits = {tower: {m: golden.limits(precision, tower, m, own) for m in METRICS} for tower, own in names.items()}
    return {
        "image": Target(golden.pixels, images, names["image"], limits["image"]).within(cosine),
        "text": Target(subjects.tokens[rows], golden.text[rows], names["text"], limits["text"]).within(cosine),
    }


def audit_policy(
    subjects: Subjects,
    golden: Golden,
    folder: Path,
    say: Say,
    cells: Sequence[tuple[str, str]] = CELLS,
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Policies of `cells` (backend, precision) on the CPU, written to `folder`, and all that was measured, JSON-able.

    A cell that is within golden's tolerance needs no policy; it is searched for half its own drift instead, unless the model
    is large. torch eager with each planted defect, where the model has its operation, is searched for golden's tolerance.
    """
    started, searches = time.monotonic(), []
    for name, precision in cells:
        backend, targets = backends()[name], budgets(subjects, golden, precision)
        found = _search(
            backend, f"{name} {precision}", subjects, precision, targets, "golden's tolerance", folder, say, seconds
        )
        searches.append(found)
        if found["within"] and Budget(subjects.model).tighter:
            rows = found["towers"]
            tighter = {tower: target.within(PART * rows[tower]["low"]["drift"]) for tower, target in targets.items()}
            title = f"{name} {precision}"
            searches.append(_search(backend, title, subjects, precision, tighter, "half its own drift", folder, say, seconds))
    targets = budgets(subjects, golden, "fp16")
    for defect, (what, operation, _) in DEFECTS.items():
        if any(name.startswith(f"{operation}.") for name in subjects.model.state):
            backend = faulty([defect])
            found = _search(backend, what, subjects, "fp16", targets, "golden's tolerance", folder, say, seconds)
            searches.append(found | {"planted": operation})
    return {"model": subjects.model.id, "searches": searches, "seconds": time.monotonic() - started}


def _search(
    backend: Backend,
    title: str,
    subjects: Subjects,
    base: str,
    targets: dict[Tower, Target],
    budget: str,
    folder: Path,
    say: Say,
    seconds: float,
) -> dict[str, Any]:
    """One search; its policy's file is named for the title."""
    name = "-".join("".join(c if c.isalnum() else " " for c in title).split())
    policy, found = find_policy(
        backend,
        subjects.model,
        base,
        "cpu",
        targets,
        name,
        lambda text: say(f"policy for {title}: {text}"),
        seconds,
        tried=Budget(subjects.model).tried,
    )
    written = {"file": write_policy(policy, folder / f"{name}.toml").name} if policy else {}
    return {"title": title, "budget": budget, **found, **written}
