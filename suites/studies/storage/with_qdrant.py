"""Qdrant in its local mode, inside this process."""

import numpy as np

from fixtures.capability import Array
from plugins.measures.storage.form import Form
from plugins.measures.vectors.recall import Ints
from suites.studies.storage.indexes import Index

NAME = "gallery"


class Qdrant(Index):
    """Local mode searches exactly, in fp32: it applies neither a quantisation nor a datatype that a collection asks for."""

    name, meaning, form = "Qdrant, local mode", "a collection in memory, cosine distance", "fp32"
    packages, distribution = {"qdrant_client": "pip install qdrant-client"}, "qdrant-client"
    most = 5_000  # a search takes 10 ms there, and grows with the items

    def train(self, items: Array, form: Form | None) -> None:
        from qdrant_client import QdrantClient, models

        self.client = QdrantClient(":memory:")
        self.client.create_collection(NAME, models.VectorParams(size=items.shape[1], distance=models.Distance.COSINE))

    def store(self, items: Array) -> None:
        self.client.upload_collection(NAME, vectors=items, ids=range(len(items)))

    def search(self, queries: Array, k: int) -> Ints:
        from qdrant_client import models

        asked = [models.QueryRequest(query=query.tolist(), limit=k) for query in queries]
        return np.array([[point.id for point in each.points] for each in self.client.query_batch_points(NAME, asked)], np.int64)
