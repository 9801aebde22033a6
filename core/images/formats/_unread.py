"""Image files that people have and that are not read: what they are called, and what to make of them."""

from __future__ import annotations

from pathlib import PurePosixPath

_JPEG, _PNG, _TIFF, _FRAMES = "export it as JPEG", "export it as PNG", "export it as TIFF", "export its frames as PNG"
_UNREAD = (
    ("A HEIC photo", "export it as JPEG, or let the phone take “most compatible” photos", ".heic .heif .hif"),
    ("A JPEG XL image", _PNG, ".jxl"),
    ("A camera's raw file", "develop it to JPEG or TIFF", ".cr2 .cr3 .nef .arw .dng .orf .rw2 .raf .pef .srw"),
    ("A NIfTI volume", "export its slices as PNG of 16 bits", ".nii .nii.gz"),
    ("A microscope's own file", _TIFF, ".czi .lif .nd2 .oib .oif .vsi .ims .lsm .svs .ndpi .mrxs .scn"),
    ("An image of high dynamic range", _TIFF, ".exr .hdr"),
    ("A drawing or document", _PNG, ".svg .pdf .eps .ai .psd .xcf .emf .wmf"),
    ("An icon or a texture", _PNG, ".ico .cur .icns .dds .tga .qoi .pcx .sgi"),
    ("A film", _FRAMES, ".mp4 .mov .avi .mkv .webm .m4v .mpg .mpeg .wmv"),
)
_SENTENCES = {
    ending: f"{what}, which cannot be read; {make}." for what, make, all_ in _UNREAD for ending in all_.split()
}


def why_unread(name: str) -> str | None:
    """What to say of a file of this name; None where it is not known as an image."""
    endings = PurePosixPath(name.lower()).suffixes
    for count in (2, 1):
        if sentence := _SENTENCES.get("".join(endings[-count:])):
            return sentence
    return None
