"""Where masters may be fetched from: one rule for the API at create and the downloader at connect.

``OriginPolicy.canonical`` turns what a client wrote into the one spelling that is stored and
fetched; ``OriginPolicy.allows`` judges an address that a name resolved to. Standard library only.
"""

from __future__ import annotations

from shared.origin.policy import OriginPolicy
from shared.origin.refused import OriginRefused

__all__ = ["OriginPolicy", "OriginRefused"]
