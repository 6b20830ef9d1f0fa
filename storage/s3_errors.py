"""What may be told of an object store's errors: the messages of answers hold URLs."""

from __future__ import annotations

import re


def answer(error: Exception) -> str:
    """For people."""
    said = code(error)
    return f"it answers {said}" if said else "it does not answer"


def code(error: Exception) -> str:
    """What S3 calls the error, else its HTTP status; empty when nothing was answered."""
    text = str(error)
    found = re.search(r"<Code>(\w{1,64})</Code>", text) or re.search(r"status code: (\d{3})", text)
    return found[1] if found else ""


def first_line(error: Exception) -> str:
    """Of an error in the options, for whoever has set them."""
    return str(error).partition("\n")[0][:200]
