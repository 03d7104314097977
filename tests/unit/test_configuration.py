"""docs/configuration.md names every setting, whose it is and its default, and no other."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic_core import PydanticUndefined

from cli.location import SERVER, TOKEN
from services.api.settings import ApiSettings
from services.downloader.settings import DownloaderSettings
from services.publisher.settings import PublisherSettings
from services.validator.settings import ValidatorSettings
from shared.bus.roles import Role

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
ROWS = {
    name: (default, set(readers.split(", ")))
    for name, default, readers in re.findall(
        r"^\| `(STAGEDOOR_\w+)` \| (.+?) \| ([a-z, ]+) \| .+ \|$", DOCUMENT, re.MULTILINE
    )
}
SETTINGS: dict[str, type[BaseSettings]] = {
    "api": ApiSettings,
    "downloader": DownloaderSettings,
    "validator": ValidatorSettings,
    "publisher": PublisherSettings,
}


def _variable(field: str) -> str:
    return f"STAGEDOOR_{field.upper()}"


@pytest.mark.parametrize("service", SETTINGS)
def test_the_table_is_that_of_the_settings(service: str) -> None:
    documented = {name for name, (_, readers) in ROWS.items() if service in readers}
    assert documented == {_variable(field) for field in SETTINGS[service].model_fields}


@pytest.mark.parametrize("service", SETTINGS)
def test_defaults_are_those_of_the_settings(service: str) -> None:
    for field, info in SETTINGS[service].model_fields.items():
        shown, _ = ROWS[_variable(field)]
        if info.default is PydanticUndefined:
            made = info.default_factory() if info.default_factory else None  # type: ignore[call-arg] # takes no data
            assert shown == f"`{made}`".replace(version("stagedoor"), "<version>")
        elif info.default not in {None, ""}:
            value = f"{info.default:g}" if isinstance(info.default, float) else info.default
            assert shown == f"`{value}`"
        else:
            # What is derived from other settings is told in words.
            assert shown == "none" or "data folder" in shown


def test_no_other_variable_is_named() -> None:
    ours = {*ROWS, SERVER, TOKEN, *(role.password_variable for role in Role)}
    assert set(re.findall(r"STAGEDOOR_\w+", DOCUMENT)) == ours
