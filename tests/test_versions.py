import torch

from edgenext_search import versions as module
from edgenext_search.versions import versions


def test_versions_of_installed_packages(monkeypatch):
    found = versions()
    assert found["torch"] == torch.__version__.partition("+")[0] or found["torch"] == torch.__version__
    assert list(found)[:2] == ["python", "edgenext-search"]
    monkeypatch.setattr(module, "PACKAGES", ("torch", "no-such-package-anywhere"))
    assert list(versions()) == ["python", "torch"]
