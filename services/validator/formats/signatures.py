"""First bytes by which files are known, and what to deliver instead of them."""

from __future__ import annotations

from services.validator.formats.kinds import Kind, Recognised

SINGLE_FILE = "Export the master as one ADM BWF file (.wav): a set of files is not taken."
UNPACKED = "Deliver the master itself, unpacked."
NO_AUDIO = "Deliver the master: an ADM BWF file, or a stream that is coded with Dolby Atmos."
FROM_MASTER = "Deliver the Dolby Atmos master as ADM BWF."
RAW = "raw stream"

_OTHER, _IMMERSIVE, _UNKNOWN = Kind.OTHER_AUDIO, Kind.OTHER_IMMERSIVE, Kind.UNKNOWN
SIGNATURES = (
    (0, b"\xac\x40", Recognised(Kind.AC4, RAW, "AC-4")),
    (0, b"\xac\x41", Recognised(Kind.AC4, RAW, "AC-4")),
    (4, b"\xf8\x72\x6f\xba", Recognised(Kind.TRUEHD, RAW, "TrueHD")),
    (4, b"\xf8\x72\x6f\xbb", Recognised(_OTHER, RAW, "MLP")),
    (0, b"\xc0\x01\xa5", Recognised(_IMMERSIVE, RAW, "MPEG-H", FROM_MASTER)),
    (0, b"fLaC", Recognised(_OTHER, "FLAC file")),
    (28, b"OpusHead", Recognised(_OTHER, "Ogg", "Opus")),
    (29, b"vorbis", Recognised(_OTHER, "Ogg", "Vorbis")),
    (29, b"FLAC", Recognised(_OTHER, "Ogg", "FLAC")),
    (0, b"OggS", Recognised(_OTHER, "Ogg")),
    (8, b"AIFF", Recognised(_OTHER, "AIFF", "PCM")),
    (8, b"AIFC", Recognised(_OTHER, "AIFF-C")),
    (0, b"riff\x2e\x91\xcf\x11", Recognised(_OTHER, "W64", "PCM", FROM_MASTER)),
    (0, b"DSD \x1c\0\0\0", Recognised(_OTHER, "DSF", "DSD")),
    (0, b"FRM8", Recognised(_OTHER, "DSDIFF", "DSD")),
    (0, b"wvpk", Recognised(_OTHER, "WavPack file")),
    (0, b"ID3", Recognised(_OTHER, "MP3 file")),
    (0, b"DTSHDHDR", Recognised(_OTHER, "DTS-HD file", "DTS-HD")),
    (0, b"\x7f\xfe\x80\x01", Recognised(_OTHER, RAW, "DTS")),
    (0, b"\xfe\x7f\x01\x80", Recognised(_OTHER, RAW, "DTS")),
    (0, b"\x1f\xff\xe8\x00", Recognised(_OTHER, RAW, "DTS")),
    (0, b"\xff\x1f\x00\xe8", Recognised(_OTHER, RAW, "DTS")),
    (0, b"\x64\x58\x20\x25", Recognised(_OTHER, RAW, "DTS-HD")),
    (0, b"\x40\x41\x1b\xf2", Recognised(_IMMERSIVE, RAW, "DTS:X", FROM_MASTER)),
    (0, b"PK\x03\x04", Recognised(_UNKNOWN, "ZIP archive", advice=UNPACKED)),
    (0, b"\x1f\x8b", Recognised(_UNKNOWN, "gzip file", advice=UNPACKED)),
    (0, b"7z\xbc\xaf\x27\x1c", Recognised(_UNKNOWN, "7-Zip archive", advice=UNPACKED)),
    (0, b"Rar!\x1a\x07", Recognised(_UNKNOWN, "RAR archive", advice=UNPACKED)),
    (257, b"ustar", Recognised(_UNKNOWN, "tar archive", advice=UNPACKED)),
    (0, b"%PDF", Recognised(_UNKNOWN, "PDF document", advice=NO_AUDIO)),
    (0, b"\x89PNG\r\n\x1a\n", Recognised(_UNKNOWN, "PNG image", advice=NO_AUDIO)),
    (0, b"\xff\xd8\xff", Recognised(_UNKNOWN, "JPEG image", advice=NO_AUDIO)),
    (0, b"GIF8", Recognised(_UNKNOWN, "GIF image", advice=NO_AUDIO)),
    (8, b"WEBP", Recognised(_UNKNOWN, "WebP image", advice=NO_AUDIO)),
    (0, b"II*\0", Recognised(_UNKNOWN, "TIFF image", advice=NO_AUDIO)),
    (0, b"MM\0*", Recognised(_UNKNOWN, "TIFF image", advice=NO_AUDIO)),
)
MP4_CODECS = {
    "ec-3": (Kind.EAC3, "E-AC-3"),
    "ac-4": (Kind.AC4, "AC-4"),
    "mlpa": (Kind.TRUEHD, "TrueHD"),
    "ac-3": (_OTHER, "AC-3"),
    "mp4a": (_OTHER, "AAC"),
    "alac": (_OTHER, "ALAC"),
    "fLaC": (_OTHER, "FLAC"),
    "Opus": (_OTHER, "Opus"),
    "ipcm": (_OTHER, "PCM"),
    "fpcm": (_OTHER, "PCM"),
    "lpcm": (_OTHER, "PCM"),
    "sowt": (_OTHER, "PCM"),
    "twos": (_OTHER, "PCM"),
    "in24": (_OTHER, "PCM"),
    ".mp3": (_OTHER, "MP3"),
    "mha1": (_IMMERSIVE, "MPEG-H"),
    "mha2": (_IMMERSIVE, "MPEG-H"),
    "mhm1": (_IMMERSIVE, "MPEG-H"),
    "mhm2": (_IMMERSIVE, "MPEG-H"),
    "iamf": (_IMMERSIVE, "IAMF"),
    "dtsc": (_OTHER, "DTS"),
    "dtse": (_OTHER, "DTS"),
    "dtsh": (_OTHER, "DTS-HD"),
    "dtsl": (_OTHER, "DTS-HD"),
    "dtsx": (_IMMERSIVE, "DTS:X"),
}
MATROSKA_CODECS = (
    (b"A_TRUEHD", "TrueHD"),
    (b"A_EAC3", "E-AC-3"),
    (b"A_AC3", "AC-3"),
    (b"A_DTS", "DTS"),
    (b"A_FLAC", "FLAC"),
    (b"A_OPUS", "Opus"),
    (b"A_VORBIS", "Vorbis"),
    (b"A_AAC", "AAC"),
    (b"A_PCM", "PCM"),
    (b"A_MPEG", "MPEG audio"),
)
