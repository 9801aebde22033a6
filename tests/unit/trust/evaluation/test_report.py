"""An evaluation written down: JSON, CSV and HTML say the same, and a stranger's text does nothing in any of them."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from core.base.spreadsheet import from_text
from core.trust.evaluation.answers import Judged
from core.trust.evaluation.compare import compare_runs
from core.trust.evaluation.evaluation import Evaluation, Pairing, Run
from core.trust.evaluation.html_report import PAIRS_SHOWN, to_html
from core.trust.evaluation.known import KnownClasses, match
from core.trust.evaluation.notes import of_match
from core.trust.evaluation.report import FLIPS_TOLD, WORST_TOLD, EvaluationReport
from core.trust.evaluation.sentences import accuracy_sentence, comparison_sentence, coverage_sentence
from core.trust.evaluation.tables import CLASS_COLUMNS, IMAGE_COLUMNS, classes_csv, images_csv
from tests.unit.trust.evaluation.judgements import judged, random_judged

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=HYPERLINK(1)",
    "+1|cmd!A1",
    "javascript:alert(1)",
    "</style><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
)


def evaluation(found: list[Judged], classes: tuple[str, ...], names: tuple[str, ...], title: str = "m") -> Evaluation:
    known = KnownClasses({int(index): classes[0] for index in found[0].images}, "folders")
    matched = match(known, classes, title)
    engines = ("openvino-int8", "pytorch-fp32")
    runs = tuple(
        Run(title, title, engine, f"{title} {engine}", matched, one, tuple(of_match(matched)))
        for engine, one in zip(engines, found, strict=False)
    )
    pairings = []
    if len(runs) > 1 and (pair := compare_runs(found[0], classes, found[1], classes)) is not None:
        pairings = [Pairing(0, 1, pair)]
    return Evaluation("stack.zip", names, known, runs, tuple(pairings), ())


def a_small_one() -> Evaluation:
    first = judged([0, 0, 1], [0, 1, 1], [0.9, 0.8, 0.7])
    second = judged([0, 0, 1], [0, 0, 0], [0.9, 0.6, 0.95])
    return evaluation([first, second], ("cat", "dog"), ("a.png", "b.png", "c.png"))


def test_figures_in_json() -> None:
    report = EvaluationReport.of(a_small_one())
    first, second = report.runs
    assert (first.top1.value, second.top1.value) == (0.6667, 0.6667)
    assert first.top5 is None
    assert [(one.name, one.recall.value, one.precision.value) for one in first.classes] == [
        ("cat", 0.5, 1.0),
        ("dog", 1.0, 0.5),
    ]
    assert [(one.file, one.known, one.named, one.rank) for one in first.worst] == [("b.png", "cat", "dog", 0)]
    (pair,) = report.comparisons
    assert (pair.both_right, pair.first_only, pair.second_only, pair.both_wrong) == (1, 1, 1, 0)
    assert EvaluationReport.model_validate_json(report.model_dump_json()) == report


def test_sentences_say_intervals_and_never_call_agreement_accuracy() -> None:
    report = EvaluationReport.of(a_small_one())
    (pair,) = report.comparisons
    assert accuracy_sentence(report.runs[0]) == "66.7% (20.8% to 93.8%) right of 3 images."
    assert comparison_sentence(pair).startswith("Both are right equally often, of 3 images")
    assert "p = 1.0000" in comparison_sentence(pair)
    eighty = next(one for one in report.runs[0].coverage if one.threshold == 0.8)
    assert coverage_sentence(eighty) == (
        "Answering only from 80% on leaves 66.7% of images (20.8% to 93.8%) and 50.0% (9.4% to 90.5%) right."
    )
    nothing = next(one for one in report.runs[0].coverage if one.threshold == 0.99)
    assert coverage_sentence(nothing) == "No image has a confidence of 99%."


@pytest.mark.parametrize(
    ("only", "other", "lead", "chance"),
    [(10, 1, "A is right more often than B", False), (1, 3, "B is right more often than A", True)],
)
def test_a_difference_that_may_be_chance_says_so(only: int, other: int, lead: str, chance: bool) -> None:
    truth = [0] * (only + other + 5)
    first = judged(truth, [0] * only + [1] * other + [0] * 5)
    second = judged(truth, [1] * only + [0] * other + [0] * 5)
    found = evaluation([first, second], ("cat", "dog"), tuple(f"{n}.png" for n in truth))
    pair = EvaluationReport.of(found).comparisons[0].model_copy(update={"first": "A", "second": "B"})
    assert comparison_sentence(pair).startswith(lead)
    low, high = map(
        float, re.findall(r"interval of the difference ([+-][\d.]+) to ([+-][\d.]+)", comparison_sentence(pair))[0]
    )
    points = float(re.findall(r"by ([\d.]+) points", comparison_sentence(pair))[0])
    assert low <= points <= high, "the interval is that of what is said, whoever comes first"
    assert ("chance" in comparison_sentence(pair)) == chance


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_a_line_for_each_image_and_each_class_of_each_run() -> None:
    images = rows(images_csv(a_small_one()))
    assert tuple(images[0]) == IMAGE_COLUMNS
    assert len(images) == 6
    assert (images[1]["position"], images[1]["file"], images[1]["known_class"]) == ("2", "b.png", "cat")
    assert (images[1]["class"], images[1]["right"], images[1]["rank"]) == ("dog", "0", "0")
    classes = rows(classes_csv(a_small_one()))
    assert tuple(classes[0]) == CLASS_COLUMNS
    assert [(one["class"], one["images"], one["right"], one["named"]) for one in classes[:2]] == [
        ("cat", "2", "1", "1"),
        ("dog", "1", "1", "2"),
    ]


def hostile_one() -> Evaluation:
    names = tuple(f"{text}/{number}.png" for number, text in enumerate(HOSTILE * 3))
    found = random_judged(len(names), len(HOSTILE), 1, right=0.3)
    other = random_judged(len(names), len(HOSTILE), 2, right=0.3)
    return evaluation([found, other], HOSTILE, names, title=HOSTILE[0])


def test_no_cell_runs_as_a_formula() -> None:
    for text in (images_csv(hostile_one()), classes_csv(hostile_one())):
        for row in rows(text):
            for name, cell in row.items():
                assert name in ("position", "right", "rank") or not cell.startswith(("=", "+", "-", "@"))
    assert {from_text(row["known_class"]) for row in rows(images_csv(hostile_one()))} <= set(HOSTILE)


class Page(HTMLParser):
    """What a browser would make of it: elements, what they refer to, and their text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_asks_for_nothing_runs_nothing_and_shows_strangers_text_as_it_is() -> None:
    made = to_html(EvaluationReport.of(hostile_one()))
    page = Page(made)
    assert page.addresses == []
    assert page.handlers == []
    assert not {"script", "img", "iframe", "link", "object", "base", "form"} & set(page.elements)
    assert page.elements.count("svg") == 4, "two charts, and a matrix for each run"
    assert "url(" not in made
    assert "@import" not in made
    assert re.findall(r'<meta http-equiv="Content-Security-Policy" content="default-src \'none\';', made)
    for text in HOSTILE:
        assert text in page.text


def test_a_thousand_classes_and_all_wrong_stay_a_page_that_can_be_read() -> None:
    classes = tuple(f"class {number:04}" for number in range(1000))
    random = np.random.default_rng(0)
    truth = random.integers(0, 1000, 5000)
    found = judged(truth, (truth + 1 + random.integers(0, 3, 5000)) % 1000)
    other = judged(truth, (truth + 5) % 1000)
    names = tuple(f"{number}.png" for number in range(5000))
    report = EvaluationReport.of(evaluation([found, other], classes, names))
    made = to_html(report)
    assert len(made) < 1_000_000
    assert made.count("<tr>") < 2 * (200 + PAIRS_SHOWN + WORST_TOLD + 30) + FLIPS_TOLD + 30
    assert "the worst 200 of 1000" in made
    assert len(report.runs[0].worst) == WORST_TOLD
    assert len(report.comparisons[0].flips) == FLIPS_TOLD
    counts = [pair.images for pair in report.runs[0].confusion]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == 5000, "the whole matrix is in the file"
