"""The layers of both towers in order, each as a function of its input tensors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fixtures.capability import Tower
from fixtures.errors import Unavailable
from fixtures.layers import TAP

if TYPE_CHECKING:
    import torch

INPUT = "input"  # pixels [N, 3, R, R] or tokens [N, L]


@dataclass(frozen=True)
class Layer:
    """One layer; `compute` maps the tensors named in `inputs` to its output.

    `name` is open_clip's path of the module, or of the parameter if there is no module. `kind` selects the neighbours to
    compare with: embedding, norm, attention, mlp, residual, projection, or "inner" for a step within a layer, of which only
    the magnitude is judged. Outputs are [N, T, C], but [N, C, h, w] after conv1 and [N, C] after the pooling; `pool` applies
    the pooling to a captured [N, T, C].
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    compute: Callable[..., "torch.Tensor"]
    block: int | None = None
    pool: Callable[["torch.Tensor"], "torch.Tensor"] | None = None

    @property
    def needed(self) -> bool:
        """False for a step within a layer, which a cell may hide."""
        return self.kind != "inner"


def layers(module: Any, tower: Tower) -> list[Layer]:
    """Return a tower's layers in the module's dtype; raises Unavailable unless it is a ViT or a causal transformer."""
    try:
        return _image(module) if tower == "image" else _text(module)
    except AttributeError as error:
        raise Unavailable(
            f"the {tower} tower is not a transformer of open_clip's CLIP class ({error}): its layers are unknown"
        ) from error


def _image(module: Any) -> list[Layer]:
    visual = module.visual
    if visual.attn_pool is not None:
        raise Unavailable("the image tower pools by attention; the audit supports only towers that pool one token or the mean")
    late = visual.final_ln_after_pool

    def embed(patches: Any) -> Any:
        import torch

        rows = patches.flatten(2).transpose(1, 2)
        first = visual.class_embedding.expand(len(rows), 1, -1)
        return torch.cat([first, rows], dim=1) + visual.positional_embedding

    def pool(x: Any) -> Any:
        return visual._global_pool(x)[0]

    def post(x: Any) -> Any:
        return visual.ln_post(pool(x)) if late else pool(visual.ln_post(x))

    found = [
        Layer("visual.conv1", "embedding", (INPUT,), visual.conv1),
        Layer("visual.positional_embedding", "embedding", ("visual.conv1",), embed),
        Layer("visual.ln_pre", "norm", ("visual.positional_embedding",), visual.ln_pre),
    ]
    found += _blocks("visual.transformer", visual.transformer, found[-1].name, None)
    return [
        *found,
        Layer("visual.ln_post", "norm", (found[-1].name,), post, pool=pool),
        Layer("visual.proj", "projection", ("visual.ln_post",), lambda x: x @ visual.proj),
    ]


def text_tower(module: Any) -> tuple[Any, str, int | None]:
    """Return the module that holds the text tower, how it pools, and the end-of-text id of a tower that looks for it."""
    if hasattr(module, "text"):  # CustomTextCLIP
        return module.text, module.text.pool_type, getattr(module.text, "eos_id", None)
    return module, module.text_pool_type, getattr(module, "text_eos_id", None)


def _text(module: Any) -> list[Layer]:
    from open_clip.transformer import text_global_pool

    text, pool_type, end = text_tower(module)
    at = "" if text is module else "text."
    if getattr(text, "cls_emb", None) is not None or getattr(text, "use_pad_mask", False):
        raise Unavailable("the text tower masks its padding or adds a token: the audit supports neither")

    def project(x: Any, tokens: Any) -> Any:
        pooled = text_global_pool(x, tokens, pool_type, end)
        return text.text_projection(pooled) if callable(text.text_projection) else pooled @ text.text_projection

    found = [
        Layer(f"{at}token_embedding", "embedding", (INPUT,), text.token_embedding),
        Layer(f"{at}positional_embedding", "embedding", (f"{at}token_embedding",), lambda x: x + text.positional_embedding),
    ]
    found += _blocks(f"{at}transformer", text.transformer, found[-1].name, text.attn_mask)
    return [
        *found,
        Layer(f"{at}ln_final", "norm", (found[-1].name,), text.ln_final),
        Layer(f"{at}text_projection", "projection", (f"{at}ln_final", INPUT), project),
    ]


def _blocks(path: str, transformer: Any, before: str, mask: Any) -> list[Layer]:
    """Return ln_1, attn, ln_2, mlp and the residual output of each block, with the inner steps of attention, norm and MLP."""
    found = []
    for number, block in enumerate(transformer.resblocks):
        name = f"{path}.resblocks.{number}"
        found += [
            Layer(f"{name}.ln_1", "norm", (before,), block.ln_1, number),
            *_packed(f"{name}.attn", block.attn, number),
            Layer(f"{name}.attn", "attention", (f"{name}.ln_1",), _attention(block, mask), number),
            Layer(f"{name}.ln_2{TAP}", "inner", (before, f"{name}.attn"), _middle(block), number),
            Layer(f"{name}.ln_2", "norm", (f"{name}.ln_2{TAP}",), block.ln_2, number),
            Layer(f"{name}.mlp.c_fc", "inner", (f"{name}.ln_2",), block.mlp.c_fc, number),
            Layer(f"{name}.mlp.gelu", "inner", (f"{name}.mlp.c_fc",), block.mlp.gelu, number),
            Layer(f"{name}.mlp", "mlp", (f"{name}.ln_2",), block.mlp, number),
            Layer(name, "residual", (before, f"{name}.attn", f"{name}.mlp"), _residual(block), number),
        ]
        before = name
    return found


def _attention(block: Any, mask: Any) -> Callable[..., Any]:
    return lambda x: block.attention(q_x=x, attn_mask=mask)


def _middle(block: Any) -> Callable[..., Any]:
    return lambda x, attention: x + block.ls_1(attention)


def _residual(block: Any) -> Callable[..., Any]:
    return lambda x, attention, mlp: x + block.ls_1(attention) + block.ls_2(mlp)


def _packed(name: str, attention: Any, number: int) -> list[Layer]:
    """Return the layer of packed q, k and v, [N, T, 3 C], if one matrix computes them."""
    if getattr(attention, "in_proj_weight", None) is None:
        return []

    def project(x: Any) -> Any:
        return x @ attention.in_proj_weight.T + attention.in_proj_bias

    return [Layer(f"{name}.in_proj", "inner", (f"{name.removesuffix('attn')}ln_1",), project, number)]
