"""The page golden/evidence/serving.md."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from plugins.report.layout import code, table
from suites.studies.serving.claims import CLAIMS, NOTE, by_how_much
from suites.studies.serving.cold import PARTS
from suites.studies.serving.page_tables import (
    FIRST,
    LOAD,
    STAGES,
    equal_rows,
    first_rows,
    load_rows,
    stage_rows,
    steady_rows,
)

Found = Mapping[str, Any]
INDEXING = """\
Milliseconds a document of `add_documents`: a client batch is read, embedded and put into a flat index in memory, one step
after the other. Images are read from files, or downloaded one by one from a Python image server on this machine, as in the
reference documents. Figures are medians of the last 5 batches; the columns are client batch sizes (the documents' CBS)."""
FIRST_BATCHES = """\
The first batch, divided by the steady ones, and after how many batches none took over 1.5 times as long as these. The last two
columns are the same of the encoder's very first requests, of one document each, in this process. The documents say of
onnx/ViT-L/14: "The indexing time starts from 150m/per doc and converges to 64ms/per doc after 40 batches". Here the slowest of
{cases} cases took {most} batches."""
PARTS_OF_A_DOCUMENT = "Where the milliseconds of a document go. A service does everything in its request."
EQUAL = """\
Every vector that came out of the index, beside that of a request of its own: cosine distance, as a share of the precision's
tolerance. `same bits` counts vectors that are equal bit for bit."""
CLAIMS_INTRO = """\
From "{note}", judged on {model} on {device} (`torch-eager`). Both sides of a ratio are measured in alternation; brackets hold
95 % of the median of the pairs (sign test). A claim is true if all of the interval lies where the claim puts it, false if none
does, and not clear otherwise or with fewer than 6 pairs, of which brackets hold the least and the greatest. The note is about a
GPU."""
COLD = "Where the seconds of a new process for one image go ({model}, median of {count}):"
MANY_CLIENTS = """\
Requests of one document arrive at random (Poisson) at a given rate, whether or not earlier ones are answered, and each is sent
by the first of so many clients that is free. Latency counts from the scheduled arrival, so a server that stalls is charged for
all who wait. For each number of clients the rate rises until less than 90 % of what arrives is answered: that is saturation. A
row has the highest rate before it, and what was answered per second at saturation. Goodput counts answers that come within
{on_time:g} ms and are within the tolerance of golden's vector. Clients of a cell are threads of this process."""
PROBABILITIES = """\
{logits} times the cosine of one image and {count} captions, as the Chinese-CLIP deployment
guide prints it. "Allowed" is derived: the tolerance says how far image and caption may turn, each cosine follows, and a
probability is farthest off where its own logit has risen and all others have fallen. "Used" is the largest part of that."""


FAR = ("largest difference", "allowed", "used", "")


def markdown(found: Found, plot: str = "") -> str:
    """All parts that were measured; `plot` is the picture's file name."""
    parts = ["# Indexing and serving", _head(found)]
    if found.get("indexing"):
        parts += ["## Indexing", *_indexing(found["indexing"])]
    if found.get("claims"):
        parts += ["## What the serving note claims", *_claims(found["claims"])]
    if found.get("load"):
        parts += [
            "## Many clients",
            MANY_CLIENTS.format(on_time=found["on_time_ms"]),
            *([f"![Latency and goodput]({plot})"] if plot else []),
        ]
        parts.append(table(("", "", *LOAD), load_rows(found["load"])).rstrip())
    if found.get("probabilities"):
        parts += ["## Similarity probabilities", *_probabilities(found["probabilities"])]
    if found["left_out"]:
        rows = ((code(one["subject"]), one["section"], one["reason"]) for one in found["left_out"])
        parts += ["## Left out", table(("", "part", "why"), rows).rstrip()]
    return "\n\n".join(parts) + "\n"


def _head(found: Found) -> str:
    here, name = found["environment"], found["model"]["name"]
    quick = " A quick look: fewer and shorter measurements than `make serving` makes." if found["quick"] else ""
    return (
        f"`{found['command']}`, {found['date'][:10]}, commit {found['commit']}, {here['cpu']}, {here['cores']} cores, "
        f"model {name}, {found['seconds']:.0f} s, in which other programs kept {found['others_cores']:.1f} cores busy.{quick}"
    )


def _indexing(listed: Sequence[Found]) -> Iterator[str]:
    rows = [row for one in listed for row in one["rows"]]
    sizes = [str(size) for size in sorted({row["batch"] for row in rows})]
    yield INDEXING
    yield table(("", "", "from", *sizes), steady_rows(rows)).rstrip()
    yield FIRST_BATCHES.format(cases=len(rows), most=max(row["batches_to_steady"] for row in rows))
    yield table(("", "", "from", *sizes, *FIRST), first_rows(listed)).rstrip()
    yield PARTS_OF_A_DOCUMENT
    yield table(("", "", "from", "batch", *STAGES, "all"), stage_rows(rows)).rstrip()
    yield EQUAL
    yield table(("", "", "vectors", "same bits", "worst share", ""), equal_rows(rows)).rstrip()


def _claims(found: Found) -> Iterator[str]:
    yield CLAIMS_INTRO.format(note=NOTE, model=found["model"], device=found["device"])
    heads = ("claim", "where", "measured", "", "[95 %]", "pairs", "verdict", "by how much")
    yield table(heads, claim_rows(found["rows"])).rstrip()
    starts = [one["start"] for one in found["starts"]]
    if starts:
        yield COLD.format(model=found["model"], count=len(starts))
        middle = {part: median(one[part] for one in starts) for part in (*PARTS, "total")}
        what = {**PARTS, "total": "all of it"}
        lines = ((what[part], f"{s:.2f}", f"{s / middle['total']:.0%}") for part, s in middle.items())
        yield table(("", "seconds", "share"), lines).rstrip()


def claim_rows(rows: Sequence[Any]) -> Iterator[tuple[str, ...]]:
    """A line a claim."""
    for row in rows:
        claim = CLAIMS[row["claim"]]
        said = (f'"{claim.quote}"', claim.source, claim.measured)
        if "value" not in row:
            yield *said, "", "", "", "not measured", row["left_out"]
            continue
        unit = {"times": "×", "million": " million"}.get(claim.unit, f" {claim.unit}")
        interval = f"[{row['low']:.3g}, {row['high']:.3g}]" if row["n"] else ""
        yield *said, f"{row['value']:.4g}{unit}", interval, str(row["n"] or ""), f"**{row['verdict']}**", by_how_much(row)


def _logits(found: Found) -> str:
    """What becomes of a cosine; a file of an earlier version has no bias."""
    if found.get("bias") is None:
        return f"Softmax of exp(logit_scale) = {found['scale']:.1f}"
    return f"Sigmoid of logit_bias = {found['bias']:.1f} plus exp(logit_scale) = {found['scale']:.1f}"


def _probabilities(found: Found) -> Iterator[str]:
    questions, rows = found["questions"], found["rows"]
    yield PROBABILITIES.format(logits=_logits(found), count=len(questions[0]["captions"]))
    yield table(("", *FAR), probability_rows(rows)).rstrip()
    for number, question in enumerate(questions):
        told = zip(question["captions"], question["golden"], *(row["probabilities"][number] for row in rows), strict=True)
        cells = (code(question["image"]), "golden", *(code(row["subject"]) for row in rows))
        yield table(cells, ((caption, *(f"{p:.4e}" for p in listed)) for caption, *listed in told)).rstrip()


def probability_rows(rows: Sequence[Any]) -> Iterator[tuple[str, ...]]:
    """A line a subject."""
    for row in rows:
        yield code(row["subject"]), f"{row['largest']:.2g}", f"{row['allowed']:.2g}", f"{row['share']:.0%}", standing(row)


def standing(row: Any) -> str:
    """Of what is compared: right, broken, or broken as declared."""
    return "right" if not row["broken"] else "differs, as declared" if row["declared"] else "**broken**"
