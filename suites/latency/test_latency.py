"""What latency figures promise: they are of one input, synchronised, in the steady state. No absolute time is judged."""

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from fixtures.capability import Preprocessor, Tower
from fixtures.cells import Cell, EncoderKey
from plugins.cells.form import formed
from plugins.cells.promises import Judge
from plugins.golden.verified import Golden, names_of
from plugins.measures.latency.device_time import device_only
from plugins.measures.latency.steady import DOCUMENT_ROUNDS, Stages, decode_and_transform, measure, timed_files
from plugins.measures.vectors.metrics import Comparison, cosine_distance
from plugins.report.rows import Record
from plugins.subjects import Subjects

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


def test_encode(
    subjects: Subjects, golden: Golden, encoder_key: EncoderKey, tower: Tower,
    benchmark: "BenchmarkFixture", judge: Judge, record: Record, percentiles_then: dict[str, object],
) -> None:  # fmt: skip
    """L1 encoding one input is timed host to host in the steady state, and gives the right vector while it is timed."""
    loaded = subjects.encoder(encoder_key)
    warm_up = loaded.warm_up[tower]
    results: list[np.ndarray] = []
    batches = subjects.rotating_inputs(tower)
    n = len(batches)
    turns = cycle(batches)
    figures = measure(benchmark, lambda: results.append(loaded.encoder.encode(next(turns), tower)), warm_up.steady_ms)
    record("load_s", loaded.load_s)
    if loaded.encoder.build_s is not None:
        record("build_s", loaded.encoder.build_s)
    if loaded.encoder.cuda_graphs:
        record("cuda_graphs", True)
    if loaded.encoder.runs_in:
        record("runs_in", dict(loaded.encoder.runs_in))
    if figures:
        steady = {"first_call": warm_up.first_call_ms, "calls_to_steady": warm_up.calls_to_steady}
        benchmark.extra_info.update(steady)
        record(f"latency_ms.{tower}", {"what": "end to end: host in, host out", **figures, **steady})
        if percentiles_then:
            record(f"latency_ms.{tower}.then", percentiles_then)
        if encoder_key.device == "cuda":
            on_device = device_only(loaded.encoder, batches[0], tower)
            benchmark.extra_info["device_only_ms"] = on_device
            record(f"latency_device_only_ms.{tower}", on_device)
    same = all(np.array_equal(result, results[i % n]) for i, result in enumerate(results))
    judge(results and same, "timed calls gave different vectors for the same input")
    names = names_of(subjects, tower)[:n]
    # A run of this suite alone has no E2, so golden says what is right. Where it is known that E2 breaks, by whatever size on
    # whatever processor, that is said already: there L1 asks only whether a vector is another one while it is timed.
    if "E2" in encoder_key.known_failures(tower):
        whose, wanted = "the encoder's own, not timed", np.concatenate([loaded.formed.encode(b, tower) for b in batches])
    else:
        whose, wanted = "golden's", golden.image[:n] if tower == "image" else golden.text[:n]
    first = [formed(result, 1, loaded.width, tower) for result in results[:n]]  # the others are the same
    distances = cosine_distance(np.concatenate(first), wanted[: len(first)])
    limits = golden.limits(encoder_key.base, tower, "cosine_distance", names[: len(first)])
    judge(
        Comparison(f"cosine distance of a timed vector to {whose}", distances, limits, names[: len(first)], "cosine_distance")
    )


def test_preprocess(
    subjects: Subjects, preprocessor: Preprocessor, preprocessor_name: str, judge: Judge, record: Record
) -> None:
    """L2 decoding and transforming are two figures, each measured on the reference documents' two kinds of file."""
    for name in timed_files(subjects.dataset):
        subjects.raw_pixels(preprocessor_name, name)  # or it fails with a sentence
    figures = decode_and_transform(preprocessor, subjects.dataset, subjects.model.geometry)
    record("preprocess_ms", figures)
    judge(figures and all(v > 0 for row in figures.values() for v in row.values()), "nothing was measured")


def test_document(subjects: Subjects, cell: Cell, benchmark: "BenchmarkFixture", judge: Judge, record: Record) -> None:
    """L3 one document from file to vector, each stage on its own clock; the stages add up to the whole."""
    loaded, preprocess = subjects.encoder(cell.encoder), subjects.preprocessor(cell.preprocessor)
    subjects.raw_pixels(cell.preprocessor, subjects.dataset.scenes[0])
    stages = Stages(loaded.encoder, preprocess, subjects.dataset.path(subjects.dataset.scenes[0]), subjects.model.geometry)
    figures = measure(benchmark, stages, loaded.warm_up["image"].steady_ms, DOCUMENT_ROUNDS)
    if figures:
        record("latency_ms.document", figures)
        record("stages_ms", stages.medians())
        whole = np.asarray(benchmark.stats.stats.data)
        share = float(np.median(np.sum(stages.times[-len(whole) :], axis=1) / whole))  # call by call: noise hits both alike
        judge(0.8 < share < 1.02, f"the stages of a call add up to {share:.0%} of it")
    judge(stages.times, "nothing was measured")
