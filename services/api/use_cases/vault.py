"""The header fields that private origins ask for: sealed for their task, opened for its download.

They are kept until the task is completed or deleted: a retry needs them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.api.db import header_rows
from services.api.domain import changes
from services.api.domain.changes import Unset
from services.api.domain.headers import SourceHeaders
from services.api.secrets import SecretKeys, Unreadable

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from services.api.domain.task import Task

__all__ = ["Unreadable", "Vault"]


@dataclass(frozen=True, slots=True)
class Vault:
    """Keeps header fields; nobody but a download gets them out."""

    keys: SecretKeys = field(repr=False)

    def find(self, transaction: Transaction, task: Task) -> SourceHeaders | None:
        """The fields of a task. Raises Unreadable when none of the keys opens them."""
        sealed = transaction.find(header_rows.SEALED, task.id)
        if sealed is None:
            return None
        return SourceHeaders(json.loads(self.keys.open(sealed, _place(task))))

    def keep(self, transaction: Transaction, task: Task, headers: SourceHeaders | None) -> None:
        """Seal the fields in the place of those that were there."""
        if headers is None:
            header_rows.remove(transaction, task.id)
        else:
            text = json.dumps(dict(headers.fields)).encode()
            header_rows.put(transaction, task, self.keys.seal(text, _place(task)))

    def change(
        self,
        transaction: Transaction,
        before: Task,
        after: Task,
        wanted: SourceHeaders | Unset | None,
    ) -> bool:
        """Keep what is wanted; whether that is new.

        Fields that were given for one origin are not for another: they go with its URL.
        """
        if isinstance(wanted, Unset):
            if changes.keeps_headers(before.source_uri, after.source_uri):
                return False
            wanted = None
        if wanted == self._present(transaction, before):
            return False
        self.keep(transaction, after, wanted)
        return True

    def fingerprint(self, asked: object) -> str:
        """What tells one request from another without telling the secrets in it."""
        return "" if isinstance(asked, Unset) else self.keys.fingerprint(repr(asked))

    def _present(self, transaction: Transaction, task: Task) -> SourceHeaders | Unreadable | None:
        try:
            return self.find(transaction, task)
        except Unreadable as unreadable:
            return unreadable  # which equals nothing


def _place(task: Task) -> bytes:
    return f"{task.tenant}/{task.id}".encode()
