import numpy as np
import onnx
import onnxruntime
import pytest
from strategies import tiny

from edgenext_search.arch.cost import Deployment
from edgenext_search.latency.profile.stage_models import export_stage
from edgenext_search.models.measurable import OPSET


@pytest.mark.parametrize("norm_act", ["ln_gelu", "bn_hs"])
@pytest.mark.parametrize(
    ("stage", "shape", "result"),
    [
        (1, [1, 3, 70, 70], [1, 8, 17, 17]),
        (2, [1, 8, 17, 17], [1, 16, 8, 8]),
        (3, [1, 16, 8, 8], [1, 24, 4, 4]),
        (4, [1, 24, 4, 4], [1, 10]),
    ],
)
def test_stages_as_models(tmp_path, norm_act, stage, shape, result):
    path = tmp_path / "stage.onnx"
    export_stage(tiny(norm_act=norm_act), stage, Deployment(num_classes=10, img_size=70), path)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert model.opset_import[0].version == OPSET
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    assert (image.name, image.shape) == ("image", shape)
    (features,) = session.run(None, {"image": np.ones(shape, dtype=np.float32)})
    assert list(features.shape) == result
    assert np.isfinite(features).all()
