import os
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PROGRAM = """
import pathlib, sys
from edgenext_search.models.onnx_session import open_onnx
open_onnx(pathlib.Path(sys.argv[1]))
"""


def test_it_leaves_no_lines_and_no_files(tmp_path):
    """Of a model that ONNX Runtime warns of."""
    image, logits = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("image", "logits"))
    unused = numpy_helper.from_array(np.zeros(1, np.float32), "unused")
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["logits"])], "g", [image], [logits], [unused])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    (tmp_path / "temporary").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary"), "HOME": str(tmp_path / "temporary")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "m.onnx"], env=environment, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert list((tmp_path / "temporary").iterdir()) == []
