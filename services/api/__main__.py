"""``python -m services.api``."""

from __future__ import annotations

import asyncio
import sys

from shared.lean import without

with without("rich"):  # the log library would load it for colours
    from services.api.app import run
    from services.api.settings import ApiSettings
    from shared.telemetry.logs import configure
    from shared.telemetry.traces import configure_traces

if __name__ == "__main__":
    configure("api")
    end_traces = configure_traces("api")
    try:
        asyncio.run(run(ApiSettings()))
    except (OSError, RuntimeError) as error:  # an address that is taken, a folder that is not ours
        sys.exit(f"error: START_FAILED: {error}")
    finally:
        if end_traces:
            end_traces()
