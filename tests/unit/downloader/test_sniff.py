"""Web pages and what only looks like one."""

from __future__ import annotations

import time

import pytest

from services.downloader.sniff import SNIFFED_BYTES, is_html


@pytest.mark.parametrize(
    "head",
    [
        b"<!DOCTYPE html>",
        b"<!doctype HTML PUBLIC",
        b"\n\t <html>",
        b"\xef\xbb\xbf<html lang='en'>",
        b"<!-- a --><!-- b -->\n<head>",
        b"<?xml version='1.0'?>\n<!DOCTYPE html>",
        b"<script >",
        b"<title>",
    ],
)
def test_pages(head: bytes) -> None:
    assert is_html(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"\x00\x00\x00\x20ftypmp42",
        b"\x0b\x77\x00",
        b"<?xml version='1.0'?><tt xmlns='http://www.w3.org/ns/ttml'>",
        b"<tt>",
        b"<htmlish>",
        b"<!-- only a comment -->",
        b"WEBVTT <html>",
        b"1\n00:00:01,000 --> 00:00:02,000\n<html>",
    ],
)
def test_other_files(head: bytes) -> None:
    assert not is_html(head)


def test_no_input_is_slow() -> None:
    start = time.perf_counter()
    for head in (b"<!---->" * 300, b"<!--" * 400, b" " * 1445, b"<?xml " * 300, b"<!-- --> " * 200):
        assert not is_html(head[:SNIFFED_BYTES])
    assert time.perf_counter() - start < 0.5
