"""A small app that mounts the viewer and the gallery on generated images: ``streamlit run component_app.py``.

Image ``i`` is one flat colour with a white block in its top left quarter, so that a test can tell from the
canvas which image is shown and how it is turned. Image 7 cannot be read; image 9 answers slowly; image 25 is
16-bit grey, its values rising from 1000 by one for each column.
"""

from __future__ import annotations

import asyncio
import colorsys
import io
import sys
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.images.display import to_picture
from core.images.pixels import to_rgb
from core.images.samples import pack

WIDTH, HEIGHT = 500, 375
BROKEN, SLOW, DEEP = 7, 9, 25
IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}
LABELS = ("cat", "dog", "tabby cat with a long name")


def colour(index: int) -> tuple[int, int, int]:
    """The colour of image ``index``; neighbours differ clearly."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.55, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)


def png(index: int, width: int, height: int) -> bytes:
    """PNG bytes of image ``index``."""
    image = Image.new("RGB", (width, height), colour(index))
    image.paste((255, 255, 255), (0, 0, width // 4, height // 4))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def samples(index: int) -> np.ndarray:
    """``[H, W, C]`` samples of image ``index`` as they would be in its file."""
    if index == DEEP:
        return np.broadcast_to(np.arange(1000, 1000 + WIDTH, dtype=np.uint16)[:, np.newaxis], (HEIGHT, WIDTH, 1))
    return np.asarray(Image.open(io.BytesIO(png(index, WIDTH, HEIGHT))))


def name(index: int) -> str:
    """File name of image ``index``; one of them holds markup, which must stay text."""
    return "<img src=x onerror=alert(1)>.png" if index == 3 else f"series é/frame_{index + 1:05d}.png"


async def index_route(request: Request) -> Response:
    """The index of a stack of as many images as its id says."""
    count = int(request.path_params["stack_id"].rsplit("-", 1)[1])
    kinds = {DEEP: "16-bit grey"}
    images = [[name(index), WIDTH, HEIGHT, kinds.get(index, "8-bit RGB"), 345_000] for index in range(count)]
    return JSONResponse({"id": request.path_params["stack_id"], "images": images}, headers=IMMUTABLE)


async def image_route(request: Request) -> Response:
    """One image, or its thumbnail."""
    index = int(request.path_params["index"])
    if index == BROKEN:
        return JSONResponse({"code": "image_invalid", "detail": "The PNG ends too early."}, status_code=422)
    if request.path_params["kind"] == "thumbnail":
        return Response(png(index, 192, 144), media_type="image/png", headers=IMMUTABLE)
    if index == SLOW:
        await asyncio.sleep(1)
    if request.path_params["kind"] == "values":
        body, headers = pack(samples(index), gzip=True)
        return Response(body, headers=IMMUTABLE | headers)
    if index == DEEP:
        return Response(to_picture(to_rgb(samples(index))).content, media_type="image/png", headers=IMMUTABLE)
    return Response(png(index, WIDTH, HEIGHT), media_type="image/png", headers=IMMUTABLE)


async def results_route(request: Request) -> Response:
    """Answers for the even images; two engines that differ on image 4."""
    results = {}
    for index in range(0, 40, 2):
        label = LABELS[index // 2 % 3]
        other = "dog" if index == 4 else label
        results[index] = [
            [label, 0.983 - index / 100, "OpenVINO INT8", "starter"],
            [other, 0.91, "PyTorch FP32", "starter"],
        ]
    return JSONResponse({"results": results})


SCRIPT = Path(__file__).with_name("component_page.py")
# Routes of one's own do not follow Streamlit's base path by themselves.
BASE = f"{st.get_option('server.baseUrlPath').strip('/')}/test-api/stacks/{{stack_id}}".lstrip("/")
app = st.App(
    SCRIPT.resolve(),
    routes=[
        Route(f"/{BASE}/index", index_route),
        Route(f"/{BASE}/results", results_route),
        Route(f"/{BASE}/images/{{index:int}}/{{kind}}", image_route),
    ],
)
