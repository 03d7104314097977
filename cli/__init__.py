"""The stagedoor command."""

from __future__ import annotations

import os

# Before gRPC is loaded: what its core has to say of connections is not for who types a command.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
