"""Fresh inputs of many seeds on every encoder that runs here: none may raise an alarm."""

from collections.abc import Callable, Sequence
from typing import Any

from fixtures.capability import TOWERS
from fixtures.cells import EncoderKey
from plugins.cells.beside import alone, compared
from plugins.cells.fresh import drawn
from plugins.cells.given_back import CannotRun
from plugins.golden.verified import load_golden
from plugins.subjects import Subjects


def figures(encoders: Sequence[tuple[str, str]], seeds: Sequence[int], told: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """A row an encoder and tower: the seeds that raise an alarm, and the largest distance as a share of its limit."""
    subjects = Subjects()
    golden, rows = load_golden(subjects), []
    for backend, precision in encoders:
        key = EncoderKey(subjects.model_id, backend, precision, "cpu")
        try:
            encoder = subjects.encoder(key).encoder
        except CannotRun:  # a precision that this processor lacks
            continue
        for tower in TOWERS:
            shares = {}
            for seed in seeds:
                inputs = drawn(subjects, tower, seed)
                found = alone(encoder, inputs, golden.image.shape[1])
                shares[seed] = float(compared(subjects, golden, key, inputs, found, "new input").shares.max())
            alarms = [seed for seed, share in shares.items() if share > 1]
            rows.append(told({"encoder": str(key), "tower": tower, "alarms": alarms, "largest": max(shares.values())}))
    subjects.end()
    return rows
