"""Uploads in parts that a killed process has left: invisible in the bucket, and paid for."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from urllib.parse import quote
from urllib.request import Request, urlopen
from xml.sax.saxutils import unescape

from storage.s3_signing import Signer

logger = logging.getLogger(__name__)

SECONDS = 60  # that a signature lasts
TIMEOUT = 5.0
_UPLOAD = re.compile("<Upload>(.*?)</Upload>", re.DOTALL)
_KEY, _ID = re.compile("<Key>(.*?)</Key>"), re.compile("<UploadId>(.*?)</UploadId>")


def abort_uploads(signer: Signer, bucket_url: str, prefix: str) -> None:
    """Give up those whose key begins with ``prefix``. Never raises: the bucket's own rules may do it as well."""
    try:
        for key, upload in _listed(signer, bucket_url, prefix):
            url = f"{bucket_url}/{quote(key)}"
            _answer(signer.signed("DELETE", url, {"uploadId": upload}, SECONDS), "DELETE")
    except (OSError, ValueError):
        logger.debug("Unfinished uploads could not be removed", exc_info=True)


def _listed(signer: Signer, bucket_url: str, prefix: str) -> Iterator[tuple[str, str]]:
    text = _answer(signer.signed("GET", bucket_url, {"uploads": "", "prefix": prefix}, SECONDS), "GET")
    for upload in _UPLOAD.findall(text):  # at most a thousand; a purge comes again
        if (key := _KEY.search(upload)) and (number := _ID.search(upload)):
            yield unescape(key[1]), unescape(number[1])


def _answer(url: str, method: str) -> str:
    request = Request(url, method=method)  # noqa: S310 - the operator's own endpoint
    with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
        body: bytes = answer.read()
        return body.decode()
