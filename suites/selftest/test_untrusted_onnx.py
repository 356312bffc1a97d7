"""Where an ONNX file keeps its weights, and what a cache entry's manifest may name: nothing outside their folder."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from fixtures import cache
from fixtures.backends._onnx import onnx_files
from fixtures.backends._onnx_inside import check_inside
from fixtures.errors import BadInput
from fixtures.models import load_model


def external(location: str) -> Any:
    """Four values that lie in another file."""
    import onnx

    tensor = onnx.TensorProto(name="far", data_type=onnx.TensorProto.FLOAT, dims=[4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def graph(where: str, location: str) -> Any:
    """A model with such a tensor as a weight, in a node, in a subgraph, in a sparse weight or in a function."""
    import onnx
    from onnx import helper

    tensor = external(location)
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    inner = helper.make_graph([constant], "inner", [], [])
    nodes = {"node": [constant], "subgraph": [helper.make_node("If", ["x"], [], then_branch=inner, else_branch=inner)]}
    made = helper.make_model(helper.make_graph(nodes.get(where, []), "outer", [], []))
    if where == "weight":
        made.graph.initializer.append(tensor)
    if where == "sparse":
        made.graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor, indices=tensor, dims=[8]))
    if where == "function":
        made.functions.append(helper.make_function("own", "own", [], ["c"], [constant], []))
    return made


@pytest.mark.parametrize("where", ["weight", "node", "subgraph", "sparse", "function"])
@pytest.mark.parametrize("location", ["../../far.bin", "/far.bin", "sub/../../far.bin", "link.bin"])
def test_weights_outside(tmp_path: Path, where: str, location: str) -> None:
    """By a path upwards, an absolute one or a link; in the same place, beside the file, they are let through."""
    import onnx

    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "link.bin").symlink_to(tmp_path / "far.bin")
    onnx.save(graph(where, "near.bin"), folder / "x.onnx")
    check_inside(folder)
    onnx.save(graph(where, location), folder / "x.onnx")
    with pytest.raises(BadInput, match=f"keeps the weight 'far' in '{location}', outside its folder; expected .* delete"):
        check_inside(folder)


def test_an_export_that_was_tampered_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the manifest was made to agree, the backends do not get the file."""
    import onnx

    monkeypatch.setattr("fixtures.backends._onnx._build", lambda *what: None)
    model = load_model("scenes-s", "")
    folder, _ = onnx_files(model, "fp32", root=tmp_path)
    onnx.save(graph("weight", "../../far.bin"), folder / "image.onnx")
    files = {"image.onnx": cache._sha256(folder / "image.onnx")}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))
    with pytest.raises(BadInput, match="outside its folder"):
        onnx_files(model, "fp32", root=tmp_path)


@pytest.mark.parametrize("name", ["../far.bin", "link.bin"])
def test_cache_entries_that_lead_outside(tmp_path: Path, name: str, said: io.StringIO) -> None:
    """A manifest that names a file elsewhere, and a link to one, make an entry that is built again."""

    def build(folder: Path) -> None:
        (folder / "near.bin").write_bytes(b"near")

    folder, _ = cache.cached({"kind": "test"}, build, tmp_path)
    (tmp_path / "far.bin").write_bytes(b"near")
    (folder / "link.bin").symlink_to(tmp_path / "far.bin")
    found = json.loads((folder / "manifest.json").read_text())
    found["files"][name] = found["files"]["near.bin"]
    (folder / "manifest.json").write_text(json.dumps(found))
    cache.cached({"kind": "test"}, build, tmp_path)
    assert "damaged: building it again" in said.getvalue()
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "near.bin"]
