"""``python -m services.api``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from shared.lean import lean_imports

with lean_imports("rich"):  # the log library would load it for colours
    from services.api.app import run
    from services.api.settings import ApiSettings
    from shared.telemetry.logs import configure
    from shared.telemetry.traces import configure_traces


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.api", description="Serve.")
    parser.add_argument(
        "--prepare",
        metavar="TOKEN_FILE",
        type=Path,
        help="first bring the tables to this version, and keep a token in this file",
    )
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    configure("api")
    end_traces = configure_traces("api")
    try:
        asyncio.run(run(ApiSettings(), arguments.prepare))
    except (OSError, RuntimeError) as error:  # an address that is taken, a folder that is not ours
        sys.exit(f"error: START_FAILED: {error}")
    finally:
        if end_traces:
            end_traces()
