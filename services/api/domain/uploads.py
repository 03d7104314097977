"""Uploads: files that clients bring themselves, through signed links."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from services.api.domain.changes import NewTask
    from services.api.domain.task import Master, Target

COLLECTION: Final = "uploads"
PURPOSE: Final = b"stagedoor upload links 1"
"""What the deployment's secret keys are derived for."""
GENERATION: Final = 1
"""In the place of a task's generation in the keys of uploaded bytes."""

MASTER: Final = "master"
COVER: Final = "cover"
DEFAULT_TTL: Final = timedelta(hours=1)
MIN_TTL, MAX_TTL = timedelta(minutes=1), timedelta(days=7)
MIN_PAUSE, MAX_PAUSE = timedelta(seconds=2), timedelta(minutes=1)
KEPT: Final = timedelta(days=7)
"""How long a stored upload is kept that nothing has taken over."""


class UploadState(StrEnum):
    """Bytes are waited for; they are here; a record or a cover has them, the upload no more.

    What is kept is an asset: its bytes are here until somebody deletes it.
    """

    WAITING = "waiting"
    STORED = "stored"
    IMPORTED = "imported"
    KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What files of a kind may be: ``types`` are their media types, any if there are none.

    ``limit`` bounds their bytes besides the operator's limit. Of what ``is_master`` import tasks
    can be made; what ``is_cover`` becomes that of its target.
    """

    limit: int | None = None
    types: tuple[str, ...] = ()
    is_master: bool = False
    is_cover: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    MASTER: Kind(is_master=True),
    COVER: Kind(
        limit=20 * 1024 * 1024, types=("image/jpeg", "image/png", "image/webp"), is_cover=True
    ),
}
"""By name; what is not said of a file is that it is a master."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file, expected or here.

    ``size_limit`` is the most bytes that it may have; ``declared_size`` and ``declared_md5`` what
    it must have, if the client has said so. ``master`` is where its bytes are while they are its
    own. ``task`` is the import task to be made of it once it is stored, ``target`` what it is
    the cover of. ``expires_at`` is the end of its link while it is waited for, later that of itself
    unless it is kept. ``look_at`` is when the store is asked next whether the file is there, of one
    that goes straight into it. ``session_id`` is the upload session that it was made in.
    """

    id: UUID
    tenant: str
    kind: str
    state: UploadState
    version: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    size_limit: int
    declared_size: int | None = None
    declared_md5: str | None = None
    file_name: str | None = None
    content_type: str | None = None
    master: Master | None = None
    task: NewTask | None = None
    target: Target | None = None
    look_at: datetime | None = None
    session_id: UUID | None = None

    @property
    def ends_at(self) -> datetime | None:
        """The end of its link or of itself; None while it is kept."""
        return None if self.state is UploadState.KEPT else self.expires_at

    @property
    def most(self) -> int:
        """The most bytes that can be right."""
        return self.size_limit if self.declared_size is None else self.declared_size

    def key(self, run_id: UUID) -> str:
        """Where one go at its bytes keeps them: as a run's, with the upload as the task."""
        return f"{self.tenant}/{self.id}/{GENERATION}/{run_id}"

    def looked_for(self, now: datetime) -> Upload:
        """The same when the store is being asked: the longer it has waited, the rarer that is."""
        pause = min(max((now - self.created_at) / 10, MIN_PAUSE), MAX_PAUSE)
        return replace(self, look_at=now + pause)

    @property
    def drop_key(self) -> str:
        """Where its bytes gather that do not come in one go."""
        return self.key(self.id)
