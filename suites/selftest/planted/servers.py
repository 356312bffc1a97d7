"""Servers of the interfaces that have ready-made clients, with a right encoder behind them, each started by its own service."""

import base64
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import numpy as np

from fixtures.capability import Array
from fixtures.models import Model
from fixtures.services import DocumentEncoder, _http, infinity, kserve, openai_embeddings, plain_http, text_embeddings_inference
from plugins.serving import outages
from suites.selftest.planted.services import Right

outages.USUAL_S, outages.MOST = 0.03, 64  # a tiny model is quick, and its limits are told apart all the same
Answer = Callable[["Handler", bytes], Any]


def _embeddings(handler: "Handler", body: bytes) -> Any:
    asked = json.loads(body)
    assert asked["model"] == handler.server.encoder.model.name and asked["encoding_format"] == "float"
    if asked.get("modality") == "image":
        found = handler.server.encoder.embed_images([base64.b64decode(uri.partition(",")[2]) for uri in asked["input"]])
    else:
        found = handler.server.encoder.embed_texts(asked["input"])
    return {"data": [{"index": i, "embedding": row.tolist()} for i, row in reversed([*enumerate(found)])]}


def _embed(handler: "Handler", body: bytes) -> Any:
    asked = json.loads(body)
    assert asked["truncate"] and len(asked["inputs"]) <= text_embeddings_inference.TextEmbeddingsInference.max_batch
    return handler.server.encoder.embed_texts(asked["inputs"]).tolist()


def _inferred(handler: "Handler", body: bytes) -> Any:
    split = int(handler.headers["Inference-Header-Content-Length"])
    asked, data, documents = json.loads(body[:split]), body[split:], []
    (tensor,), (wanted,) = asked["inputs"], asked["outputs"]
    assert tensor["datatype"] == "BYTES" and tensor["parameters"]["binary_data_size"] == len(data)
    while data:
        (length,) = struct.unpack("<I", data[:4])
        documents.append(data[4 : 4 + length])
        data = data[4 + length :]
    assert tensor["shape"] == [len(documents), 1] and not wanted["parameters"]["binary_data"]
    if "/clip-image/" in handler.path:
        found = handler.server.encoder.embed_images(documents)
    else:
        found = handler.server.encoder.embed_texts([document.decode() for document in documents])
    output = {"name": wanted["name"], "datatype": "FP32", "shape": [*found.shape], "data": found.ravel().tolist()}
    return {"model_name": "clip", "outputs": [output]}


WAYS: Mapping[str, Answer] = {
    "/v1/embeddings": _embeddings,
    "/embeddings": _embeddings,
    "/embed": _embed,
    "/v2/models/clip-image/infer": _inferred,
    "/v2/models/clip-text/infer": _inferred,
    "/image": lambda handler, body: handler.server.encoder.embed_images([body])[0].tolist(),
    "/texts": lambda handler, body: handler.server.encoder.embed_texts(json.loads(body)).tolist(),
}


class Handler(BaseHTTPRequestHandler):
    """Every interface of WAYS, with connections that stay open if the client wants it."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def setup(self) -> None:
        """Keep the connection, so that a server that goes down ends it."""
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.open.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        """One request; a file that is no image is status 400, everything else that goes wrong is 500."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            if self.server.broken:
                raise RuntimeError("its worker has ended")
            answer, status = WAYS[self.path](self, body), 200
        except Exception as error:
            self.server.broken |= self.server.fragile and "truncated" in str(error)
            answer, status = {"error": f"{type(error).__name__}: {error}"}, 400 if isinstance(error, OSError) else 500
        data = json.dumps(answer).encode()
        with suppress(OSError):  # the client has gone
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """On a free port, or on `port`. One that is `fragile` answers nothing more after a truncated image."""

    broken = False

    def __init__(self, encoder: Right, port: int = 0, fragile: bool = False) -> None:
        self.encoder: Right = encoder
        self.fragile = fragile
        self.open = set[socket.socket]()
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Nothing: clients that go are what these tests are about."""

    def end(self) -> None:
        """As if its process had ended: no listener, no connections."""
        self.shutdown()
        self.server_close()
        for connection in [*self.open]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Started(_http.HttpService):
    """Starts its server, names it where its client looks, and can restart it. For a class before the client's service."""

    servers: ClassVar[dict[str, Server]] = {}
    fragile = False

    def load(self, model: Model, precision: str, device: str) -> DocumentEncoder:  # type: ignore[override]
        """The ready-made client of this server."""
        self.servers[self.name] = Server(Right(model, normalised=True), fragile=self.fragile)
        os.environ[self.variable] = self.servers[self.name].url
        try:
            return super().load(model, precision, device)
        finally:
            del os.environ[self.variable]

    @contextmanager
    def restart(self) -> Iterator[None]:
        """On the same port."""
        old = self.servers[self.name]
        old.end()
        yield
        self.servers[self.name] = Server(old.encoder, old.server_address[1], self.fragile)


def started(kind: type[_http.HttpService]) -> type[Started]:
    """A ready-made service with a server of ours."""
    return type(f"{kind.__name__}Started", (Started, kind), {"name": f"{kind.name}-started", "precisions": ("fp32",)})


OpenAIService, InfinityService = started(openai_embeddings.OpenAIEmbeddings), started(infinity.Infinity)
TEIService, KServeService = started(text_embeddings_inference.TextEmbeddingsInference), started(kserve.KServe)
PlainService = started(plain_http.PlainHttp)


class Persistent(plain_http.Client):
    """One connection for all requests. It is opened anew after each of the errors `reopens`, and only then."""

    reopens: tuple[type[Exception], ...] = (TimeoutError, ConnectionError)
    connection: socket.socket | None = None
    got = b""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.one_at_a_time = threading.Lock()

    def asked(self, path: str, body: Any, headers: Mapping[str, str] = _http.JSON) -> Any:
        """Send, and read the next answer on the connection, whichever request it is for."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.one_at_a_time:
            try:
                if self.connection is None:
                    host, _, port = self.url.removeprefix("http://").partition(":")
                    self.connection, self.got = socket.create_connection((host, int(port))), b""
                self.connection.settimeout(self.limit_s)
                self.connection.sendall(f"POST {path} HTTP/1.1\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
                return json.loads(self._next(self.connection))
            except self.reopens:
                self.close()
                raise

    def close(self) -> None:
        """End the connection."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def _next(self, connection: socket.socket) -> bytes:
        ends = time.monotonic() + (self.limit_s or _http.USUAL_S)
        while (end := self.got.find(b"\r\n\r\n") + 4) < 4 or len(self.got) < end + self._length(end):
            part = connection.recv(1 << 16)
            if not part:
                raise ConnectionError("the server closed the connection")
            self.got += part
            if time.monotonic() > ends:
                raise TimeoutError
        stop = end + self._length(end)
        answer, self.got = self.got[end:stop], self.got[stop:]
        return answer

    def _length(self, end: int) -> int:
        return int(self.got[:end].partition(b"Content-Length: ")[2].partition(b"\r\n")[0])


class LateAnswers(Persistent):
    """It goes on with its connection after a time-out, so that each request gets the answer of the one before."""

    reopens = (ConnectionError,)


class KeepsDead(Persistent):
    """It goes on with the connection to a server that has gone."""

    reopens = (TimeoutError,)


class MakesUp(plain_http.Client):
    """When no server is there, it answers with zeros."""

    def _array(self, asked: Any, documents: Sequence[Any]) -> Array:
        try:
            return super()._array(asked, documents)
        except ConnectionError:
            return np.zeros((len(documents), self.model.embed_dim), np.float32)


class NoLimit(plain_http.Client):
    """It waits for its answer, however long that takes."""

    def _posted(self, request: Any) -> bytes:
        patient = plain_http.Client(self.url, self.variable, self.model)
        return patient._posted(request)


def faulty(kind: type[_http.Client]) -> type[Started]:
    """The plain service with another client."""
    parts = {"name": kind.__name__.lower(), "precisions": ("fp32",), "client": kind, "variable": f"{kind.__name__.upper()}_URL"}
    return type(f"{kind.__name__}Service", (Started, plain_http.PlainHttp), parts)


PersistentService, LateAnswersService, KeepsDeadService = map(faulty, (Persistent, LateAnswers, KeepsDead))
MakesUpService, NoLimitService = map(faulty, (MakesUp, NoLimit))


class FragileService(Started, plain_http.PlainHttp):
    """Its server does not survive a truncated image, and its restart() is what lets later promises be judged."""

    name = "fragile"
    precisions = ("fp32",)
    variable = "FRAGILE_URL"
    fragile = True
