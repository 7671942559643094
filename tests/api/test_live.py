"""The report while a run goes on."""

from types import SimpleNamespace

import pytest

from edgenext_search.api import live
from edgenext_search.api.live import LEAST_SECONDS, ReportRefresher


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def setting(monkeypatch):
    clock, written, said = Clock(), [], []

    def write(_folder, _summary, _trials):
        clock.now += setting.takes
        if setting.error:
            raise setting.error
        written.append(clock.now)

    setting = SimpleNamespace(clock=clock, written=written, said=said, takes=0.1, error=None)
    monkeypatch.setattr(live, "write_reports", write)
    monkeypatch.setattr("edgenext_search.search.study.summary.summarize", lambda *_, **__: {})
    folder = SimpleNamespace(open_store=lambda *_, **__: SimpleNamespace(records=list))
    setting.refresher = ReportRefresher(folder, None, None, said.append, clock=clock, work=clock)
    return setting


def go(setting, seconds):
    setting.clock.now += seconds
    setting.refresher.jobs_started("Cohort", [], since=0, until=1)


def test_it_is_written_now_and_then(setting):
    go(setting, 1)
    assert setting.written == []
    go(setting, LEAST_SECONDS)
    go(setting, 1)
    assert len(setting.written) == 1
    go(setting, LEAST_SECONDS)
    assert len(setting.written) == 2


def test_a_slow_report_is_written_rarely(setting):
    setting.takes = 10.0
    go(setting, LEAST_SECONDS)
    go(setting, 499)
    assert len(setting.written) == 1
    go(setting, 2)
    assert len(setting.written) == 2


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ZeroDivisionError("a bug")])
def test_a_failure_is_said_once_and_the_study_goes_on(setting, error):
    setting.error = error
    for _ in range(3):
        go(setting, 1000)
    assert len(setting.said) == 1
    assert "the study goes on" in setting.said[0]
