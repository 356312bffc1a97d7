"""The drift audit names the layer that a defect was planted in, and none of clean cells; it watches what really runs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Encoder, Tower
from fixtures.errors import Unavailable
from fixtures.layers import Capture, Wanted
from fixtures.models import DEFAULT, Model, load_model
from fixtures.registry import backends
from plugins.measures.drift.layers.findings import Finding, findings, headroom
from plugins.measures.drift.layers.layers import layers
from plugins.measures.drift.layers.profile import LayerError, profile, used_tokens
from plugins.measures.drift.layers.scores import scores
from plugins.measures.drift.layers.weights import cell_errors
from suites.studies.drift import planted

TOWERS: tuple[Tower, ...] = ("image", "text")
TEXTS = ["a monkey", "a red apple and a hammer", "一只猴子", "two ships beside a watermelon, a tiger and a cow", "", "!"]


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model's architecture with random weights: no layer of it stands out by itself."""
    return load_model(DEFAULT, "random:0")


@pytest.fixture(scope="module")
def batches(model: Model) -> dict[str, Any]:
    """Six smooth images, because noise has no outliers, and six texts."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(0, 1.2, (6, 3, 7, 7)).astype(np.float32)
    return {"image": np.ascontiguousarray(coarse.repeat(32, 2).repeat(32, 3)), "text": model.tokenize(TEXTS)}


@pytest.fixture(scope="module")
def exact(model: Model) -> Any:
    """The model in float64."""
    return model.module().double()


@pytest.mark.parametrize("side", TOWERS)
@pytest.mark.parametrize("kind", planted.KINDS)
def test_the_planted_layer_is_named(model: Model, batches: dict[str, Any], kind: str, side: Tower) -> None:
    """First, and (but for an overflow's consequences) alone."""
    reference, encoder, layer = planted.plant(kind, model, side, batches[side])
    whole = profile(reference.module().double(), encoder, batches[side], side)
    named = findings(whole.rows)
    assert [finding.layer for finding in named] == [layer]
    assert named[0].what == ("headroom" if kind == "scaled" else "jump")
    assert whole.disturbance == 0  # hooks change nothing


@pytest.mark.parametrize("side", TOWERS)
@pytest.mark.parametrize("where", ["first", "last"])
def test_a_jump_is_named_wherever_it_is(model: Model, exact: Any, batches: dict[str, Any], side: Tower, where: str) -> None:
    """fp8 weights in the first or the last block, and in attention's projection."""
    blocks = [layer for layer in layers(exact, side) if layer.kind == "residual"]
    block = blocks[0 if where == "first" else -1].name
    for matrix, layer in ((f"{block}.mlp.c_proj", f"{block}.mlp"), (f"{block}.attn.out_proj", f"{block}.attn")):
        encoder = backends()["torch-eager"].load(planted.fp8_weights(model, matrix), "fp16", "cpu")
        assert [finding.layer for finding in findings(profile(exact, encoder, batches[side], side).rows)] == [layer]


@pytest.mark.parametrize("norm", ["visual.ln_pre", "visual.transformer.resblocks.1.ln_1", "visual.ln_post", "ln_final"])
def test_a_norm_in_fp16_is_named_wherever_it_is(model: Model, exact: Any, batches: dict[str, Any], norm: str) -> None:
    """The first, the last, and one that is in no block."""
    side: Tower = "image" if norm.startswith("visual.") else "text"
    encoder = planted.fp16_norm(backends()["torch-eager"].load(model, "fp16", "cpu"), norm)  # type: ignore[arg-type]
    assert [finding.layer for finding in findings(profile(exact, encoder, batches[side], side).rows)] == [norm]


@pytest.mark.parametrize("matrix", ["visual.conv1", "visual.proj", "text_projection", "token_embedding"])
def test_what_has_no_neighbours_is_named_too(model: Model, exact: Any, batches: dict[str, Any], matrix: str) -> None:
    """fp8 weights before and after the blocks."""
    import torch

    side: Tower = "image" if matrix.startswith("visual.") else "text"
    name = matrix if matrix in model.state else f"{matrix}.weight"
    rounded = model.state[name].to(torch.float8_e4m3fn).float()
    encoder = backends()["torch-eager"].load(planted.with_weights(model, **{name: rounded}), "fp16", "cpu")
    assert [finding.layer for finding in findings(profile(exact, encoder, batches[side], side).rows)] == [matrix]


@pytest.mark.parametrize(
    ("step", "weight", "bias", "after"),
    [
        ("mlp.c_fc", "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight"),
        ("attn.in_proj", "attn.in_proj_weight", "attn.in_proj_bias", "attn.out_proj.weight"),
    ],
)
def test_large_numbers_within_a_layer_are_named(
    model: Model, batches: dict[str, Any], step: str, weight: str, bias: str, after: str
) -> None:
    """The layer's result stays near what it was, because what follows divides again; q, k and v no hook can see."""
    block, times = planted.middle_block(model, "image"), 1e5
    state = {name: model.state[f"{block}.{name}"].clone() for name in (weight, bias, after)}
    last_third = slice(-len(state[bias]) // 3, None)  # v, so that the scores stay; of the MLP, some hidden channels
    state[weight][last_third] *= times
    state[bias][last_third] *= times
    state[after][:, last_third if step == "mlp.c_fc" else slice(None)] /= times
    other = planted.with_weights(model, **{f"{block}.{name}": tensor for name, tensor in state.items()})
    encoder = backends()["torch-eager"].load(other, "fp16", "cpu")
    named = findings(profile(other.module().double(), encoder, batches["image"], "image").rows)
    assert (named[0].layer, named[0].what) == (f"{block}.{step}", "overflow")


@pytest.mark.parametrize(
    "which", ["torch-eager fp32", "torch-eager fp16", "torch-eager bf16", "torch-autocast fp16", "torch-dynamic-int8 int8"]
)
def test_nothing_is_said_of_clean_cells(model: Model, exact: Any, batches: dict[str, Any], which: str) -> None:
    """Floating point, mixed types and int8; errors gather in the order that the precisions have."""
    backend, precision = which.split()
    encoder = backends()[backend].load(model, precision, "cpu")
    low, high = {"fp32": (1e-8, 1e-5), "fp16": (1e-4, 3e-3), "bf16": (1e-3, 3e-2), "int8": (3e-3, 1e-1)}[precision]
    for tower in TOWERS:
        whole = profile(exact, encoder, batches[tower], tower)
        assert findings(whole.rows) == []
        assert low < np.median(whole.rows[-1].total) < high
        assert whole.inputs == 6


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_massive_activations_are_no_finding(batches: dict[str, Any], precision: str) -> None:
    """Of the default model, which has them at one token, from its second block on and until its last."""
    hard = load_model(DEFAULT, "")
    exact = hard.module().double()
    for backend in ("torch-eager", "onnxruntime"):
        if precision in backends()[backend].precisions:
            encoder = backends()[backend].load(hard, precision, "cpu")
            for tower in TOWERS:
                assert findings(profile(exact, encoder, batches[tower], tower).rows) == []


def test_a_norm_that_fails_at_massive_activations_alone_is_named(batches: dict[str, Any]) -> None:
    """Their squares are beyond fp16, those of all other tokens are not."""
    hard, norm = load_model(DEFAULT, ""), "visual.transformer.resblocks.3.ln_2"
    encoder = planted.fp16_norm(backends()["torch-eager"].load(hard, "fp16", "cpu"), norm)  # type: ignore[arg-type]
    named = findings(profile(hard.module().double(), encoder, batches["image"], "image").rows)
    assert named[0].layer == norm


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_onnxruntime_is_watched_while_it_computes_as_it_does(
    model: Model, exact: Any, batches: dict[str, Any], precision: str
) -> None:
    """The graph with more outputs gives the cell's own bits; each layer is found, but for one that is fused."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")
    encoder = backends()["onnxruntime"].load(model, precision, "cpu")
    for tower in TOWERS:
        whole = profile(exact, encoder, batches[tower], tower)
        wanted = [layer.name for layer in layers(exact, tower) if layer.kind != "inner"]
        assert whole.disturbance == 0
        assert len(wanted) - len(whole.layers) <= 1
        assert [row.name for row in whole.layers] == [name for name in wanted if name in {row.name for row in whole.rows}]
        assert findings(whole.rows) == []


def test_fp8_weights_in_an_onnx_graph_are_named(model: Model, exact: Any, batches: dict[str, Any]) -> None:
    """The export of other weights, held to the model's own in float64."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")
    block = planted.middle_block(model, "image")
    encoder = backends()["onnxruntime"].load(planted.fp8_weights(model, f"{block}.mlp.c_fc"), "fp32", "cpu")
    assert [one.layer for one in findings(profile(exact, encoder, batches["image"], "image").rows)] == [f"{block}.mlp"]


def test_layers_replay_the_module(exact: Any, batches: dict[str, Any]) -> None:
    """Computed one after the other in float64, the layers are the tower: what is compared is the model."""
    import torch

    for tower, encode in (("image", exact.encode_image), ("text", exact.encode_text)):
        given = torch.from_numpy(batches[tower])
        given = given.double() if tower == "image" else given
        values = {"input": given}
        with torch.inference_mode():
            for layer in [*layers(exact, tower), *scores(exact, tower)]:  # type: ignore[arg-type]
                values[layer.name] = layer.compute(*(values[name] for name in layer.inputs))
            result = values["visual.proj" if tower == "image" else "text_projection"]
            assert torch.allclose(result, encode(given), rtol=1e-12, atol=1e-12)
        block = planted_block = next(name for name in values if name.endswith("resblocks.1"))
        hidden = values[f"{block}.mlp.gelu"]
        mlp = exact.get_submodule(f"{planted_block}.mlp.c_proj")
        with torch.inference_mode():
            assert torch.allclose(mlp(hidden), values[f"{block}.mlp"], rtol=1e-12, atol=1e-12)


def test_padding_does_not_count(exact: Any, batches: dict[str, Any]) -> None:
    """Tokens after end-of-text change no embedding, so an error there is none of the cell's."""
    import torch

    tokens = torch.from_numpy(batches["text"])
    kept = used_tokens(exact, tokens)
    assert kept is not None
    assert kept.sum(dim=1).tolist() == [int(row.argmax()) + 1 for row in tokens]


def test_a_cell_that_hides_its_layers_is_a_skip_with_a_reason(model: Model, exact: Any) -> None:
    """An encoder of unknown kind, and a module with other names."""

    class Remote(Encoder):
        def upload(self, batch, tower):  # type: ignore[no-untyped-def]
            raise NotImplementedError("nothing is computed before its kind is looked at")

        forward = download = upload  # type: ignore[assignment]

    with pytest.raises(Unavailable, match="Remote cannot be inspected"):
        Remote().layers("image", layers(exact, "image"))
    exact_text = object()
    with pytest.raises(Unavailable, match="the text tower is not a transformer of open_clip's CLIP class"):
        layers(exact_text, "text")


def test_a_backend_of_ones_own_is_audited(model: Model, exact: Any, batches: dict[str, Any]) -> None:
    """One class: its encoder gives its layers and weights itself, here those of float64 with one that is made worse."""
    import torch

    block = planted.middle_block(model, "text")

    class Own(Encoder):
        def upload(self, batch: Any, tower: Tower) -> Any:
            return torch.from_numpy(batch)

        def forward(self, batch: Any, tower: Tower) -> Any:
            return self._values(batch, layers(exact, tower))[layers(exact, tower)[-1].name]

        def download(self, embedding: Any) -> Any:
            return embedding.numpy()

        def layers(self, tower: Tower, wanted: Sequence[Wanted]) -> Capture:
            return Capture(lambda batch: self._values(torch.from_numpy(batch), layers(exact, tower)), "a list of its own")

        def weights(self) -> Iterator[tuple[str, Any]]:
            return ((name, tensor * 2) for name, tensor in model.state.items())

        def _values(self, batch: Any, known: list[Any]) -> dict[str, Any]:
            values = {"input": batch}
            for layer in known:
                output = layer.compute(*(values[name] for name in layer.inputs)).float()
                values[layer.name] = (output.half().float() if layer.name == f"{block}.mlp" else output).double()
            return {name: value.float() for name, value in values.items()}

    whole = profile(exact, Own(), batches["text"], "text")
    assert (whole.how, whole.disturbance, whole.inputs) == ("a list of its own", 0, 6)
    assert [finding.layer for finding in findings(whole.rows)] == [f"{block}.mlp"]
    errors, matrices = cell_errors(model, Own()), [name for name, tensor in model.state.items() if tensor.ndim == 2]
    assert errors == pytest.approx(dict.fromkeys(matrices, 1), rel=1e-3)
    assert Own().keeping(exact, ["visual"]) is None


Row = Callable[..., LayerError]


@pytest.fixture
def row() -> Row:
    """`row("a.ln_1", "norm", 2e-4, largest=3.0, dtype="float16")`."""

    def make(name: str, kind: str, own: float, largest: float = 1.0, dtype: str = "float16") -> LayerError:
        errors = np.full(3, own)
        return LayerError(name, kind, 0, dtype, errors, errors, errors**2, largest, 0.0)

    return make


def test_what_a_jump_is(row: Row) -> None:
    """Counted by hand: 1.55 times the neighbours is none, 1.7 times is one; few neighbours or uneven ones ask for more."""
    steady = [row(f"b{i}.attn", "attention", 4e-4 * f) for i, f in enumerate((1.0, 1.01, 0.99, 1.0, 1.02))]
    assert findings([*steady, row("b5.attn", "attention", 4e-4 * 1.55)]) == []
    assert [one.layer for one in findings([*steady, row("b5.attn", "attention", 4e-4 * 1.7)])] == ["b5.attn"]
    assert findings([*steady[:3], row("b5.attn", "attention", 4e-4 * 2.4)]) == []
    assert [one.layer for one in findings([*steady[:3], row("b5.attn", "attention", 4e-4 * 2.6)])] == ["b5.attn"]
    spread = [row(f"b{i}.attn", "attention", 4e-4 * f) for i, f in enumerate((0.5, 0.8, 1.0, 1.2, 2.0))]
    assert findings([*spread, row("b5.attn", "attention", 4e-4 * 3)]) == []
    assert [one.layer for one in findings([*spread, row("b5.attn", "attention", 4e-4 * 30)])] == ["b5.attn"]


def test_one_rounding_is_no_jump(row: Row) -> None:
    """A residual that rounds where its neighbours have nothing to round, and a layer of fp32 beside ones of fp16."""
    mixed = [row(f"b{i}.attn", "attention", 4e-4) for i in range(4)]
    residuals = [row("b0", "residual", 2.9e-4), row("b1", "residual", 1.2e-4), row("b2", "residual", 1.3e-4)]
    assert findings([*mixed, *residuals]) == []
    small = [row(f"b{i}.ln_1", "norm", size, dtype="float32") for i, size in enumerate((6e-8, 6e-8, 6e-8, 5e-7))]
    assert findings([*mixed, *small]) == []  # it jumps among its neighbours, and does not matter beside 4e-4
    assert [one.layer for one in findings(small)] == ["b3.ln_1"]


def test_headroom_and_overflow(row: Row) -> None:
    """The first layer that overflowed, and the first with less than a bit; bf16 holds what fp16 cannot."""
    rows = [row(f"b{i}", "residual", 2e-4, largest) for i, largest in enumerate((30.0, 40_000.0, 50_000.0, np.inf, np.nan))]
    assert [(one.layer, one.what) for one in findings(rows)] == [("b3", "overflow"), ("b1", "headroom")]
    assert headroom(rows[0]) == pytest.approx(np.log2(65504 / 30))
    assert Finding("b3", "overflow", float("-inf"), "").as_json()["value"] == "-inf"
    assert findings([row(f"b{i}", "residual", 2e-3, 50_000.0, "bfloat16") for i in range(3)]) == []


def test_an_overflow_in_a_cell_is_named_where_it_happens(model: Model, batches: dict[str, Any]) -> None:
    """Beyond fp16's largest number: Inf in the block, and float64 that is not disturbed by it."""
    block = planted.middle_block(model, "text")
    large = planted.scaled_block(model, "text", batches["text"], block)
    names = [f"{block}.mlp.c_proj.{part}" for part in ("weight", "bias")]
    larger = planted.with_weights(large, **{name: large.state[name] * 2 for name in names})
    encoder = backends()["torch-eager"].load(larger, "fp16", "cpu")
    named = findings(profile(larger.module().double(), encoder, batches["text"], "text").rows)
    assert (named[0].layer, named[0].what) == (f"{block}.mlp", "overflow")
