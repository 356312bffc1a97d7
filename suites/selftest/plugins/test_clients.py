"""Clients of servers: right ones pass at each interface, each faulty one breaks its own promise, errors are clear."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.errors import Unavailable
from fixtures.registry import services
from fixtures.services import _http
from plugins.cells.form import BrokenForm, formed
from suites.selftest.conftest import start
from suites.selftest.one_sentence import failures_of

PLANTED = "suites.selftest.planted.servers"
READY = ("OpenAI", "Infinity", "TEI", "KServe", "Plain")
FAULTS: dict[str, set[str]] = {
    "persistent": set(),
    "lateanswers": {"S11"},
    "keepsdead": {"S10"},
    "makesup": {"S10"},
    "nolimit": {"S11"},
    "fragile": {"S7"},
}
RIGHT = ("openai-embeddings", "infinity", "text-embeddings-inference", "kserve", "plain-http")
KINDS = (*READY, "Persistent", "LateAnswers", "KeepsDead", "MakesUp", "NoLimit", "Fragile")
MODEL: Any = SimpleNamespace(name="scenes-s", embed_dim=192)  # what clients ask of a model
NO_ADDRESSES = ("localhost:80", "http://host:port", "http://[::1:80", "http://")
CLIENTS = sorted(name for name, service in services().items() if isinstance(service, _http.HttpService) and name in RIGHT)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> SimpleNamespace:
    """One run of all of them."""
    folder = tmp_path_factory.mktemp("clients")
    asked = "started or test_outages or fragile and (test_trouble or test_requests)"  # of the faulty ones, what they are about
    brief = ("-k", f"not test_load and not test_many and ({asked})")
    done = start(folder, *(f"--backend={PLANTED}:{kind}Service" for kind in KINDS), *tiny, *brief, "-rs")
    rows = json.loads((folder / "report.json").read_text())["cells"]
    return SimpleNamespace(said=done.stdout, rows={row["backend"]: row for row in rows})


@pytest.mark.parametrize("name", RIGHT)
def test_right_clients(ran: SimpleNamespace, name: str) -> None:
    """Each ready-made client at a server of its interface, which goes down and comes back."""
    row = ran.rows[f"{name}-started"]
    assert row["verdict"] == "pass" and not row["broken_promises"], ran.said[-5000:]
    assert sorted(RIGHT) == CLIENTS


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_clients(ran: SimpleNamespace, name: str) -> None:
    """Each breaks its own promise and no other; the one that opens its connection anew breaks none."""
    assert {*ran.rows[name]["broken_promises"]} == FAULTS[name], ran.said[-5000:]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("lateanswers", "a request after a time-out"),
        ("keepsdead", "a request when the server was back was refused: "),
        ("makesup", "a request of 2 to a server that is down was answered with vectors"),
        ("nolimit", "was answered after"),
        ("fragile", "after a file cut in half, a good file was refused: RuntimeError"),
    ],
)
def test_the_fault_is_named(ran: SimpleNamespace, name: str, cause: str) -> None:
    """In its own failure."""
    own = failures_of(ran.said, f"tiny:clip@random:0-{name}-fp32-service")
    assert any(cause in part for part in own), own


def test_one_tower(ran: SimpleNamespace) -> None:
    """Promises of the tower that a service lacks are skipped, with that reason; the others are judged."""
    row = ran.rows["text-embeddings-inference-started"]
    assert "it has no image tower (`towers` of TextEmbeddingsInferenceStarted)" in ran.said
    assert [*row["drift"]] == ["text"]


class Odd(BaseHTTPRequestHandler):
    """It answers as `answers` says, the last one again and again."""

    answers: list[tuple[int, bytes]] = []
    wait = threading.Event()

    def do_POST(self) -> None:
        """One answer; status 0 is none before `wait`, 1 is half of one."""
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.answers[0]
        if not status:
            self.wait.wait()
            return
        self.send_response(max(200, status))
        self.send_header("Content-Length", str(len(body) * (2 if status == 1 else 1)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that answers as Odd.answers says."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    for name in CLIENTS:
        monkeypatch.setenv(services()[name].variable, url)  # type: ignore[attr-defined]
    yield url
    Odd.wait.set()
    server.shutdown()
    server.server_close()
    Odd.wait.clear()


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (
            (413, b'{"error":"batch size 64 > 32"}'),
            RuntimeError,
            "status 413: batch size 64 > 32",
        ),
        (
            (429, b'{"error":{"message":"model is\\noverloaded","code":429}}'),
            RuntimeError,
            "status 429: model is overloaded",
        ),
        ((502, b"<h1>Bad Gateway</h1>"), RuntimeError, "status 502: <h1>Bad Gateway</h1>"),
        ((200, b"<p>hello"), ValueError, "expected JSON, found '<p>hello'"),
        ((200, b'{"ok": true}'), (ValueError, BrokenForm), ""),
        ((1, b"[[1.0, 2.0"), ConnectionError, "ended its answer early"),
        ((0, b""), TimeoutError, "did not answer within 0.2 s: SERVICE_TIMEOUT_S sets another limit"),
    ],
)
def test_errors(
    odd: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    answer: tuple[int, bytes],
    error: type[Exception],
    said: str,
) -> None:
    """One sentence for each way in which a server answers otherwise than it should."""
    monkeypatch.setenv(_http.LIMIT, "0.2" if not answer[0] else "60")
    Odd.answers = [answer]
    with pytest.raises(error) as raised:
        services()[name].load(MODEL, "fp32", "service")
    assert said in str(raised.value) and odd in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_server_here_needs_no_proxy(odd: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The environment names a proxy, as it does in many companies: what answers is the server."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    Odd.answers = [(502, b"the server's own words")]
    with pytest.raises(RuntimeError, match="the server's own words"):
        services()[name].load(MODEL, "fp32", "service")


@pytest.mark.parametrize("name", CLIENTS)
def test_no_server(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """None named, what is no address, and an address where nothing listens: the reason of the skipped row."""
    service = services()[name]
    variable = service.variable  # type: ignore[attr-defined]
    for url, reason in (
        ("", f"no server is named: set {variable}=http://host:port"),
        *((url, f"{variable} is '{url}': set {variable}=http://host:port") for url in NO_ADDRESSES),
        ("http://127.0.0.1:9", "no server at http://127.0.0.1:9"),
    ):
        monkeypatch.setenv(variable, url)
        with pytest.raises(Unavailable) as raised:
            service.load(MODEL, "fp32", "service")
        assert reason in str(raised.value)
    monkeypatch.setenv(_http.LIMIT, "soon")
    with pytest.raises(Unavailable, match="SERVICE_TIMEOUT_S is 'soon': expected seconds, such as 120"):
        service.load(MODEL, "fp32", "service")


def test_a_wrong_number_of_vectors(odd: str) -> None:
    """And a wrong width: the suite says what it found and what it expected."""
    Odd.answers = [(200, b"[[1.0, 2.0]]")]
    encoder = services()["plain-http"].load(MODEL, "fp32", "service")
    with pytest.raises(BrokenForm, match=r"shape \(1, 2\) for 3 inputs \(text\), expected a float32 array of shape \(3, 192\)"):
        formed(encoder.embed_texts(["a", "b", "c"]), 3, MODEL.embed_dim, "text")  # type: ignore[attr-defined]
    Odd.answers = [(200, b"[[1.0, 2.0], [1.0]]")]
    with pytest.raises(ValueError, match="answered in another form than this client's"):
        encoder.embed_texts(["a", "b"])  # type: ignore[attr-defined]


def test_without_a_server(tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row is skipped with the reason, and the run fails, because nothing was compared."""
    monkeypatch.setenv("EMBEDDINGS_URL", "http://127.0.0.1:9")
    done = start(tmp_path, "--backend=openai-embeddings", *tiny, env={"EMBEDDINGS_URL": "http://127.0.0.1:9"})
    assert "no server at http://127.0.0.1:9" in done.stdout and done.returncode == 1
