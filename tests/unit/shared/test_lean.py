"""Imports that leave extras out, and garbage alone."""

from __future__ import annotations

import gc
import sys
from unittest.mock import patch

import pytest

from shared.lean import lean_imports, without


def test_what_was_hidden_can_be_had_afterwards() -> None:
    sys.modules.pop("colorsys", None)
    with without("colorsys", "json"):
        with pytest.raises(ImportError):
            __import__("colorsys")
        assert __import__("json") is sys.modules["json"], "it was there before"
    assert __import__("colorsys").rgb_to_hls(0, 0, 0) == (0, 0, 0)


def test_garbage_is_not_looked_for_meanwhile_and_never_among_what_was_imported() -> None:
    sys.modules.pop("colorsys", None)
    with patch("gc.freeze") as freeze:
        with lean_imports("colorsys"):
            assert not gc.isenabled()
            with pytest.raises(ImportError):
                __import__("colorsys")
            freeze.assert_not_called()
        freeze.assert_called_once_with()
    assert gc.isenabled()
