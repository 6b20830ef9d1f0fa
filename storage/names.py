"""Which texts are keys."""

from __future__ import annotations

from domain.errors import StorageError


def checked(key: str) -> str:
    """The key, when it stays under the root and is none of the storage's own names. Raises StorageError."""
    if not key.isprintable() or not all(name and not name.startswith(".") for name in key.split("/")):
        raise StorageError("storage: this is no key")
    return key
