"""How images become model inputs, in words for people."""

from __future__ import annotations

import pytest

from core.images.preprocessing import STANDARD, Preprocessing


@pytest.mark.parametrize(
    ("preprocessing", "fit"),
    [
        (STANDARD, "scaled to 256 px on its shorter side and cut to the central 224 × 224 px"),
        (
            Preprocessing(resize=342, crop=300),
            "scaled to 342 px on its shorter side and cut to the central 300 × 300 px",
        ),
        (Preprocessing(resize=384, crop=384, stretch=True), "stretched to 384 × 384 px"),
    ],
)
def test_what_happens_to_an_image_is_said_as_the_card_has_it(preprocessing: Preprocessing, fit: str) -> None:
    assert preprocessing.fit == fit
    assert ("cut" in fit) != preprocessing.stretch
