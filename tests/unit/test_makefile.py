"""What make says on a machine where the set-up cannot work; a stand-in plays its interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOO_OLD = "#!/bin/sh\nexit 1\n"
NO_ENSUREPIP = '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\n'


@pytest.mark.parametrize(
    ("interpreter", "line"),
    [
        (TOO_OLD, "Python 3.11 or newer is needed"),
        (NO_ENSUREPIP, "Python has no ensurepip"),
    ],
)
def test_one_line_says_what_to_install(tmp_path: Path, interpreter: str, line: str) -> None:
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(interpreter)
    python.chmod(0o755)

    command = ["/usr/bin/env", "make", "run", f"PYTHON={python}"]
    env = {"PATH": os.environ["PATH"]}  # of the make that may run this test, nothing is inherited
    made = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False, text=True)

    said, ended = made.stderr.splitlines()
    assert said.startswith(line)
    assert ended.startswith("make: ***")
    assert made.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile", "python", "requirements.txt"]
