"""The few inputs that a canary asks for: of every kind, brightness and length, and small as files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fixtures.registry import preprocessors
from plugins.cells.traits import TRAIT_PROMISES
from plugins.subjects import Subjects

EACH = 8  # images, and as many texts
FEWEST = 2  # images, however large
LARGEST = 12_000  # bytes of a file
SAID = 200  # characters of a text


def images(subjects: Subjects, preprocessor: str, n: int, room: int, brightness: Callable[[int], float]) -> list[int]:
    """At most `n` rows of Dataset.images: the smallest file of each trait that the preprocessor keeps, then scenes that are far
    apart in brightness; as many as have `room` bytes, but FEWEST at least."""
    dataset, declared = subjects.dataset, preprocessors()[preprocessor].failures(subjects.model.geometry.squash)
    size = [Path(dataset.path(name)).stat().st_size for name in dataset.images]
    usable = [row for row in np.argsort(size).tolist() if size[row] <= LARGEST or row == int(np.argmin(size))]
    kept = [trait for trait, promise in TRAIT_PROMISES.items() if trait != "opaque" and promise not in declared]
    traits = {row: subjects.trait(dataset.images[row]) for row in usable}
    smallest = {trait: row for row, trait in reversed(traits.items()) if trait in kept}
    chosen = [smallest[trait] for trait in kept if trait in smallest][: n // 2]
    chosen = apart({row: brightness(row) for row in usable if row in chosen or traits[row] == "opaque"}, chosen, n)
    while len(chosen) > FEWEST and sum(size[row] for row in chosen) > room:
        chosen.pop()
    return chosen


def texts(subjects: Subjects, n: int, longest_too: bool) -> list[int]:
    """At most `n` rows of Dataset.texts: the longest in tokens if asked for, two of other scripts, capitals, then the shortest,
    each of another length."""
    words, lengths = subjects.dataset.texts, (subjects.tokens != subjects.model.frame.pad).sum(axis=1).tolist()
    usable = sorted((row for row, text in enumerate(words) if 0 < len(text) <= SAID), key=lambda row: lengths[row])
    longest = max(usable, key=lambda row: (lengths[row], -len(words[row])))
    foreign = [row for row in sorted(usable) if not words[row].isascii() and row != longest][-2:]
    capitals = [row for row in usable if words[row].isupper() and words[row].isascii()][:1]
    chosen = list(dict.fromkeys([*([longest] if longest_too else []), *foreign, *capitals]))[:n]
    for row in usable:
        if len(chosen) < n and lengths[row] not in {lengths[each] for each in chosen}:
            chosen.append(row)
    return chosen + [row for row in usable if row not in chosen][: n - len(chosen)]


def apart(values: dict[int, float], chosen: Sequence[int], n: int) -> list[int]:
    """Add to the chosen keys, one by one, the other one whose value is farthest from those of all so far; n, if there are."""
    found = list(chosen)
    others = [key for key in values if key not in found]
    while others and len(found) < n:
        far = {key: min((abs(values[key] - values[each]) for each in found), default=0.0) for key in others}
        found.append(max(others, key=far.__getitem__))
        others.remove(found[-1])
    return found
