"""Which texts are keys."""

from __future__ import annotations

from domain.errors import StorageError


def checked(key: str) -> str:
    """The key, when it stays under the root and is none of the storage's own names. Raises StorageError."""
    bounded = f"/{key}/"
    if "//" in bounded or "/." in bounded or not key.isprintable():  # no name is empty or begins with a dot
        raise StorageError("storage: this is no key")
    return key
