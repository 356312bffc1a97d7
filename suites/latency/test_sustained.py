"""What sustained load promises: many calls, calls after a pause, and new shapes cost no more than they cost the reference.

Only in runs that compare or store latency. Nothing here needs a stored run, and no absolute time is judged. What a first start
shows has to show again in a second one, with the same inputs: a burst of other load is no alarm.
"""

import numpy as np
import pytest

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.cells.promises import Judge
from plugins.latency.gate import Gate
from plugins.latency.sustained import Shapes
from plugins.latency.timings import Timings
from plugins.measures.latency.pauses import MOST, PAUSES, SUSPECT, TIMES, chance_of, enough, figures, paused, undisturbed
from plugins.measures.latency.shapes import costly
from plugins.measures.latency.shapes import figures as figures_of_shapes
from plugins.measures.latency.sustained import Series, series
from plugins.report.rows import Record
from plugins.subjects import Subjects

pytestmark = pytest.mark.alone

BUDGETS = 4  # times --latency-budget, for many calls


def test_many_calls(
    subjects: Subjects,
    timings: Timings,
    encoder_key: EncoderKey,
    tower: Tower,
    gate: Gate,
    chance: float,
    judge: Judge,
    record: Record,
    pytestconfig: pytest.Config,
) -> None:
    """L6 after many calls a call takes as long as at first: no step up, beside the reference, in two thousand calls."""
    timing = timings.of(subjects, encoder_key, tower)
    allowed, rng = gate.limits.of(str(encoder_key)), np.random.default_rng()

    def measured() -> Series:
        with timing.begin(False) as (ours, other):
            return series(ours, other, BUDGETS * pytestconfig.getoption("--latency-budget"), rng)

    found = measured()
    first = found.step(allowed, chance)
    again = measured().again(first, allowed, chance) if first else None
    record(f"latency_sustained.{tower}", found.figures(allowed, chance, first if again else None))
    if first and again:
        judge(
            False,
            f"after {first.after_calls} timed calls, which follow a warm-up, a call takes {first.times:.2f} times as long as "
            f"before, beside {timing.opponent} ({1 + allowed:g} is allowed), and {again.times:.2f} times in another process; "
            f"{found.calls} calls in {found.seconds:.1f} s",
        )


def test_after_a_pause(
    subjects: Subjects,
    timings: Timings,
    encoder_key: EncoderKey,
    tower: Tower,
    chance: float,
    judge: Judge,
    record: Record,
) -> None:
    """L7 after a pause a call takes as long as without one, or costs the reference as much: after 50 ms and after 1 s."""
    timing = timings.of(subjects, encoder_key, tower)
    rng, each = np.random.default_rng(), chance / len(PAUSES)
    with timing.begin(True) as sides:
        found = {seconds: paused(sides, seconds, n, n, rng) for seconds, n in PAUSES.items()}
    suspects = [seconds for seconds, pauses in found.items() if chance_of(undisturbed(pauses)) < SUSPECT]
    if suspects:
        n = enough(each)
        with timing.begin(True) as sides:
            found |= {seconds: paused(sides, seconds, n, MOST * n, rng) for seconds in suspects}
    counted = {seconds: undisturbed(pauses) for seconds, pauses in found.items()}
    shown = {f"{seconds:g} s": figures(pauses) for seconds, pauses in counted.items()}
    record(f"latency_after_pause.{tower}", shown)
    slow = [f"{seconds:g} s" for seconds in suspects if chance_of(counted[seconds]) < each]
    what = "; ".join(
        f"after a pause of {name} a call takes {shown[name]['ours']:.2f} times the usual time, beside "
        f"{shown[name]['reference']:.2f} times with {timing.opponent}: more than {TIMES:g} times that in "
        f"{shown[name]['over']} of {shown[name]['pauses']} pauses"
        for name in slow
    )
    judge(not slow, what)


def test_new_shapes(
    subjects: Subjects, timings: Timings, encoder_key: EncoderKey, tower: Tower, shapes: Shapes, judge: Judge, record: Record
) -> None:
    """L8 a new shape costs no more than with the reference: its first call beside later ones, of other rows or length."""
    timing = timings.of(subjects, encoder_key, tower)
    with timing.begin(True):
        found = shapes.first_calls(timing.sides)
    if found:  # a backend of single images has no other shape
        record(f"latency_new_shapes.{tower}", figures_of_shapes(found))
    slow = costly(found)
    if slow:
        with timing.begin(True):
            again = costly(shapes.first_calls(timing.sides))
        slow = [name for name in slow if name in again]
    what = "; ".join(
        f"the first call of {name} takes {found[name][0].times:.3g} times as long as a later one "
        f"({1e3 * found[name][0].first_s:.3g} and {1e3 * found[name][0].later_s:.3g} ms), beside {found[name][1].times:.2f} "
        f"times with {timing.opponent}, and too long again in another process"
        for name in slow
    )
    judge(not slow, what, new_shapes=len(slow))
