import math

import pytest
import torch
from model_folders import save_network
from strategies import tiny
from torch import nn

from edgenext_search.errors import UserError
from edgenext_search.models.build import build
from edgenext_search.training.full.distill import STUDENT_MEAN, STUDENT_STD, Teacher, distillation, open_teacher


class Seen(nn.Module):
    """A teacher whose logits are the mean of each channel that it is shown."""

    def __init__(self, **config):
        super().__init__()
        self.pretrained_cfg = config
        self.shown = None

    def forward(self, images):
        self.shown = images
        return images.mean((2, 3))


def normalised(pixels, mean, std):
    return (pixels - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)


def test_a_teacher_sees_images_as_it_was_trained():
    pixels = torch.rand(2, 3, 8, 8)
    mean, std = (0.5, 0.4, 0.3), (0.5, 0.25, 1.0)
    seen = Seen(mean=mean, std=std)
    Teacher(seen)(normalised(pixels, STUDENT_MEAN, STUDENT_STD))
    torch.testing.assert_close(seen.shown, normalised(pixels, mean, std), atol=1e-5, rtol=1e-5)


def test_a_teacher_of_one_size_gets_images_of_that_size():
    fixed = Seen(input_size=(3, 16, 16), fixed_input_size=True)
    assert Teacher(fixed)(torch.rand(2, 3, 8, 8)).shape == (2, 3)
    assert fixed.shown.shape == (2, 3, 16, 16)
    free = Seen(input_size=(3, 16, 16))
    Teacher(free)(torch.rand(2, 3, 8, 8))
    assert free.shown.shape == (2, 3, 8, 8)


def test_a_teacher_learns_nothing():
    teacher = Teacher(nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(192, 2)))
    teacher.train()
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_loss_by_its_definition(temperature):
    generator = torch.Generator().manual_seed(0)
    images, logits = torch.rand(4, 3, 2, 2, generator=generator), torch.randn(4, 3, generator=generator)
    labels = torch.tensor([0, 2, 1, 1])
    teacher = Seen()
    loss = distillation(teacher, weight=5.0, temperature=temperature, label_smoothing=0.0)(images, logits, labels)
    expected = 0.0
    for row, given, label in zip(images.mean((2, 3)).tolist(), logits.tolist(), labels.tolist(), strict=True):
        p, q = softmax(row, temperature), softmax(given, temperature)
        divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        expected += (-math.log(softmax(given, 1.0)[label]) + 5 * temperature**2 * divergence) / 4
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def softmax(values, temperature):
    powers = [math.exp(value / temperature) for value in values]
    return [power / sum(powers) for power in powers]


def test_a_student_that_agrees_has_the_loss_of_the_labels_alone():
    images, labels = torch.rand(4, 3, 2, 2), torch.tensor([0, 2, 1, 1])
    logits = images.mean((2, 3))
    loss = distillation(Seen(), weight=5.0, temperature=2.0, label_smoothing=0.1)(images, logits, labels)
    torch.testing.assert_close(loss, nn.CrossEntropyLoss(label_smoothing=0.1)(logits, labels))


def test_teachers_by_folder_and_by_name(tmp_path, monkeypatch):
    model = build(tiny(), num_classes=3)
    save_network(tmp_path / "m", "abc", model=model)
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(open_teacher(str(tmp_path / "m"), num_classes=3)(images), model.eval()(images))
    with pytest.raises(UserError, match=r"has 3 and the data 4; train one on this data first, or leave --teacher out"):
        open_teacher(str(tmp_path / "m"), num_classes=4)
    with pytest.raises(UserError, match=r"no teacher 'resnet118': .* Did you mean resnet18"):
        open_teacher("resnet118", num_classes=3)
    monkeypatch.setattr("timm.create_model", lambda *_a, **_k: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(UserError, match="The weights of the teacher resnet18 cannot be loaded: no network"):
        open_teacher("resnet18", num_classes=3)
