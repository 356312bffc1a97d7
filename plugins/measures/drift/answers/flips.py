"""What drift may change where margins are small: drift beside margins, and a forecast for galleries of users' sizes."""

import numpy as np
from typing_extensions import TypedDict

from plugins.measures.drift.answers.answers import Answers, GoldenAnswers
from plugins.measures.drift.answers.forecast import QUANTILES, SIZES
from plugins.measures.drift.answers.tail import Tail, first_changes, fit
from plugins.measures.vectors.drift import Quantiles
from plugins.measures.vectors.metrics import Float64

SIDE = "queries"  # the index that people have, and this cell's queries


class MayFlip(TypedDict):
    """Of text→image with golden's index and the cell's queries.

    `of_half_margin`: the larger drift of a query's two best scores, divided by half of golden's margin between them; below 1
    the two keep their order. `share`: expected share of first answers that change, by the gallery's size (10^4, 10^6, 10^8).
    """

    of_half_margin: Quantiles
    share: dict[str, float]


def golden_tail(golden: GoldenAnswers) -> Tail | None:
    """The tail of golden's wrong scores; None if the data set has too few images for one."""
    try:
        return fit(golden.index.scores, ~golden.right)
    except ValueError:
        return None


def of_half_margin(answers: Answers) -> Float64:
    """Return [Q]: see MayFlip; infinite for a query whose two best scores are equal."""
    golden = answers.golden
    drift = np.abs(answers.moved(SIDE)[:, :2]).max(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(drift == 0, 0.0, 2 * drift / golden.margins(1)))


def may_flip(answers: Answers, tail: Tail) -> MayFlip:
    """Return the figures of a cell whose vectors are finite."""
    median, p99, largest = np.percentile(of_half_margin(answers), (50, 99, 100)).tolist()
    errors = np.quantile(answers.differences(SIDE), QUANTILES)
    return {
        "of_half_margin": {"median": median, "p99": p99, "max": largest},
        "share": {f"{size:.0e}".replace("+0", ""): first_changes(tail, answers.golden.best, errors, size) for size in SIZES},
    }
