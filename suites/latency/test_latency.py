"""What latency figures promise: they are of one input, synchronised, in the steady state. No absolute time is judged."""

from itertools import cycle

import numpy as np

from fixtures.capability import Preprocessor, Tower
from fixtures.cells import Cell, EncoderKey
from plugins.cells.form import formed
from plugins.cells.promises import Judge
from plugins.golden.verified import Golden, names_of
from plugins.latency.adapter import Stopwatch
from plugins.measures.latency.device_time import device_only
from plugins.measures.latency.steady import DOCUMENT_ROUNDS, Stages, decode_and_transform, measure, percentiles, timed_files
from plugins.measures.vectors.metrics import Comparison, cosine_distance
from plugins.report.rows import Record
from plugins.subjects import LoadedEncoder, Subjects


def test_encode(
    subjects: Subjects,
    golden: Golden,
    encoder_key: EncoderKey,
    tower: Tower,
    stopwatch: Stopwatch,
    judge: Judge,
    record: Record,
    percentiles_then: dict[str, object],
) -> None:
    """L1 encoding one input is timed host to host in the steady state, and gives the right vector while it is timed."""
    loaded, batches = subjects.encoder(encoder_key), subjects.rotating_inputs(tower)
    warm_up, results, turns = loaded.warm_up[tower], list[np.ndarray](), cycle(batches)
    seconds = measure(stopwatch, lambda: results.append(loaded.encoder.encode(next(turns), tower)), warm_up.steady_ms)
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
    same = all(np.array_equal(result, results[i % len(batches)]) for i, result in enumerate(results))
    judge(results and same, "timed calls gave different vectors for the same input")
    first = [formed(result, 1, loaded.width, tower) for result in results[: len(batches)]]  # the others are the same
    judge(_distance(subjects, golden, encoder_key, tower, first))


def _facts(loaded: LoadedEncoder) -> dict[str, object]:
    """What is known of an encoder beside its latency."""
    encoder = loaded.encoder
    return {
        "load_s": loaded.load_s,
        **({"build_s": encoder.build_s} if encoder.build_s is not None else {}),
        **({"cuda_graphs": True} if encoder.cuda_graphs else {}),
        **({"runs_in": dict(encoder.runs_in)} if encoder.runs_in else {}),
    }


def _distance(subjects: Subjects, golden: Golden, key: EncoderKey, tower: Tower, timed: list[np.ndarray]) -> Comparison:
    """Timed vectors, one for each input, beside what is right.

    A run of this suite alone has no E2, so golden says what is right. Where it is known that E2 breaks, by whatever size on
    whatever processor, that is said already: there L1 asks only whether a vector is another one while it is timed.
    """
    n = len(timed)
    if "E2" in key.known_failures(tower):
        encoder, batches = subjects.encoder(key).formed, subjects.rotating_inputs(tower)
        whose, wanted = "the encoder's own, not timed", np.concatenate([encoder.encode(b, tower) for b in batches])[:n]
    else:
        whose, wanted = "golden's", golden.image[:n] if tower == "image" else golden.text[:n]
    names = names_of(subjects, tower)[:n]
    limits = golden.limits(key.base, tower, "cosine_distance", names)
    distances = cosine_distance(np.concatenate(timed), wanted)
    return Comparison(f"cosine distance of a timed vector to {whose}", distances, limits, names, "cosine_distance")


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


def test_document(subjects: Subjects, cell: Cell, stopwatch: Stopwatch, judge: Judge, record: Record) -> None:
    """L3 one document from file to vector, each stage on its own clock; the stages add up to the whole."""
    loaded, preprocess = subjects.encoder(cell.encoder), subjects.preprocessor(cell.preprocessor)
    subjects.raw_pixels(cell.preprocessor, subjects.dataset.scenes[0])
    stages = Stages(loaded.encoder, preprocess, subjects.dataset.path(subjects.dataset.scenes[0]), subjects.model.geometry)
    whole = measure(stopwatch, stages, loaded.warm_up["image"].steady_ms, DOCUMENT_ROUNDS)
    if whole is not None:
        figures = percentiles(whole)
        stopwatch.keep(figures)
        record("latency_ms.document", figures)
        record("stages_ms", stages.medians())
        share = float(np.median(np.sum(stages.times[-len(whole) :], axis=1) / whole))  # call by call: noise hits both alike
        judge(0.8 < share < 1.02, f"the stages of a call add up to {share:.0%} of it")
    judge(stages.times, "nothing was measured")
