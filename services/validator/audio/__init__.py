"""What a master sounds like: one streaming pass over its samples, in constant memory."""

from __future__ import annotations

import shared.adm  # noqa: F401 - it says how many threads NumPy takes, before NumPy is imported
