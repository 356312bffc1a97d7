"""The few inputs that a canary asks for: those that differ most, of every kind that the data set has, and small as files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fixtures.capability import Array
from fixtures.registry import preprocessors
from plugins.cells.traits import TRAIT_PROMISES
from plugins.measures.vectors.metrics import normalised
from plugins.subjects import Subjects

EACH = 8  # images, and as many texts
FEWEST = 2  # images, however large
LARGEST = 12_000  # bytes of a file
SAID = 200  # characters of a text


def images(subjects: Subjects, preprocessor: str, vectors: Array, room: int) -> list[int]:
    """Rows of Dataset.images: the smallest file of each trait that the preprocessor keeps, then scenes far apart; as many as
    have `room` bytes, but FEWEST at least."""
    dataset, declared = subjects.dataset, preprocessors()[preprocessor].failures(subjects.model.geometry.squash)
    size = [Path(dataset.path(name)).stat().st_size for name in dataset.images]
    usable = [row for row in np.argsort(size).tolist() if size[row] <= LARGEST or row == int(np.argmin(size))]
    kept = {trait for trait, promise in TRAIT_PROMISES.items() if trait != "opaque" and promise not in declared}
    traits = {row: subjects.trait(dataset.images[row]) for row in usable}
    smallest = {trait: row for row, trait in reversed(traits.items()) if trait in kept}
    chosen = far_apart(vectors, list(smallest.values())[: EACH // 2], [row for row in usable if traits[row] == "opaque"])
    while len(chosen) > FEWEST and sum(size[row] for row in chosen) > room:
        chosen.pop()
    return chosen


def texts(subjects: Subjects, vectors: Array) -> list[int]:
    """Rows of Dataset.texts: the longest in tokens, which may be cut, two of other scripts, capitals, then captions of other
    lengths, far apart."""
    words, lengths = subjects.dataset.texts, (subjects.tokens != 0).sum(axis=1).tolist()
    usable = [row for row, text in enumerate(words) if 0 < len(text) <= SAID]
    longest = max(usable, key=lambda row: (lengths[row], -len(words[row])))
    foreign = [row for row in usable if not words[row].isascii()][-2:]
    capitals = [row for row in usable if words[row].isupper()][:1]
    chosen = list(dict.fromkeys([longest, *foreign, *capitals]))[: EACH // 2]
    while len(chosen) < EACH:
        new = [row for row in usable if lengths[row] not in {lengths[each] for each in chosen}]
        more = far_apart(vectors, chosen, new or [row for row in usable if row not in chosen], len(chosen) + 1)
        if more == chosen:
            break
        chosen = more
    return chosen


def far_apart(vectors: Array, chosen: Sequence[int], others: Sequence[int], n: int = EACH) -> list[int]:
    """Add to the chosen rows, one by one, the other row that is farthest from all so far; n rows, if there are so many."""
    units, found = normalised(vectors), list(chosen)
    others = [row for row in others if row not in found]
    while others and len(found) < n:
        nearest = (units[others] @ units[found].T).max(axis=1) if found else np.zeros(len(others))
        found.append(others.pop(int(nearest.argmin())))
    return found
