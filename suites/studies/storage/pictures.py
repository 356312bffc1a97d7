"""Whether the drawn gallery is like one of pictures: what storage loses in both, with golden's vectors and queries."""

import numpy as np

from fixtures.errors import Unavailable
from plugins.measures.storage.form import Form
from plugins.measures.storage.gallery import draw, unit
from plugins.measures.storage.intervals import mean
from plugins.measures.storage.registry import forms
from plugins.measures.storage.search import Part, best, overlap, search
from plugins.measures.vectors.metrics import Float64
from plugins.subjects import Subjects
from suites.studies.drift.gallery import PICTURES, gallery
from suites.studies.storage.apart import Figures, K
from suites.studies.storage.subjects import GOLDEN, SEED, Searched, Vectors


def beside_pictures(subjects: Subjects, searched: Searched) -> Figures:
    """Recall of each form among pictures that the reference embeds (suites/studies/drift/gallery.py), and among drawn items.

    The scenes themselves are in neither. Without pictures, the reason why none can be made.
    """
    golden = searched.vectors[GOLDEN]
    try:
        pictures = gallery(subjects, PICTURES).vectors
    except Unavailable as reason:
        return {"left_out": str(reason)}
    scenes = len(golden.scenes)
    galleries = {"pictures": unit(pictures), "drawn": unit(draw(golden.scenes, scenes + len(pictures), SEED).items[scenes:])}
    rows = [
        {"form": name, **{kind: mean(_recall(form, items.astype(np.float64), golden)) for kind, items in galleries.items()}}
        for name, form in forms().items()
    ]
    return {"items": len(pictures), "rows": rows}


def _recall(form: Form, items: Float64, golden: Vectors) -> Float64:
    given = unit(items)
    fitted = form.fit(given)
    part = Part.of(fitted, fitted.encode(given), np.arange(len(given)))
    found = search(fitted, part, unit(golden.queries), K)
    return overlap(found.items, best(golden.queries @ items.T, K).items)
