"""``backup`` and ``restore``: the embedded stack in a folder, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.api.admin.front import executor, say
from services.api.use_cases.backup import Backup, Places, require_embedded
from services.api.use_cases.restore import restore
from shared.blobs.open import open_store

if TYPE_CHECKING:
    import argparse

    from services.api.admin.front import Nouns
    from services.api.settings import ApiSettings

WRONG = 1


def add(nouns: Nouns) -> None:
    """Declare the commands."""
    backup = nouns.add_parser("backup", help="copy everything into a folder that is made")
    backup.add_argument("folder", type=Path)
    backup.set_defaults(action=_backup)
    back = nouns.add_parser("restore", help="bring a backup into an empty data folder")
    back.add_argument("folder", type=Path)
    back.set_defaults(action=_restore)


async def _backup(settings: ApiSettings, arguments: argparse.Namespace) -> int:
    require_embedded(settings.database(), settings.store_url())
    store = open_store(settings.store_url(), scratch=settings.data_dir / "scratch")
    # Keys that come from the environment are the operator's to keep.
    data_dir = None if settings.secrets_key else settings.data_dir
    async with executor(settings) as units:
        backup = Backup(units, store, Places(target=arguments.folder.absolute(), secrets=data_dir))
        manifest = await backup.run(_complain)
    say(f"{manifest.blobs} masters, {manifest.bytes} bytes, in {arguments.folder}")
    return WRONG if manifest.wrong else 0


async def _restore(settings: ApiSettings, arguments: argparse.Namespace) -> int:
    require_embedded(settings.database(), settings.store_url())
    result = await restore(arguments.folder.absolute(), settings.data_dir.absolute(), _complain)
    say(f"{result.blobs} masters, {result.bytes} bytes, in {settings.data_dir}")
    return WRONG if result.wrong else 0


def _complain(line: str) -> None:
    sys.stderr.write(f"wrong: {line}\n")
