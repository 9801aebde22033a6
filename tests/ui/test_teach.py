"""The Teach page as a script. What is done in the browser is in tests/e2e and tests/js."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.recognition.results import THRESHOLD
from core.runtime import get_runtime
from core.teach.live import LiveTeaching
from tests.builders import photo_png, zip_bytes
from tests.helpers import wait_until
from tests.ui.app import ROUTER, run, session
from tests.unit.teach.stripes import stripes_files

EACH = 12  # lying ones at 0 to 11, upright ones at 12 to 23


@pytest.fixture
def teach(app: AppTest) -> AppTest:
    """The page with a stack of stripes."""
    session(app).open(BytesIO(zip_bytes(stripes_files(EACH))), "stripes.zip")
    return run(app.switch_page(str(Path(ROUTER).parent / "teach.py")))


def live_of(app: AppTest) -> LiveTeaching:
    found = session(app).live
    assert found is not None
    return found


def learned(app: AppTest) -> AppTest:
    """The page once all that was said has been learned."""
    live = live_of(app)
    live.refresh()
    wait_until(lambda: not live.pending, "all to be learned")
    return run(app)


def label(app: AppTest, each: int) -> AppTest:
    live_of(app).labels.assign(range(each), "lying")
    live_of(app).labels.assign(range(EACH, EACH + each), "upright")
    return learned(app)


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.info, app.caption, app.success, app.warning, app.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def press(app: AppTest, text: str) -> AppTest:
    next(button for button in app.button if button.label.startswith(text)).click()
    return run(app)


def add_class(app: AppTest, name: str) -> AppTest:
    next(field for field in app.text_input if field.label == "New class").input(name)
    return press(app, "Add")


def test_without_a_stack_it_says_what_it_is_for_and_the_way(app: AppTest) -> None:
    run(app.switch_page(str(Path(ROUTER).parent / "teach.py")))
    assert "recognises the rest" in texts(app)
    assert "Open one on the Viewer page" in texts(app)
    assert not app.text_input


def test_it_says_what_to_do_at_every_point(teach: AppTest) -> None:
    assert "Name at least two classes" in texts(teach)
    add_class(teach, "lying")
    add_class(teach, "upright")
    assert live_of(teach).labels.classes == ("lying", "upright")
    assert "Still to label before there are suggestions: 2 of lying, 2 of upright" in texts(teach)
    live_of(teach).labels.assign([0, 1], "lying")
    assert "suggestions: 2 of upright" in texts(learned(teach))
    label(teach, 2)
    assert "Enter accepts the suggestion" in texts(teach)
    assert "Still to label" not in texts(teach)


@pytest.mark.parametrize(("name", "why"), [("=1+1", "formula"), ("lying", ""), ("   ", "")])
def test_a_name_that_is_none_is_refused_in_one_sentence_and_changes_nothing(
    teach: AppTest, name: str, why: str
) -> None:
    add_class(teach, "lying")
    add_class(teach, name)
    assert live_of(teach).labels.classes == ("lying",)
    assert (len(teach.error) == 1) == bool(why)
    assert all(why in error.value for error in teach.error)
    add_class(teach, "upright")
    assert not teach.error, "it is said until the next change"


def test_classes_are_renamed_and_removed_with_their_labels(teach: AppTest) -> None:
    label(teach, 2)
    next(field for field in teach.text_input if field.label == "New name").input("flat")
    press(teach, "Rename")
    assert live_of(teach).labels.counts == {"flat": 2, "upright": 2}
    press(teach, "Remove the class")
    assert live_of(teach).labels.counts == {"upright": 2}
    live_of(teach).labels.undo()
    assert live_of(teach).labels.counts == {"flat": 2, "upright": 2}


def label_mode(app: AppTest) -> AppTest:
    """The viewer page, where Label mode is turned on or off."""
    next(one for one in app.toggle if one.label == "Label").set_value(not session(app).labelling)
    return run(app)


def test_label_mode_of_the_viewer_has_the_labels_of_the_teach_page(teach: AppTest) -> None:
    label(teach, 2)
    run(teach.switch_page(str(Path(ROUTER).parent / "viewer.py")))
    assert not [field for field in teach.text_input if field.label == "New class"], "it is off until somebody wants it"
    assert [button for button in teach.button if button.label.startswith("All (")]
    watched = live_of(teach)
    label_mode(teach)
    assert live_of(teach) is watched
    assert "Enter accepts the suggestion" in texts(teach)
    assert not [button for button in teach.button if button.label.startswith("All (")], "nor are there answers"
    add_class(teach, "oblique")
    run(teach.switch_page(str(Path(ROUTER).parent / "teach.py")))
    assert live_of(teach).labels.counts == {"lying": 2, "upright": 2, "oblique": 0}
    run(teach.switch_page(str(Path(ROUTER).parent / "viewer.py")))
    label_mode(teach)
    assert [button for button in teach.button if button.label.startswith("All (")]
    assert live_of(teach).labels.counts == {"lying": 2, "upright": 2, "oblique": 0}


def test_label_mode_ends_with_its_stack(teach: AppTest) -> None:
    run(teach.switch_page(str(Path(ROUTER).parent / "viewer.py")))
    label_mode(teach)
    assert session(teach).live is not None
    session(teach).open(BytesIO(zip_bytes(stripes_files(3))), "others.zip")
    run(teach)
    assert session(teach).live is None, "nobody looks at the new stack unasked"
    assert not session(teach).labelling


def test_folder_names_become_labels(teach: AppTest) -> None:
    press(teach, "From folder names")
    assert live_of(teach).labels.counts == {"lying": EACH, "upright": EACH}


def test_too_few_to_judge_is_said_and_no_number_stands_there(teach: AppTest) -> None:
    label(teach, 2)
    assert "Judging needs three labelled images of each class" in texts(teach)
    assert not teach.metric


def test_how_good_it_is_with_its_interval_and_what_would_help(teach: AppTest) -> None:
    label(teach, 4)
    (metric,) = [one for one in teach.metric if one.label == "Right on examples it had not seen"]
    assert metric.value == "100.0%"
    assert metric.delta == "68% to 100%"
    assert "would help most" in texts(teach)
    assert "Fewer than 10 examples of lying, upright: the estimate is rough" in texts(teach)
    assert "onfidence" not in texts(teach), "a share is none"


def test_what_was_judged_before_the_latest_change_says_so(teach: AppTest) -> None:
    label(teach, 4)
    assert "before your latest changes" not in texts(teach)
    live_of(teach).labels.assign([5], "lying")
    assert "before your latest changes" in texts(run(teach))


def test_sure_ones_are_accepted_together_and_taken_back_together(teach: AppTest) -> None:
    label(teach, 3)
    live_of(teach).threshold = 0.0
    run(teach)
    button = next(button for button in teach.button if button.label.startswith("Accept "))
    count = int(button.label.split()[1])
    assert count > 0
    press(teach, "Look at them first")
    assert len(session(teach).view.selected) == count
    assert len(live_of(teach).labels.by_image) == 6, "looking labels nothing"
    press(teach, "Accept ")
    assert live_of(teach).labels.counts == {"lying": 3 + count, "upright": 3}
    live_of(teach).labels.undo()
    assert live_of(teach).labels.counts == {"lying": 3, "upright": 3}


def test_the_most_similar_images_are_selected(teach: AppTest) -> None:
    learned(teach)
    next(field for field in teach.number_input if field.label == "How many").set_value(5)
    run(teach)
    before = session(teach).view_version
    press(teach, "Select the most similar")
    assert session(teach).view_version > before, "the browser is told"
    selected = session(teach).view.selected
    assert len(selected) == 5
    assert 0 not in selected
    assert not live_of(teach).labels.by_image


def test_the_threshold_is_moved_and_given_back(teach: AppTest) -> None:
    files = {**stripes_files(EACH), "z.png": photo_png(128, 128)}
    session(teach).open(BytesIO(zip_bytes(files)), "with something else.zip")
    label(run(teach), 8)
    assert live_of(teach).threshold == THRESHOLD
    assert "Automatic" not in [button.label for button in teach.button]
    found = live_of(teach).learned.suggestions
    assert found is not None
    unlike = set(found.indices[found.unknown()].tolist()) - set(live_of(teach).labels.by_image)
    assert 2 * EACH in unlike, "what is neither upright nor lying"
    press(teach, f"Select {len(unlike)} image")
    assert set(session(teach).view.selected) == unlike
    slider = next(slider for slider in teach.slider if slider.label.startswith("Keep of known"))
    assert slider.value == 95
    slider.set_value(100)
    run(teach)
    assert live_of(teach).own_threshold == 0.0
    assert next(button for button in teach.button if button.label == "Select 0 images").disabled
    press(teach, "Automatic")
    assert live_of(teach).own_threshold is None
    assert live_of(teach).threshold == THRESHOLD


def test_labels_outlive_other_pages_and_go_with_their_stack(teach: AppTest) -> None:
    label(teach, 3)
    run(teach.switch_page("inference.py"))
    run(teach.switch_page("teach.py"))
    assert live_of(teach).labels.counts == {"lying": 3, "upright": 3}
    assert live_of(teach).learned.suggestions is not None
    session(teach).open(BytesIO(zip_bytes(stripes_files(3))), "others.zip")
    run(teach)
    assert live_of(teach).labels.counts == {}


@pytest.mark.parametrize("title", ["", "  ", "###"])
def test_a_model_without_a_name_is_not_begun(teach: AppTest, title: str) -> None:
    label(teach, 3)
    next(field for field in teach.text_input if field.label == "Name of the model").input(title)
    press(teach, "Make the model")
    assert "Give the model a name" in texts(teach)
    assert session(teach).teaching_job is None


def test_what_cannot_be_taught_is_said_and_nothing_begins(teach: AppTest) -> None:
    label(teach, 2)
    next(field for field in teach.text_input if field.label == "Name of the model").input("Stripes")
    press(teach, "Make the model")
    assert "at least two classes with three labelled images" in texts(teach)
    assert session(teach).teaching_job is None


def test_a_server_that_keeps_no_models_does_not_offer_it(teach: AppTest) -> None:
    offered = [box.label for box in teach.checkbox]
    assert ("Keep on this computer" in offered) == get_runtime().teaching.may_keep
    assert "lasts as long as this session" in texts(teach)
