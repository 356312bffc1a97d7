"""What a client of a service promises when its server is down or slow."""

from collections.abc import Sequence

from fixtures.cells import EncoderKey
from plugins.cells.compared import compare_calls
from plugins.cells.promises import Judge
from plugins.serving import outages
from plugins.serving.answers import Answers
from plugins.serving.outages import Reply

CLEAR = 400  # characters of an error that is one sentence


def _right(judge: Judge, what: str, replies: Sequence[Reply], answers: Answers) -> None:
    """Each reply's vectors beside the service's own of the same documents."""
    tower = outages.tower_of(answers)
    drift = answers.drift(tower)
    for reply in replies:
        judge(reply.found is not None, f"{what} was refused: {reply.error!r}")
        assert reply.found is not None
        own = drift.found[list(reply.rows)]
        for comparison in compare_calls(f"{what} to its own vector", reply.found, own, drift, reply.rows):
            judge(comparison)


def test_restart(service_key: EncoderKey, answers: Answers, judge: Judge) -> None:
    """S10 while its server is down, each request gets one clear error; while it goes and when it is back, right vectors."""
    found = outages.restarted(answers)
    for reply in found.down:
        judge(not reply.late, "a request to a server that is down did not end")
        judge(reply.error is not None, f"a request of {len(reply.rows)} to a server that is down was answered with vectors")
        said = str(reply.error).strip()
        judge(said and "\n" not in said and len(said) <= CLEAR, f"the error of a server that is down is no sentence: {said!r}")
    _right(judge, "a request when the server was back", found.after, answers)
    judge(not any(reply.late for reply in found.beside), "a request that was sent beside the restart did not end")
    _right(judge, "a request beside the restart", [reply for reply in found.beside if reply.found is not None], answers)


def test_slow(service_key: EncoderKey, answers: Answers, judge: Judge) -> None:
    """S11 a request that takes longer than its limit ends as a time-out, in bounded time; later ones get their own vectors."""
    found = outages.too_slow(answers)
    limit = f"with a limit of {found.limit_s:.2g} s, where such a request takes {found.usual_s:.2g} s,"
    for reply in found.limited:
        judge(not reply.late, f"a request {limit} did not end within {outages.PATIENCE} times its usual time")
        if reply.found is not None:
            judge(reply.took_s < outages.ANSWERED * found.limit_s, f"a request {limit} was answered after {reply.took_s:.2g} s")
        elif not outages.timed_out(reply.error):
            judge(False, f"a request {limit} ended with {reply.error!r}, expected TimeoutError")
    _right(judge, "a request after a time-out", found.after, answers)
