"""A candidate as an ONNX file to be timed: the network that would ship, untrained, written quickly."""

from __future__ import annotations

import warnings
from pathlib import Path

from edgenext_search.arch.blocks import IN_CHANNELS
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.errors import UserError
from edgenext_search.files import expanded
from edgenext_search.models.export import ExportError
from edgenext_search.models.find import find_candidate
from edgenext_search.models.folder import deployment_of, model_folder
from edgenext_search.models.onnx_session import open_onnx

OPSET = 17  # the first with LayerNormalization as one operator, which runtimes have fast kernels for
ONNX_FILE = "model.onnx"
TOLERANCE = 1e-4  # on logits, as a share of the largest


def export_for_measuring(candidate: Candidate, deployment: Deployment, path: Path, *, seed: int = 0) -> float:
    """Write the network with random weights as ONNX for one image of fixed size, and check it against torch.

    Batch norms are folded away where that is exact, as in the ``model.onnx`` of a winner. Torch's older exporter is
    used, which takes some tenths of a second where the newer one takes seconds; ``benchmarks/latency_protocol.py``
    compares the time of what the two write.

    Args:
        candidate: The network.
        deployment: Its classes and image size.
        path: The file to write; input ``image`` float32 [1, 3, img_size, img_size], output ``logits`` [1, classes].
        seed: Of the weights, which do not change the time, and of the image of the check.

    Returns:
        Largest difference of the logits between ONNX Runtime and torch, as a share of the largest logit.

    Raises:
        ExportError: The difference exceeds :data:`TOLERANCE`; the file is removed.
    """
    import onnx
    import torch

    from edgenext_search.models.build import build
    from edgenext_search.models.fold import fold_batch_norms

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # Layer scales as they begin in training, 1e-6, would hide what goes wrong inside of a block.
        network = build(candidate, num_classes=deployment.num_classes, layer_scale_init=1.0).eval()
        image = torch.randn(1, IN_CHANNELS, deployment.img_size, deployment.img_size)
    network = fold_batch_norms(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this exporter will go one day, and that shapes become constants
        torch.onnx.export(
            network,
            (image,),
            str(path),
            input_names=["image"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(str(path))
    logits = torch.from_numpy(open_onnx(path, threads=1).run(None, {"image": image.numpy()})[0])
    with torch.inference_mode():
        expected = network(image)
    difference = float((logits - expected).abs().max() / expected.abs().max())
    if not difference <= TOLERANCE:  # NaN too
        path.unlink()
        raise ExportError(
            f"ONNX logits must equal torch's to {TOLERANCE} of the largest, but differ by {difference:.2g}."
        )
    return difference


def find_measurable(what: str, deployment: Deployment | None, path: Path) -> Path:
    """The ONNX file of what people name: an ONNX file, a model folder, a candidate's file, a published variant.

    Args:
        what: Its name or path.
        deployment: Classes and image size of the network; None takes an ONNX file as it is, and where one is
            written, those of the model folder, or else 1000 classes and 256 px.
        path: Where to write an ONNX file if there is none: of a candidate, and of a model folder without one or for a
            deployment that was asked for.

    Raises:
        UserError: There is no such thing, or a deployment was given for an ONNX file, which has its own.
    """
    given = expanded(what)
    if given.suffix == ".onnx":
        if not given.is_file():
            raise UserError(f"There is no model {what}; give the path of an ONNX file.")
        if deployment is not None:
            raise UserError(f"{what} has its own classes and image size; leave out --num-classes and --img-size.")
        return given
    given = model_folder(given) if given.exists() else given
    if deployment is None and (given / ONNX_FILE).is_file():
        return given / ONNX_FILE
    export_for_measuring(find_candidate(what), deployment or deployment_of(given) or Deployment(), path)
    return path
