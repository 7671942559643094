"""Figures as files."""

import builtins

import pytest

from edgenext_search.errors import UserError
from edgenext_search.report.render.static import check_formats, write_figures
from edgenext_search.report.run.document import run_document
from edgenext_search.search.results import Importance

from ..builders import a_latency, a_summary, some_trials

pytest.importorskip("matplotlib")
TRIALS = some_trials(24, failed=2)
MAGIC = {"pdf": b"%PDF", "png": b"\x89PNG", "svg": b"<?xml"}


def some(*names):
    summary, trials = a_latency(TRIALS[:20])
    importance = Importance(method="PED-ANOVA", quantile=0.25, n=20, values={"a": 1.0})
    figures = run_document(summary.model_copy(update={"importance": importance}), trials).figures()
    return {name: figures[name] for name in names}


def test_every_kind_of_figure(tmp_path):
    names = ("fig-params", "fig-latency-predicted", "fig-choice-kernel-size-stage-1", "fig-importance")
    written = write_figures(some(*names), tmp_path / "figures", ["svg"])
    assert {path.name for path in written} == {f"{name.removeprefix('fig-')}.svg" for name in names}


def test_every_format(tmp_path):
    written = write_figures(some("fig-edf"), tmp_path, ["pdf", "png", "svg"])
    assert len(written) == 3
    for path in written:
        assert path.read_bytes().startswith(MAGIC[path.suffix[1:]])


def test_files_are_the_same_each_time(tmp_path):
    figure = some("fig-best")
    first, second = (write_figures(figure, tmp_path / name, ["pdf", "svg"]) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_sparse_studies(tmp_path):
    for trials in ([], some_trials(1), some_trials(4, failed=4)):
        write_figures(run_document(a_summary(trials), trials).figures(), tmp_path, ["svg"])


def test_formats():
    assert check_formats("pdf, PNG,pdf") == ["pdf", "png"]
    for text in ("jpg", "", "pdf,gif"):
        with pytest.raises(UserError, match="pdf, png, svg"):
            check_formats(text)


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"edgenext-search\[figures\]"):
        check_formats("pdf")
