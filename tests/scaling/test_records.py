import json
from pathlib import Path

import pytest

from edgenext_search.errors import UserError
from edgenext_search.scaling.records import ScalingResult

OLD = Path(__file__).parents[1] / "old_folders"


@pytest.mark.parametrize("name", ["scale-study", "scale-compare"])
def test_a_summary_is_read_back(name):
    result = ScalingResult.read(json.loads((OLD / name / "summary.json").read_text("utf-8")), where=name)
    assert ScalingResult.read(result.to_dict(), where=name) == result
    assert (result.kind, result.status) == (name.removeprefix("scale-"), "complete")
    assert all(candidate.mean is not None for candidate in result.candidates)


def test_a_damaged_summary_is_refused():
    with pytest.raises(UserError, match=r"summary: .*kind"):
        ScalingResult.read({"kind": "search"}, where="summary")
