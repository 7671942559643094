import pytest


@pytest.fixture(autouse=True)
def threads():
    """One thread, as in a trial; training sets torch's threads and cuDNN's switches for its whole process."""
    import torch

    before = torch.get_num_threads(), torch.backends.cudnn.deterministic
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before[0])
    torch.backends.cudnn.deterministic = before[1]
