"""Takes what a log must never hold out of texts that others wrote: exceptions, libraries, clients.

The service's own events name nothing secret in the first place; this is the second line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from domain.addresses import redact
from domain.errors import ServiceError

MASK = "***"
MAX_TEXT = 8_192  # characters; more of one value helps nobody, and costs every reader
MIN_SECRET = 6  # characters: a shorter one would take innocent words out of every text

Replacement = str | Callable[[re.Match[str]], str]

# Each is linear in the length of the text, and matches beginnings too: cutting a text first reveals nothing.
_RULES: tuple[tuple[re.Pattern[str], Replacement], ...] = (
    (re.compile(r"[a-z][a-z0-9+.-]{0,15}://\S+", re.IGNORECASE), lambda found: redact(found[0])),
    (re.compile(r"\?[^\s=?]{1,64}=\S*"), f"?{MASK}"),
    (re.compile(r"/media/(?!video_)[\w-]{20,}"), f"/media/{MASK}"),  # signed playback links
    (re.compile(r"\beyJ[\w-]{5,}(?:\.[\w-]*){0,4}"), MASK),  # a JSON Web Token begins with {"
    (re.compile(r"\b(bearer|basic)\s+[^\s\"',;]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\b((?:set-)?cookie|(?:proxy-)?authorization)\b([\"']?\s*[:=,]).*", re.IGNORECASE), rf"\1\2 {MASK}"),
    (re.compile(r"(token|secret|password|api_?key|signature)([\"']\s*:\s*[\"']|=)[^\s\"'&,;]+"), rf"\1\2{MASK}"),
)

# One of these is in whatever a rule matches, in small letters; most texts have none, and to look costs a sixth.
_HINTS = (
    *("://", "?", "/media/", "eyj", "bearer", "basic", "cookie", "authorization"),
    *("token", "secret", "password", "apikey", "api_key", "signature"),
)

# What is between quotes, also where the end is missing; an apostrophe within a word is none.
_QUOTED = re.compile(r"(?:(?<!\w)|(?<=\bb))([\"'])(.*?)(?:\1(?!\w)|$)")
_NAME = re.compile(r"[a-z]{1,20}(?:_[a-z]{1,20})*")  # of an attribute, a column, a constraint
_OF_THE_PROGRAM = (ServiceError, AttributeError, ImportError, NameError, OSError, TypeError)


def message_of(error: BaseException) -> str:
    """The first line of the message: in the others, libraries put SQL, rows and input.

    Errors that speak of values, and not of the program, quote them: only what can be a name is kept of that.
    """
    line = str(error).partition("\n")[0]
    return line if isinstance(error, _OF_THE_PROGRAM) else _QUOTED.sub(_only_names, line)


def _only_names(found: re.Match[str]) -> str:
    return found[0] if _NAME.fullmatch(found[2]) else f"{found[1]}{MASK}{found[1]}"


def _may_match(text: str) -> bool:
    """False where no rule can match. Beyond ASCII, letters have more than two cases."""
    if not text.isascii():
        return True
    small = text.lower()
    for hint in _HINTS:  # noqa: SIM110 - any() takes twice as long
        if hint in small:
            return True
    return False


class Redactor:
    """Masks URL queries and user information, tokens, cookies, and the very ``secrets`` of this deployment."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        known = sorted((re.escape(one) for one in secrets if len(one) >= MIN_SECRET), key=len, reverse=True)
        own: tuple[tuple[re.Pattern[str], Replacement], ...] = ((re.compile("|".join(known)), MASK),) if known else ()
        self._own, self._rules = own, own + _RULES

    def __call__(self, text: str, limit: int = MAX_TEXT) -> str:
        """``text`` without secrets, and at most about ``limit`` characters of it."""
        length, text = len(text), text[: 4 * limit]
        for pattern, replacement in self._rules if _may_match(text) else self._own:
            text = pattern.sub(replacement, text)
        return text if max(length, len(text)) <= limit else f"{text[:limit]}… ({length} characters)"
