"""Installed versions of the packages that results depend on."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGE = "edgenext-search"
PACKAGES = (PACKAGE, "torch", "timm", "optuna", "numpy", "onnx", "onnxruntime")


def versions() -> dict[str, str]:
    """Installed versions by package; missing packages are left out."""
    installed_versions = {"python": platform.python_version()}
    installed_versions |= {package: version for package in PACKAGES if (version := installed(package))}
    return installed_versions


def installed(package: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
