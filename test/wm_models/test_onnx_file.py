from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from wm_core.errors import BundleError
from wm_models.onnx_file import external_files


def elsewhere(name: str, location: str) -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.ones((2, 3), np.float32), name)
    set_external_data(tensor, location, offset=0, length=24)
    return tensor


def constant(name: str, location: str) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=elsewhere("", location))


def save(path, nodes, weights=()) -> None:
    graph = helper.make_graph(
        nodes, "g", [], [helper.make_tensor_value_info("out", TensorProto.FLOAT, [2, 3])], weights
    )
    path.write_bytes(helper.make_model(graph).SerializeToString())


def test_a_graph_that_has_all_in_itself(graphs):
    assert [external_files(path) for path in graphs.values()] == [[]] * len(graphs)


@pytest.mark.parametrize("location", ["a", "weights.bin", "sub/b", "../up", "/etc/x", "x" * 127, "x" * 128, "y" * 9999])
def test_any_name(tmp_path, location):
    save(tmp_path / "g.onnx", [], [elsewhere("out", location)])
    assert external_files(tmp_path / "g.onnx") == [location]


def test_wherever_a_tensor_may_stand(tmp_path):
    """Among the initializers, in a node's attribute, and in the graph that is one."""
    ends = [helper.make_tensor_value_info("then", TensorProto.FLOAT, [2, 3])]
    branches = {
        "then_branch": helper.make_graph([constant("then", "then.bin")], "t", [], ends),
        "else_branch": helper.make_graph([], "e", [], ends, [elsewhere("then", "else.bin")]),
    }
    nodes = [constant("c", "c.bin"), helper.make_node("If", ["w"], ["out"], **branches)]
    save(tmp_path / "g.onnx", nodes, [elsewhere("w", "w.bin"), elsewhere("v", "w.bin")])
    assert external_files(tmp_path / "g.onnx") == ["c.bin", "else.bin", "then.bin", "w.bin"]


def test_what_is_no_graph(tmp_path):
    file = tmp_path / "g.onnx"
    for content in (b"", b"no graph", b"location", b"\x0a\x08location\x12", b"\x0a\x08location\x12\xff\xff"):
        file.write_bytes(content)
        external_files(file)
    with pytest.raises(BundleError, match=r"cannot read .*missing.onnx"):
        external_files(tmp_path / "missing.onnx")
