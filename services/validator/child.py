"""The child process of the sandbox: limits itself, inspects one file, answers, ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.validator.inspection import inspect
from services.validator.limits import Request
from shared.sandbox.child import apply_limits, run_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.validator.report import Report


def main() -> int:
    """Answer the request on standard input with lines on standard output, each a report.

    The last one counts. The first is our own word, in case that another tool ends the process.
    """
    return run_child(Request, _inspect)


def _inspect(request: Request, tell: Callable[[bytes], None]) -> None:
    apply_limits(request.limits)

    def tell_report(report: Report) -> None:
        tell(report.to_json())

    report = inspect(
        Path(request.path),
        request.profile,
        master_type=request.master_type,
        md5=request.md5,
        stereo_seconds=request.stereo_seconds,
        on_report=tell_report,
    )
    tell_report(report)


if __name__ == "__main__":
    sys.exit(main())
