"""Inputs that a canary makes of the data set's: pairs that a careless cache, hash or average takes for one."""

import numpy as np

from fixtures.capability import Array, Geometry
from fixtures.datasets.made import encoded
from fixtures.preprocessors._shared import to_8_bits
from plugins.subjects import Subjects

BLOCKS = 16  # a side
FEWEST = 8  # words of a text
TURNED = 8  # words: so many change a vector by more than int8 does


def mirrored(pixels: Array, geometry: Geometry) -> list[bytes]:
    """Return two PNG files of [3, R, R] normalised pixels, reduced to large blocks: one, and one with left and right exchanged.

    They have the same uppermost rows, mean and histogram, and are as large as the model's images: no resize changes them.
    """
    from PIL import Image

    picture = to_8_bits(pixels, geometry)
    size = len(picture)
    at = np.arange(size) * BLOCKS // size
    centres = (2 * np.arange(BLOCKS) + 1) * size // (2 * BLOCKS)
    small = picture[np.ix_(centres, centres)]
    small[0] = small.mean(axis=(0, 1))
    blocks = small[np.ix_(at, at)]
    return [encoded(Image.fromarray(np.ascontiguousarray(each)), "PNG", optimize=True) for each in (blocks, blocks[:, ::-1])]


def long(subjects: Subjects) -> list[str]:
    """Return three texts of many different words of the data set; none if there are too few words.

    The first two fit, and differ in the order of their last words: they have the same tokens and the same beginning. The
    third has other words, and is too long: the tokeniser cuts it. No word is repeated, so that many tokens are tried.
    """
    model, texts = subjects.model, subjects.dataset.texts
    words = list(dict.fromkeys(word.strip(",.") for text in texts[:: len(texts) // 256 or 1] for word in text.split()))
    words = [word for word in words if word.isascii() and word]
    frame = model.frame
    room, around = frame.room - 1, frame.length - frame.room  # a place less: a full row may have been cut
    lengths = (model.tokenize(words) != frame.pad).sum(axis=1) - around if words else np.zeros(0, int)
    fits = np.cumsum(np.sort(lengths)) <= room
    ordered = [words[i] for i in np.argsort(lengths, kind="stable")]
    chosen, others = ordered[: fits.sum()], ordered[fits.sum() :][:room]
    if len(chosen) < FEWEST or len(others) < FEWEST:
        return []
    turned = min(TURNED, len(chosen) // 2)
    pair = [" ".join(chosen), " ".join([*chosen[:-turned], *chosen[: -turned - 1 : -1]])]
    return [*pair, " ".join(others)] if (model.tokenize(pair)[:, -1] == frame.pad).all() else []
