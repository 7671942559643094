import pytest
import torch
from torch import nn

from edgenext_search.training.engine.scoring import score_networks


class Fixed(nn.Module):
    """Logits that stand in the images."""

    def forward(self, images):
        return images.mean((2, 3))


def images(rows):
    return torch.tensor(rows, dtype=torch.float32).view(len(rows), -1, 1, 1)


def score(networks, batches, **keys):
    return score_networks(networks, batches, device=torch.device("cpu"), **keys)


@pytest.mark.parametrize("micro_batch", [None, 1, 2])
def test_hits_and_loss(micro_batch):
    rows = [[9.0, 0, 0, 0, 0, 0, 0], [6, 5, 4, 3, 2, 1, 0], [6, 5, 4, 3, 2, 1, 0], [0, 0, 0, 0, 0, 0, 9]]
    labels = torch.tensor([0, 4, 5, 6])  # first, fifth, sixth, first
    batches = [(images(rows[:3]), labels[:3]), (images(rows[3:]), labels[3:])]
    (found,) = score([Fixed()], batches, micro_batch=micro_batch)
    assert (found.top1, found.top5) == (0.5, 0.75)
    assert found.loss == pytest.approx(
        nn.functional.cross_entropy(torch.tensor(rows, dtype=torch.float32), labels).item(), rel=1e-6
    )


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_a_batch_whose_images_cannot_be_decoded_counts_nothing(micro_batch):
    rows, labels = images([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])
    (found,) = score([Fixed()], [(rows[:0], labels[:0]), (rows, labels)], micro_batch=micro_batch)
    assert found.top1 == 0.5


def test_several_networks_see_the_same_images():
    loaded = []

    def batches():
        for label in (0, 1):
            loaded.append(label)
            yield images([[1.0, 0.0]]), torch.tensor([label])

    dropping = nn.Sequential(nn.Dropout(0.9), Fixed())
    first, second = score([Fixed(), dropping.train()], batches())
    assert loaded == [0, 1]
    assert first == second
    assert (first.top1, first.top5) == (0.5, 1.0)  # of two classes
