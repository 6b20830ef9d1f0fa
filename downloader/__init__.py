"""Network to storage. Knows no user, no task and no SQL."""

import sys

# httpx without its command line, which brings click, rich and pygments along: a twentieth of the start of
# `main.py fetch`. None is Python's way to say that a module cannot be imported; httpx goes on without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # see above
