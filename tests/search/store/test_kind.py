from types import SimpleNamespace

import pytest

from edgenext_search.errors import UserError
from edgenext_search.search.store.kind import require_search
from edgenext_search.search.store.records import ScalingFacts, StudyFacts
from edgenext_search.search.store.run_folder import RunFolder


def test_a_scaling_study_is_refused_with_what_reports_it(tmp_path):
    run = RunFolder(tmp_path / "my sizes")
    require_search(run, SimpleNamespace(facts=StudyFacts))
    with pytest.raises(UserError, match=f"`edgenext-search scale report '{run.path}'` writes its report"):
        require_search(run, SimpleNamespace(facts=lambda: StudyFacts(scaling=ScalingFacts(plan={}))))
