"""Model folders of small networks with random weights."""

import torch
from strategies import tiny

from edgenext_search.arch.cost import Deployment
from edgenext_search.models.build import build
from edgenext_search.models.folder import save_model_folder


def save_network(folder, classes, *, candidate=None, size=32, seed=0, model=None, **about):
    """Save a network, by default a new one that answers with what it sees, and return the folder."""
    torch.manual_seed(seed)
    candidate = candidate or tiny()
    save_model_folder(
        model or build(candidate, num_classes=len(classes), layer_scale_init=0.5), candidate, folder,
        deployment=Deployment(), trained_size=size, class_names=list(classes), about=about,
    )  # fmt: skip
    return folder
