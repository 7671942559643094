import csv
import sys
import types

import pytest

from edgenext_search.errors import UserError
from edgenext_search.training.full import metrics as module
from edgenext_search.training.full.metrics import COLUMNS, METRICS_FILE, Accuracy, EpochMetrics, Metrics


def row(epoch):
    values = {name: epoch + index / 100 for index, name in enumerate(COLUMNS)}
    return EpochMetrics(**values | {"epoch": epoch, "step": 10 * epoch})


def table(folder):
    with (folder / METRICS_FILE).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def packages(monkeypatch):
    """Which of the packages that metrics may go to are installed."""
    installed = set()
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: name if name in installed else None)
    return installed


def test_the_table_grows_by_an_epoch_and_begins_with_those_of_the_checkpoint(tmp_path, packages):
    metrics = Metrics(tmp_path, [])
    assert not (tmp_path / METRICS_FILE).exists()
    for epoch in (1, 2, 3):
        metrics.add(row(epoch))
    assert [line["epoch"] for line in table(tmp_path)] == ["1", "2", "3"]
    assert tuple(table(tmp_path)[0]) == COLUMNS
    assert float(table(tmp_path)[1]["ema_loss"]) == row(2).ema_loss
    again = Metrics(tmp_path, [row(1)])  # the checkpoint is older than the table
    assert [line["epoch"] for line in table(tmp_path)] == ["1"]
    again.add(row(2))
    again.close()
    assert [line["epoch"] for line in table(tmp_path)] == ["1", "2"]


def test_tensorboard_where_it_is_installed(tmp_path, packages, monkeypatch):
    said = []

    class Writer:
        def __init__(self, folder, purge_step):
            said.append((folder, purge_step))

        def add_scalar(self, *given):
            said.append(given)

        def flush(self):
            pass

        def close(self):
            said.append("closed")

    packages.add("tensorboard")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    metrics = Metrics(tmp_path, [row(1)])
    metrics.add(row(2))
    metrics.close()
    assert said[0] == (str(tmp_path / "tensorboard"), 11)
    assert ("top1", row(2).top1, 20) in said
    assert said[-1] == "closed"


def test_wandb_where_it_is_asked_for(tmp_path, packages, monkeypatch):
    said = []
    run = types.SimpleNamespace(log=lambda values, step: said.append((step, values)), finish=lambda: said.append("end"))
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=lambda **given: said.append(given) or run))
    with pytest.raises(UserError, match="--wandb needs the package wandb, which is not installed; pip install wandb"):
        Metrics(tmp_path, [], run={"id": "abc"})
    packages.add("wandb")
    metrics = Metrics(tmp_path, [], run={"id": "abc", "name": "tiny"})
    metrics.add(row(1))
    metrics.close()
    assert (said[0]["id"], said[0]["resume"]) == ("abc", "allow")
    assert said[1][0] == 10
    assert said[1][1]["ema_top1"] == row(1).ema_top1
    assert said[2] == "end"


def test_accuracy_by_the_kind_of_weights():
    metrics = row(3)
    assert metrics.accuracy("ema") == Accuracy(top1=metrics.ema_top1, top5=metrics.ema_top5, loss=metrics.ema_loss)
    assert metrics.accuracy("last") == Accuracy(top1=metrics.top1, top5=metrics.top5, loss=metrics.loss)
