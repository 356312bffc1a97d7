"""Many clients at once, each with requests of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from fixtures.capability import Array, Tower
from fixtures.progress import ticking
from plugins.cells.form import BrokenForm
from plugins.serving.answers import Answers

CLIENTS = (1, 2, 4, 8, 16)
# Requests of each tower over all numbers of clients. If one request of a hundred is wrong, 600 miss it once in 400 runs.
REQUESTS = {"image": 60, "text": 600}
SIZES = (1, 1, 2, 1, 3, 5, 1, 8)  # documents a request
POOL = 64  # different documents
MANY = 10_000  # texts in one request


def many(answers: Answers) -> tuple[list[int], Array | str]:
    """One request of MANY texts, each of the data set's several times: their rows, and their vectors or the refusal."""
    texts = answers.documents["text"]
    rows = [(7 * i) % len(texts) for i in range(MANY)]
    with ticking(f"{answers.key}: {MANY} texts in one request"):
        try:
            return rows, answers.embed([texts[row] for row in rows], "text")
        except BrokenForm:
            raise
        except Exception as error:  # whichever way it refuses
            return rows, f"{type(error).__name__}: {error}"


def loaded(answers: Answers, tower: Tower) -> Iterator[tuple[int, list[int], Array, list[str]]]:
    """For each number of clients: documents by row, their vectors [N, D], and what refused requests said."""
    documents, width = answers.documents[tower], answers.golden.image.shape[1]
    pool = list(range(0, len(documents), max(1, len(documents) // POOL)))[:POOL]
    each = -(-REQUESTS[tower] // len(CLIENTS))
    for clients in CLIENTS:
        barrier, calls = Barrier(clients), -(-each // clients)

        def client(number: int, barrier: Barrier = barrier, calls: int = calls) -> list[tuple[list[int], Array | str]]:
            barrier.wait()
            found: list[tuple[list[int], Array | str]] = []
            for call in range(calls):
                size = min(SIZES[(number + call) % len(SIZES)], answers.service.max_batch or max(SIZES))
                rows = [pool[(11 * number + 7 * call + i) % len(pool)] for i in range(size)]
                try:
                    found.append((rows, answers.embed([documents[row] for row in rows], tower)))
                except Exception as error:  # the others go on
                    found.append((rows, f"{type(error).__name__}: {error}"))
            return found

        with ticking(f"{answers.key}: {clients} clients"), ThreadPoolExecutor(clients) as threads:
            found = [one for ones in threads.map(client, range(clients)) for one in ones]
        right = [(rows, vectors) for rows, vectors in found if not isinstance(vectors, str)]
        vectors = np.concatenate([np.zeros((0, width), np.float32), *(vectors for _, vectors in right)])
        yield clients, [row for rows, _ in right for row in rows], vectors, [said for _, said in found if isinstance(said, str)]
