"""The samples of an image as an HTTP body, for programs and for the viewer's exact values and windowing."""

from __future__ import annotations

import imagecodecs

from core.images.formats.format import Pixels

_PROBE_BYTES = 64 * 1024
_WORTHWHILE = 0.8  # compressed to original size; noise hardly shrinks and would only cost time


def pack(samples: Pixels, *, gzip: bool) -> tuple[bytes, dict[str, str]]:
    """Rows of little-endian samples, from the top left, and the headers that tell how to read them.

    ``X-Image-Shape`` is ``height,width,channels``, ``X-Image-Dtype`` ``uint8`` or ``uint16``. With ``gzip`` the
    body is compressed where a piece from the middle of the image shrinks enough to be worth it.
    """
    little_endian = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    body = little_endian.tobytes()
    headers = {
        "X-Image-Shape": ",".join(map(str, samples.shape)),
        "X-Image-Dtype": samples.dtype.name,
        "Vary": "Accept-Encoding",
    }
    start = max(0, (len(body) - _PROBE_BYTES) // 2)
    probe = body[start : start + _PROBE_BYTES]
    if gzip and len(_gzip(probe)) < _WORTHWHILE * len(probe):
        return _gzip(body), headers | {"Content-Encoding": "gzip"}
    return body, headers


def _gzip(data: bytes) -> bytes:
    return bytes(imagecodecs.gzip_encode(data, level=1))
