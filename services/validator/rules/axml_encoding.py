"""The characters of the axml chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.registry import Finding, rule
from shared.adm.model import Adm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_UTF_8 = "UTF-8"


@rule(
    AdmMaster,
    "axml_encoding",
    spec="ITU-R BS.2088 §7; Dolby Atmos Master ADM Profile v1.0",
    fix='Write the XML in UTF-8, and declare encoding="UTF-8" or none.',
)
def axml_encoding(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The XML is in UTF-8, whatever else an XML reader could read."""
    if isinstance(master.adm, Adm) and master.adm.encoding.upper() not in ("", _UTF_8):
        yield Finding(
            detail="The XML declares another encoding than UTF-8.",
            location=master.offset_of("axml"),
            measured=master.adm.encoding,
            allowed=_UTF_8,
        )
