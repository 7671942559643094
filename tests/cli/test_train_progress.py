import io

import pytest
from rich.console import Console

from edgenext_search.cli import train_progress as module
from edgenext_search.cli.train_progress import LineListener, LiveListener, epoch_text, train_listener
from edgenext_search.training.full.listener import Progress
from edgenext_search.training.full.metrics import EpochMetrics

METRICS = EpochMetrics(
    epoch=3,
    step=60,
    lr=0.1,
    train_loss=1.23456,
    top1=0.5,
    top5=1.0,
    loss=1.0,
    ema_top1=0.625,
    ema_top5=1.0,
    ema_loss=1.0,
    seconds=9.0,
    images_per_second=1234.5,
    input_wait=0.0,
)


def progress(**keys):
    given = {"done": 40, "total": 160, "epoch": 2, "epochs": 8, "images_per_second": 1500.0, "gpu_bytes": 0}
    return Progress(**(given | keys))


@pytest.fixture
def text():
    return io.StringIO()


def test_a_pipe_gets_a_line_for_each_epoch_and_one_a_minute(text, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with train_listener(Console(file=text, width=60)) as listener:
        assert isinstance(listener, LineListener)
        listener.note("Training [tiny]")
        for second in (1, 30, 61, 62, 130):
            now[0] = second
            listener.stepped(progress(done=second))
        listener.epoch_done(METRICS)
    assert text.getvalue().splitlines() == [
        "[0:00] Training [tiny]",
        "[1:01] epoch 2 of 8, step 61 of 160, 1,500 images/s",
        "[2:10] epoch 2 of 8, step 130 of 160, 1,500 images/s",
        "[2:10] Epoch 3: loss 1.2346, top-1 50.00%, averaged 62.50%, 1,234 images/s",
    ]


def test_a_terminal_gets_a_bar(text):
    console = Console(file=text, force_terminal=True, width=120)
    with train_listener(console) as listener:
        assert isinstance(listener, LiveListener)
        listener.stepped(progress(gpu_bytes=3 * 2**30))
        listener.bars.refresh()
        listener.epoch_done(METRICS)
        (task,) = listener.bars.tasks
        assert (task.description, task.completed, task.total) == ("Epoch 2 of 8", 40, 160)
        assert task.fields["note"] == "1,500 images/s, 3.0 GiB"
    assert epoch_text(METRICS) in text.getvalue()
