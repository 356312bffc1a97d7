"""What latency figures promise: they are of one input, synchronised, in the steady state. No absolute time is judged."""

import numpy as np
import pytest

from fixtures.capability import Preprocessor, Tower
from fixtures.cells import Cell, EncoderKey
from fixtures.spaced import spaced
from plugins.cells.form import formed
from plugins.cells.new_inputs import new_inputs
from plugins.cells.promises import Judge
from plugins.cells.timed_vectors import COSINE, timed_vectors
from plugins.golden.verified import Golden
from plugins.latency.adapter import Stopwatch
from plugins.measures.latency.device_time import device_only
from plugins.measures.latency.repeats import repeats
from plugins.measures.latency.steady import (
    DOCUMENT_ROUNDS,
    WARM_UPS,
    Stages,
    decode_and_transform,
    measure,
    percentiles,
    rounds,
    timed_files,
)
from plugins.measures.vectors.metrics import Comparison, cosine_distance
from plugins.report.rows import Record
from plugins.subjects import LoadedEncoder, Subjects

pytestmark = pytest.mark.alone

LOOKED_AT = 12  # timed calls, evenly spaced, whose vectors are compared
DOCUMENTS = 4  # files that take turns


def test_encode(
    subjects: Subjects,
    golden: Golden,
    encoder_key: EncoderKey,
    tower: Tower,
    stopwatch: Stopwatch,
    judge: Judge,
    record: Record,
    percentiles_then: dict[str, object],
    pytestconfig: pytest.Config,
) -> None:
    """L1 encoding one new input is timed host to host in the steady state, and gives the right vector while it is timed."""
    loaded = subjects.encoder(encoder_key)
    warm_up, results = loaded.warm_up[tower], list[np.ndarray]()
    inputs = new_inputs(subjects, encoder_key, tower, pytestconfig.getoption("--seed"))
    batches = inputs.take(WARM_UPS + rounds(warm_up.steady_ms))
    waiting = iter(batches)
    seconds = measure(stopwatch, lambda: results.append(loaded.encoder.encode(next(waiting), tower)), warm_up.steady_ms)
    for name, value in _facts(loaded).items():
        record(name, value)
    if seconds is not None:
        figures: dict[str, object] = {**percentiles(seconds), **warm_up.figures}
        stopwatch.keep(figures)
        record(f"latency_ms.{tower}", {"what": "end to end: host in, host out", **figures})
        if percentiles_then:
            record(f"latency_ms.{tower}.then", percentiles_then)
        if encoder_key.device == "cuda" and (on_device := device_only(loaded.encoder, batches[0], tower)):
            stopwatch.keep({"device_only_ms": on_device})
            record(f"latency_device_only_ms.{tower}", on_device)
    judge(results, "nothing was measured")
    vectors = np.concatenate([formed(result, 1, loaded.width, tower) for result in results])
    given: dict[bytes, bytes] = {}
    inputs_of = [batch.tobytes() for batch in batches[: len(results)]]
    others = sum(given.setdefault(vector.tobytes(), each) != each for vector, each in zip(vectors, inputs_of, strict=True))
    judge(not others, f"{others} of {len(vectors)} timed calls gave the vector of another input")
    chosen = spaced(len(vectors), LOOKED_AT)
    judge(timed_vectors(subjects, golden, encoder_key, tower, [batches[i] for i in chosen], vectors[chosen]))


def _facts(loaded: LoadedEncoder) -> dict[str, object]:
    """What is known of an encoder beside its latency."""
    encoder = loaded.encoder
    return {
        "load_s": loaded.load_s,
        **({"build_s": encoder.build_s} if encoder.build_s is not None else {}),
        **({"cuda_graphs": True} if encoder.cuda_graphs else {}),
        **({"runs_in": dict(encoder.runs_in)} if encoder.runs_in else {}),
    }


def test_preprocess(
    subjects: Subjects, preprocessor: Preprocessor, preprocessor_name: str, judge: Judge, record: Record
) -> None:
    """L2 decoding and transforming are two figures for each of two kinds of file, and together give that file's pixels."""
    wrong = []
    for name in timed_files(subjects.dataset):
        whole = np.array(subjects.raw_pixels(preprocessor_name, name))  # or it fails with a sentence
        figures, pixels = decode_and_transform(preprocessor, subjects.dataset.path(name), subjects.model.geometry)
        record("preprocess_ms", {name: figures})
        others = sum(not np.array_equal(found, whole) for found in pixels)
        if others:
            wrong.append(f"{others} of {len(pixels)} timed calls gave other pixels of {name} than a call that was not timed")
    judge(not wrong, "; ".join(wrong))


def test_document(subjects: Subjects, golden: Golden, cell: Cell, stopwatch: Stopwatch, judge: Judge, record: Record) -> None:
    """L3 one document from file to vector, each stage on its own clock; the stages add up to the whole, its vector is right."""
    loaded, preprocess = subjects.encoder(cell.encoder), subjects.preprocessor(cell.preprocessor)
    names = subjects.dataset.scenes[:DOCUMENTS]
    subjects.raw_pixels(cell.preprocessor, names[0])  # or it fails with a sentence
    paths = [subjects.dataset.path(name) for name in names]
    stages = Stages(loaded.encoder, preprocess, paths, subjects.model.geometry)
    whole = measure(stopwatch, stages, loaded.warm_up["image"].steady_ms, DOCUMENT_ROUNDS)
    if whole is not None:
        figures = percentiles(whole)
        stopwatch.keep(figures)
        record("latency_ms.document", figures)
        record("stages_ms", stages.medians())
        share = float(np.median(np.sum(stages.times[-len(whole) :], axis=1) / whole))  # call by call: noise hits both alike
        judge(0.8 < share < 1.02, f"the stages of a call add up to {share:.0%} of it")
    judge(stages.times, "nothing was measured")
    found = np.concatenate([formed(result, 1, loaded.width, "image") for result in stages.results])
    pixels = [np.array(subjects.raw_pixels(cell.preprocessor, name), np.float32)[None] for name in names]
    own = [loaded.formed.encode(each, "image").copy() for each in pixels]  # alone too: a batch may have a range of its own
    rows = [i % len(names) for i in range(len(found))]
    limits = golden.on(cell.encoder.device).limits(cell.encoder.tolerance, "image", COSINE, [names[row] for row in rows])
    metric = "cosine distance of a timed document's vector to its own, not timed"
    distances = cosine_distance(found, np.concatenate(own)[rows])
    judge(Comparison(metric, distances, limits, [names[row] for row in rows], COSINE))


def test_repeats(
    subjects: Subjects,
    golden: Golden,
    encoder_key: EncoderKey,
    tower: Tower,
    judge: Judge,
    record: Record,
    pytestconfig: pytest.Config,
) -> None:
    """L5 an input's second call takes as long as its first, and gives the same vector: no answer comes from memory."""
    inputs = new_inputs(subjects, encoder_key, tower, pytestconfig.getoption("--seed"))
    loaded = subjects.encoder(encoder_key)
    found = repeats(loaded.encoder, inputs.take, tower)
    first, again = (
        np.concatenate([formed(result, 1, loaded.width, tower) for result in results]) for results in (found.first, found.again)
    )
    names = [f"new input {i} (--seed repeats it)" for i in range(len(first))]
    limits = golden.on(encoder_key.device).limits(encoder_key.tolerance, tower, COSINE, names)
    record(f"latency_repeated.{tower}", {"ratio": found.ratio, "pairs": len(first)})
    judge(
        not found.remembered,
        f"a repeated input takes {found.ratio:.2f} of a new one's time, less than half in {found.sooner} of {len(first)} "
        "pairs: answers are remembered, so that times of repeated inputs say nothing; a backend that means to declares L5",
    )
    metric = "cosine distance of a second call's vector to the first one's"
    judge(Comparison(metric, cosine_distance(again, first), limits, names, COSINE))
