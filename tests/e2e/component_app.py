"""A small app that mounts the viewer and the gallery on generated images: ``streamlit run component_app.py``.

Image ``i`` is one flat colour with a white block in its top left quarter, so that a test can tell from the
canvas which image is shown and how it is turned. Image 7 cannot be read; image 25 is 16-bit
grey, its values rising from 1000 by one for each column.
"""

from __future__ import annotations

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

from core.api.schemas.columns import AnswerColumns, AnswerRun, ImageColumns, PixelKind
from core.images.display import to_picture
from core.images.pixels import to_rgb
from core.images.samples import pack
from core.stacks.sources.names import natural_key
from pages._ui.components.assets import script_route

WIDTH, HEIGHT = 500, 375
BROKEN, DEEP = 7, 25
IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}
MAP_BOX = ((WIDTH - HEIGHT) / 2, 0, (WIDTH + HEIGHT) / 2, HEIGHT)
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
    names = [name(index) for index in range(count)]
    by_name = sorted(range(count), key=lambda index: natural_key(names[index]))
    columns = ImageColumns(
        names=names,
        widths=[WIDTH] * count,
        heights=[HEIGHT] * count,
        file_sizes=[345_000] * count,
        kinds=[
            PixelKind(bit_depth=8, colour="RGB", highest=255, description="8-bit RGB"),
            PixelKind(bit_depth=16, colour="grey", highest=65535, description="16-bit grey"),
        ],
        kind=[int(index == DEEP) for index in range(count)],
        name_ranks=sorted(range(count), key=by_name.__getitem__),
    )
    return JSONResponse(columns.model_dump(), headers=IMMUTABLE)


async def image_route(request: Request) -> Response:
    """One image, or its thumbnail."""
    index = int(request.path_params["index"])
    if index == BROKEN:
        return JSONResponse({"code": "image_invalid", "detail": "The PNG ends too early."}, status_code=422)
    if request.path_params["kind"] == "thumbnail":
        return Response(png(index, 192, 144), media_type="image/png", headers=IMMUTABLE)
    if request.path_params["kind"] == "values":
        body, headers = pack(samples(index), gzip=True)
        return Response(body, headers=IMMUTABLE | headers)
    if index == DEEP:
        return Response(to_picture(to_rgb(samples(index))).content, media_type="image/png", headers=IMMUTABLE)
    return Response(png(index, WIDTH, HEIGHT), media_type="image/png", headers=IMMUTABLE)


async def results_route(request: Request) -> Response:
    """Answers for the even images; two engines that differ on image 4."""
    images = list(range(0, 40, 2))
    classes = [index // 2 % 3 for index in images]
    others = [LABELS.index("dog") if index == 4 else place for index, place in zip(images, classes, strict=True)]
    first = [0.983 - index / 100 for index in images]
    second = [0.91] * len(images)
    columns = AnswerColumns(
        labels=list(LABELS),
        runs=[
            AnswerRun(
                engine="OpenVINO INT8",
                engine_name="int8",
                model="starter",
                images=images,
                classes=classes,
                confidences=first,
                calibrated=True,
                known_scores=[0.01 if index == 6 else 0.5 for index in images],
                threshold=0.05,
            ),
            AnswerRun(
                engine="PyTorch FP32",
                engine_name="fp32",
                model="starter",
                images=images,
                classes=others,
                confidences=second,
                calibrated=False,
                known_scores=None,
                threshold=0.05,
            ),
        ],
    )
    return JSONResponse(columns.model_dump())


async def explanation_route(request: Request) -> Response:
    """A map over the middle square: INT8 looks at its right half, FP32 at its left one; image 2 has none."""
    if int(request.path_params["index"]) == 2:
        return JSONResponse({"detail": "This model gives no maps."}, status_code=422)
    label = request.query_params.get("class", "cat")
    low, high = (-1.0, 2.0) if label == "cat" else (0.0, 0.0)
    row = [low, low, high, high] if request.query_params["engine"] == "int8" else [high, high, low, low]
    return JSONResponse(
        {
            "class": label,
            "confidence": 0.75 if label in LABELS else None,
            "best": [{"class": known, "confidence": 0.75} for known in LABELS],
            "box": MAP_BOX,
            "map": [row] * 4,
        }
    )


SCRIPT = Path(__file__).with_name("component_page.py")
# Routes of one's own do not follow Streamlit's base path by themselves.
ROOT = f"/{path}" if (path := str(st.get_option("server.baseUrlPath")).strip("/")) else ""
BASE = f"{ROOT}/test-api/stacks/{{stack_id}}"
app = st.App(
    SCRIPT.resolve(),
    routes=[
        script_route(ROOT),
        Route(f"{BASE}/index", index_route),
        Route(f"{BASE}/results", results_route),
        Route(f"{BASE}/images/{{index:int}}/explanation", explanation_route),
        Route(f"{BASE}/images/{{index:int}}/{{kind}}", image_route),
    ],
)
