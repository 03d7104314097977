"""Subtitles of both forms."""

from __future__ import annotations

WEBVTT = """\
WEBVTT - made for a test

STYLE
::cue { color: white }

NOTE Two lines
of a note

first
00:01.000 --> 00:03.500 align:start position:10%
Première ligne

00:03.500 --> 00:00:05.000
- One
- Two

10:00:00.000 --> 10:00:02.000
The end
"""
SRT = """\
1
00:00:01,000 --> 00:00:03,500
Première ligne

2
00:00:03,500 --> 00:00:05,000
- One
- Two

3
10:00:00,000 --> 10:00:02,000
The end
"""
