"""The table of trials: stable columns, and a CSV that reads back as it was."""

import csv
from dataclasses import replace

import pandas as pd
import pytest

from edgenext_search.report.trials.table import COLUMNS, read_csv, trials_frame, write_csv
from edgenext_search.search.store.records import Losses

from ..builders import HOSTILE, a_trial, some_trials


def test_columns_are_stable():
    assert ",".join(COLUMNS) == (
        "number,state,cohort,origin,fingerprint,score,epochs,params,madds,acts,memory,footprint,seconds,seed,widths,depths,"
        "kernel_sizes,sdta_splits,sdta_blocks,heads,expand_ratio,pos_emb,norm_act,reason,duplicate_of,"
        "on_params_front,on_madds_front,loss,train_loss,latency,recent_loss"
    )


@pytest.mark.parametrize("trials", [[], some_trials(1), some_trials(24, failed=3)], ids=["none", "one", "many"])
def test_frame_has_the_columns_and_dtypes(trials):
    frame = trials_frame(trials)
    assert list(frame.columns) == list(COLUMNS)
    assert [str(dtype) for dtype in frame.dtypes] == list(COLUMNS.values())
    assert list(frame["number"]) == [trial.number for trial in trials]


def test_a_row_says_all_of_a_trial():
    trial = a_trial(3, reason=None, duplicate_of=1)
    row = trials_frame([trial]).iloc[0]
    assert row["score"] == trial.score
    assert row["epochs"] == 6
    assert row["params"] == trial.cost.params
    assert row["widths"] == "-".join(str(width) for width in trial.candidate.widths)
    assert row["duplicate_of"] == 1
    assert pd.isna(row["reason"])
    assert row["on_params_front"]


def test_losses_are_those_of_the_last_rung(tmp_path):
    early, late = Losses(held_out=1.5, train=2.5), Losses(held_out=1.25, train=2.0)
    trials = [
        a_trial(0, losses=((2, early), (6, late))),
        a_trial(1, scores=(0.4,), losses=((2, early),)),
        a_trial(2, losses=((2, early),)),  # an older record
        a_trial(3, losses=((6, Losses(train=2.0)),)),
    ]
    write_csv(trials, tmp_path / "trials.csv")
    frame = read_csv(tmp_path / "trials.csv")
    assert [None if pd.isna(value) else value for value in frame["loss"]] == [1.25, 1.5, None, None]
    assert [None if pd.isna(value) else value for value in frame["train_loss"]] == [2.0, 2.5, None, 2.0]


def test_only_full_fidelity_is_on_a_front():
    frame = trials_frame(some_trials(40, failed=2))
    on_front = frame[frame["on_params_front"] | frame["on_madds_front"]]
    assert set(on_front["state"]) == {"complete"}
    assert set(on_front["epochs"]) == {6}


def test_csv_reads_back_as_it_was(tmp_path):
    trials = some_trials(16, failed=2)
    trials[3] = replace(trials[3], reason=f'{HOSTILE}, two\nlines and\r\n"quotes"; NA', duplicate_of=2)
    trials[4] = replace(trials[4], reason="NA", seconds=0.1 + 0.2)
    path = tmp_path / "report" / "trials.csv"
    write_csv(trials, path)
    pd.testing.assert_frame_equal(read_csv(path), trials_frame(trials))


def test_csv_of_no_trials_has_its_header(tmp_path):
    write_csv([], tmp_path / "trials.csv")
    frame = read_csv(tmp_path / "trials.csv")
    assert list(frame.columns) == list(COLUMNS)
    assert frame.empty


def test_csv_is_plain_for_other_readers(tmp_path):
    write_csv(some_trials(2), tmp_path / "trials.csv")
    with (tmp_path / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["0", "1"]
    assert rows[0]["widths"] == "24-48-88-168"
