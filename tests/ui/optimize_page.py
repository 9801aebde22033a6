"""The Optimize page as a script."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from streamlit.testing.v1 import AppTest

from core.optimize.run import OptimizationJob
from tests.builders import photo_png, zip_bytes
from tests.helpers import SECONDS
from tests.ui.app import ROUTER, session

COUNT = 20


def open_page(app: AppTest, folder: str = "photos", count: int = COUNT, name: str = "photos.zip") -> AppTest:
    """The page with a stack of so many images in one folder."""
    files = {f"{folder}/{number}.png": photo_png(seed=number) for number in range(count)}
    session(app).open(BytesIO(zip_bytes(files)), name)
    return app.switch_page(str(Path(ROUTER).parent / "optimize.py")).run()


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.info, app.caption, app.success, app.warning, app.error, app.subheader)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def press(app: AppTest, label: str) -> AppTest:
    """Press a button and let the optimisation that this starts, if any, end."""
    next(button for button in app.button if button.label.startswith(label)).click().run()
    for job in session(app).optimizations:
        job.wait(SECONDS)
    app.run()
    assert not app.exception
    return app


def calibrate(app: AppTest) -> OptimizationJob:
    press(app, "Calibrate on this stack")
    return session(app).optimizations[-1]


def press_calibrate(app: AppTest) -> OptimizationJob:
    next(button for button in app.button if button.label == "Calibrate on this stack").click().run()
    return session(app).optimizations[-1]
