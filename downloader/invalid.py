"""The one way to say that what came is not what it should be."""

from __future__ import annotations

from domain.errors import TransferError
from domain.values import FailureType

UTF8_BOM = b"\xef\xbb\xbf"


def invalid(cause: str, sentence: str, *, retry: bool = False) -> TransferError:
    """``retry``: another try may bring something else, since the transfer or a passing fault is to blame."""
    return TransferError(FailureType.INVALID_CONTENT, f"{cause}: {sentence}", retry=retry)


def unrecognised(head: bytes, otherwise: TransferError) -> TransferError:
    """Name text in place of media, which is what error pages are; anything else is ``otherwise``."""
    text = head.removeprefix(UTF8_BOM).lstrip()
    if text.startswith(b"<"):
        return invalid("HTML", "the server sent a page instead of media", retry=True)
    if text.startswith((b"{", b"[")):
        return invalid("JSON", "the server sent a message instead of media", retry=True)
    return otherwise
