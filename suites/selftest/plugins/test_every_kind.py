"""Inputs of every kind: what they cover, and backends that are wrong on one kind alone."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from fixtures.datasets import kinds
from fixtures.models.frame import Frame
from suites.selftest.conftest import start

FRAME = Frame(12, (99,), (100,), 0)
FOUND = {  # by backend: the tower that E17 judges, and a part of the worst input's name
    "sixteen_bits": ("text", "a row of "),
    "drops_zeros": ("text", "ids 49350 to 18"),  # the row that has id 0 among others
    "cuts": ("text", "tokens with ids"),
    "flattens": ("image", "an image all "),
    "remembers_beginnings": ("text", "behind a long beginning"),
}


def test_every_id_and_every_length() -> None:
    """Once at least; and beginning, end and filling are where they belong."""
    names, rows = kinds.token_rows(FRAME, 101)
    ends = [int((row == 100).argmax()) for row in rows]
    assert len(names) == len(rows) and set(ends) == set(range(1, 12))
    inside = {int(token) for row, end in zip(rows, ends, strict=True) for token in row[1:end]}
    assert inside == set(range(99)) and (rows[:, 0] == 99).all()
    assert all(not row[end + 1 :].any() for row, end in zip(rows, ends, strict=True))


def test_a_small_vocabulary_has_all_lengths() -> None:
    """Ids are used again."""
    _, rows = kinds.token_rows(FRAME, 5)
    assert [int((row == 100).argmax()) for row in rows] == list(range(1, 12))


@pytest.mark.parametrize(
    "frame", [Frame(12, (99,), (100,), 0), Frame(8, (), (1,), 0), Frame(8, (), (), 1), Frame(9, (2, 5), (3,), 1)], ids=str
)
def test_a_frame_is_read_from_two_rows(frame: Frame) -> None:
    """CLIP's, SigLIP 2's, SigLIP's whose end is its padding, and one of three tokens; what is cut keeps its end."""
    empty, short = frame.row([]), frame.row([7])
    assert Frame.of(empty, short) == frame
    assert frame.own(short).tolist() == [7] and frame.own(empty).tolist() == []
    full = frame.row([7] * 50)
    assert len(full) == frame.length and full.tolist()[-len(frame.end) or frame.length :] == list(frame.end)
    assert frame.own(full).tolist() == [7] * frame.room


def test_near_duplicates_differ() -> None:
    """No two inputs are the same, though some differ in one place only."""
    words = [text for _, text in kinds.texts(["a dog on a sofa", "two cats", "一只猫在沙发上"])]
    assert len(set(words)) == len(words)
    pixels = np.random.default_rng(0).standard_normal((3, 3, 16, 16)).astype(np.float32)
    names, found = kinds.images(pixels)
    assert len({row.tobytes() for row in found}) == len(found) == len(names) == len(set(names))
    assert found.dtype == np.float32 and found.shape[1:] == (3, 16, 16)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> SimpleNamespace:
    """One run of all of them: its rows by backend, and the message of each failure by backend."""
    folder = tmp_path_factory.mktemp("narrow")
    plant = ("-p", "suites.selftest.planted.narrow_backends", f"--backend={','.join(FOUND)}", "--preprocessor=original_clip")
    said = start(folder, "suites/embeddings/test_fresh.py", "-k", "test_every_kind", *plant, *tiny).stdout
    rows = {row["backend"]: row for row in json.loads((folder / "report.json").read_text())["cells"]}
    messages = {
        name: text for text in said.split("E17 broken")[1:] for name in FOUND if f"in tiny:clip@random:0-{name}-" in text
    }
    return SimpleNamespace(rows=rows, messages=messages, said=said)


@pytest.mark.parametrize("backend", FOUND)
def test_found(judged: SimpleNamespace, backend: str) -> None:
    """Each breaks E17 in its tower, on an input of its kind."""
    tower, worst = FOUND[backend]
    assert judged.rows[backend]["broken_promises"] == ["E17"], judged.said[-3000:]
    message = judged.messages[backend]
    assert worst in message.partition("worst input: ")[2].splitlines()[0], message
    assert f"-fp32-cpu-{tower}]" in message.partition("again: ")[2].splitlines()[0], message
