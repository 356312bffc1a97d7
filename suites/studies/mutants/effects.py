"""What a fault does to the rows that it hits: arrays in, arrays out, never in place."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from suites.studies.mutants.grammar import Draw

Rows = NDArray[np.bool_]


def changed(values: Any, hit: Rows, draw: Draw, before: Any = None) -> Any:
    """`values` [N, ...] with the rows that are hit changed; `before` is the result of the call before, for what is stale.

    The choice of columns depends on the draw alone, so a fault does the same in every call; only noise varies.
    """
    if not hit.any():
        return values
    found, rng = values.copy(), draw.generator()
    flat = found.reshape(len(found), -1)
    width = flat.shape[1]
    columns = rng.choice(width, max(1, round(draw.strength * width)), replace=False)
    rows = np.flatnonzero(hit)
    match draw.what:
        case "zero":
            flat[np.ix_(rows, columns)] = 0
        case "swap":
            flat[np.ix_(rows, columns)] = flat[np.ix_(rows, np.roll(columns, 1) if len(columns) > 1 else (columns + 1) % width)]
        case "scale":
            flat[rows] *= 1 + draw.strength
        case "rotate":
            lengths = np.linalg.norm(flat[rows], axis=1, keepdims=True)
            aside = rng.standard_normal(width)
            flat[rows] += (draw.strength * lengths * (aside / np.linalg.norm(aside))).astype(flat.dtype)
        case "round" | "8 bits" | "fp16" | "bf16":
            flat[rows] = rounded(flat[rows], draw)
        case "noise":
            size = draw.strength * np.abs(flat[rows]).mean()
            flat[rows] += (size * np.random.default_rng().standard_normal((len(rows), width))).astype(flat.dtype)
        case "neighbour":
            flat[np.ix_(rows, columns)] = flat[np.ix_((rows + 1) % len(flat), columns)]
        case "mean":
            flat[rows] += (draw.strength * (flat.mean(axis=0) - flat[rows])).astype(flat.dtype)
        case "truncated":
            flat[rows, width - len(columns) :] = 0
        case "shifted":
            flat[rows] = np.roll(found, 1, axis=-1).reshape(len(found), -1)[rows]
        case "stale" if before is not None:
            taken = before[np.arange(len(rows)) % len(before)].reshape(len(rows), -1)
            flat[np.ix_(rows, columns)] = taken[:, columns]
    return found


def rounded(values: Any, draw: Draw) -> Any:
    """To fp16, to bf16, to 8 bits of the largest, or to steps of `strength` of the largest."""
    if draw.what == "fp16":
        return values.astype(np.float16).astype(values.dtype)
    if draw.what == "bf16":
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
        return ((bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)).view(np.float32)
    step = np.abs(values).max() * (1 / 127 if draw.what == "8 bits" else draw.strength)
    return (np.round(values / step) * step).astype(values.dtype) if step else values


def tokens_changed(tokens: Any, hit: Rows, draw: Draw) -> Any:
    """int64 [N, L] with the tokens between start and end changed, as a wrong tokeniser or a wrong copy changes them."""
    if not hit.any():
        return tokens
    found, rng = tokens.copy(), draw.generator()
    for row in np.flatnonzero(hit):
        end = int(tokens[row].argmax())
        place = 1 + int(rng.integers(0, 76)) % max(1, end - 1)
        match draw.what:
            case "zero":
                found[row, end + 1 :] = tokens[row, end] if rng.random() < 0.5 else 1
                found[row, min(place, end - 1)] = 0 if end > 1 else found[row, 0]
            case "swap":
                if end > 2:  # two words at least
                    place = min(place, end - 2)
                    found[row, [place, place + 1]] = tokens[row, [place + 1, place]]
            case "neighbour":
                found[row] = tokens[(row + 1) % len(tokens)]
            case "truncated":
                if place < end:
                    found[row, place:] = 0
                    found[row, place] = tokens[row, end]
    return found
