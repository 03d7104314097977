"""Texts that are delivered in place of sound: pages, error bodies, parts of a set of files."""

from __future__ import annotations

from codecs import getincrementaldecoder

from services.validator.formats.kinds import Kind, Recognised
from services.validator.formats.signatures import SINGLE_FILE

_SET = "Dolby Atmos Master File set"
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\f\r")


def recognise_text(head: bytes) -> Recognised:
    """Say which text it is, or that the file is of no known kind."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<") and (b"<html" in text or text.startswith(b"<!doctype html")):
        return Recognised(Kind.HTML, "HTML page")
    if text.startswith((b"<?xml", b"<")) and b">" in text and _is_text(head):
        return Recognised(Kind.TEXT, "XML document")
    if text.startswith((b"{", b"[")) and _is_text(head):
        return Recognised(Kind.TEXT, "JSON document")
    return _recognise_set(text) or _recognise_plain(head)


def _recognise_set(text: bytes) -> Recognised | None:
    if b"presentations:" in text and text.startswith(b"version:"):
        return Recognised(Kind.OTHER_IMMERSIVE, f"{_SET} (.atmos)", advice=SINGLE_FILE)
    if b"events:" in text and b"samplerate:" in text:
        return Recognised(Kind.OTHER_IMMERSIVE, f"{_SET} (.atmos.metadata)", advice=SINGLE_FILE)
    return None


def _recognise_plain(head: bytes) -> Recognised:
    if _is_text(head) and head.strip():
        return Recognised(Kind.TEXT, "text file")
    return Recognised(Kind.UNKNOWN, "file of no known kind")


def _is_text(head: bytes) -> bool:
    """Whether bytes are UTF-8, cut anywhere, without control characters."""
    try:
        getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return _CONTROLS.isdisjoint(head)
