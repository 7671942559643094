import pytest
import torch
from rank_processes import on_ranks
from torch import nn

from edgenext_search.training.engine.batch_norm import SyncBatchNorm2d, convert_sync_batchnorm
from edgenext_search.training.engine.distributed import Ranks, init_local_process_group


def test_one_process_needs_no_group():
    with init_local_process_group(0, 1, None, torch.device("cpu")) as ranks:
        assert ranks == Ranks()
        assert ranks.all_reduce(torch.tensor([3, 4])).tolist() == [3, 4]
        ranks.all_reduce_gradients([])
        assert ranks.any_rank(True, False) == [True, False]
        assert ranks.run_on_first(lambda: 7) == 7
        assert ranks.gather({3: "x"}) == [{3: "x"}]
        assert ranks.all_gather(torch.tensor(2.5)) == [2.5]


def test_collectives_of_three_ranks(tmp_path):
    """The last rank sets a flag; the first makes something, and refuses."""
    folder = tmp_path / "a?b#c%20"  # no URL
    folder.mkdir()
    for rank, (flags, made, refusal, numbers, texts) in enumerate(on_ranks(3, "collectives", folder=folder)):
        assert flags == [False, True]
        assert made == "made by 0"
        assert refusal == ("FirstRefusedError" if rank else "UserError", "rank 0 refuses")
        assert numbers == [0.5, 1.5, 2.5]
        assert texts == ["0", "1", "2"]


def test_gradients_and_counts_are_added_up(tmp_path):
    """Three ranks with gradients 0, 1 and 2 times those of the first."""
    for gradients, counts in on_ranks(3, "gradients", folder=tmp_path):
        assert counts == [3, 12]
        assert [gradient.tolist() for gradient in gradients] == [[[3.0, 6.0], [9.0, 12.0]], [15.0]]


@pytest.mark.parametrize("world", [2, 3])
def test_statistics_of_batch_norms_are_those_of_the_whole_batch(tmp_path, world):
    torch.manual_seed(0)
    images = 3 * torch.randn(7, 4, 5, 6) + torch.arange(4.0).view(1, 4, 1, 1)
    norm = nn.BatchNorm2d(4)
    inputs = images.clone().requires_grad_()
    expected = norm(inputs)
    expected.pow(3).sum().backward()
    for rank, (output, gradient, state, weight_gradient) in enumerate(
        on_ranks(world, "batch_norm", images, folder=tmp_path)
    ):
        assert torch.allclose(output, expected[rank::world], atol=1e-5)
        assert torch.allclose(gradient, inputs.grad[rank::world], atol=1e-3, rtol=1e-3)
        assert state.keys() == norm.state_dict().keys()
        assert all(torch.allclose(value, norm.state_dict()[name], atol=1e-5) for name, value in state.items())
        assert torch.allclose(weight_gradient, norm.weight.grad, rtol=1e-3)


def test_batch_norms_are_replaced_in_place():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4)), nn.LayerNorm(4))
    norm = model[1][0]
    names = list(model.state_dict())
    convert_sync_batchnorm(model)
    convert_sync_batchnorm(model)
    assert model[1][0] is norm
    assert type(norm) is SyncBatchNorm2d
    assert list(model.state_dict()) == names
    images = torch.randn(2, 4, 3, 3)
    norm.eval()
    assert torch.equal(norm(images), nn.functional.batch_norm(images, norm.running_mean, norm.running_var))
