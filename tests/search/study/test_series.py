import pytest

from edgenext_search.errors import StudyFailedError
from edgenext_search.search.study.series import FAILURES_AT_START, check_start


def test_three_failures_and_no_score_end_a_series():
    with pytest.raises(StudyFailedError, match=r"first 3 long trainings all failed, so the audit stops.*: third"):
        check_start(["first", "second", "third"], scored=False, trainings="long trainings", subject="audit")


@pytest.mark.parametrize(("failures", "scored"), [(FAILURES_AT_START - 1, False), (10, True), (0, False)])
def test_fewer_failures_or_any_score_do_not(failures, scored):
    check_start(["no luck"] * failures, scored=scored, trainings="trials")
