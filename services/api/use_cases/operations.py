"""Several operations in one transaction: all or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.api.db.transactions import Transaction
from services.api.domain.errors import OperationRefused, Refusal
from services.api.use_cases.once import run_once
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from services.api.db.executor import Executor
    from services.api.domain.principal import Principal
    from services.api.use_cases.vault import Vault

Unit = Callable[[Transaction], Any]
Operation = Callable[[Sequence[Any]], Unit]
"""Given the results of the operations before it, the unit to run."""


def in_order(operations: Sequence[Operation]) -> Callable[[Transaction], tuple[Any, ...]]:
    """One unit of several operations; raises OperationRefused for the first that is refused."""

    def unit(transaction: Transaction) -> tuple[Any, ...]:
        results: list[Any] = []
        for index, operation in enumerate(operations):
            try:
                results.append(operation(results)(transaction))
            except Refusal as refusal:
                raise OperationRefused(index, refusal) from refusal
        return tuple(results)

    return unit


@dataclass(frozen=True, slots=True)
class Operations:
    """Runs operations of any nouns; the vault tells requests apart that may hold secrets."""

    executor: Executor
    vault: Vault

    async def run(
        self,
        who: Principal,
        operations: Sequence[Operation],
        options: Options = AT_ONCE,
        request: object = None,
    ) -> tuple[Any, ...]:
        """The results in order; raises OperationRefused, and then nothing was done.

        ``request`` is what was asked for, to tell requests with the same key apart.
        """
        asked = ("operations", self.vault.fingerprint(request))
        return await run_once(self.executor, who, options, asked, in_order(operations))
