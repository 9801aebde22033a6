"""Every command in README.md and docs/*.md is run by a test, or there is a reason why none can.

A command that nobody has given a test fails here, and so does a test that is named but gone.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from core.base.settings import PROJECT_ROOT, Settings
from core.models.registry import ModelRegistry
from scripts.dev._chromium import find_chromium
from tests.helpers import SECONDS, wait_until
from tests.packaging.test_container import free_port

HERE = "packaging/test_documented_commands.py"
API_TEST = f"{HERE}::test_the_api_lines_of_the_readme_work_on_a_server_that_run_sh_starts"
COMMAND_LINE_TEST = f"{HERE}::test_the_command_lines_of_the_readme_work"
PICTURES_TEST = f"{HERE}::test_the_pictures_are_taken_from_a_running_app"
SETTINGS_TEST = f"{HERE}::test_the_page_of_settings_is_what_its_command_prints"
README = "README.md"
PROGRAMS = ("./scripts/", ".venv/bin/", "python ", "aisr ", "curl ", "docker ", "hf ", "pip ", "streamlit ", "source ")

# Command -> the test that runs it, with smaller numbers and other folders where the documented ones take long.
TESTED = {
    "./scripts/run.sh": API_TEST,
    "./scripts/run.sh --server.port 8600": API_TEST,
    "./scripts/run.sh --server.port 8600 --server.headless true &": PICTURES_TEST,
    "./scripts/run.sh --server.fileWatcherType auto": PICTURES_TEST,
    "streamlit run app.py": "e2e/test_app.py::",
    "AISR_TRUSTED_PROXIES=127.0.0.1 ./scripts/run.sh --server.baseUrlPath recognizer --server.headless true": (
        "packaging/test_proxy.py::test_the_api_is_there_and_only_there"
    ),
    "AISR_STACK_ROOTS=/data ./scripts/run.sh --server.address localhost": (
        "e2e/test_outcome.py::test_a_job_is_filtered_and_labels_come_along"
    ),
    "source .venv/bin/activate": COMMAND_LINE_TEST,
    "python -m scripts.make_sample_stack stack.zip": API_TEST,
    "python -m scripts.predict stack.zip --out results.csv": COMMAND_LINE_TEST,
    "python -m scripts.predict STACK.zip --engine ENGINE --out results.csv": (
        "unit/scripts/test_predict.py::test_a_zip_becomes_a_csv_in_natural_order"
    ),
    "python -m scripts.evaluate_model starter --data FOLDER": COMMAND_LINE_TEST,
    "python -m scripts.trust_starter --data FOLDER": (
        "unit/scripts/test_trust_starter.py::test_card_and_statistics_are_made_anew_and_the_weights_stay"
    ),
    "python -m core.base.settings": SETTINGS_TEST,
    "pip install --no-deps -e .": "packaging/test_install.py::test_an_editable_one_runs_the_code_of_the_checkout",
    "python -m core.base.settings > docs/settings.md": SETTINGS_TEST,
    "python -m scripts.screenshots --url http://localhost:8600": PICTURES_TEST,
    ".venv/bin/pre-commit install": f"{HERE}::test_pre_commit_can_be_set_up",
    ".venv/bin/pytest tests/unit/stacks/test_hostile_properties.py --hypothesis-profile=long": (
        "unit/stacks/test_hostile_properties.py::"
    ),
    ".venv/bin/python -m tests.fuzz png -max_total_time=600": f"{HERE}::test_the_fuzzers_start",
    ".venv/bin/python -m tests.fuzz archive -max_total_time=600": f"{HERE}::test_the_fuzzers_start",
    ".venv/bin/python -m tests.fuzz tar -max_total_time=600": f"{HERE}::test_the_fuzzers_start",
}
# The same for commands of which the arguments are checked by their own parser: beginning -> test.
TESTED_FAMILIES = {
    "python -m scripts.attack": "packaging/test_attack.py::test_it_names_what_broke_and_holds",
    "python -m scripts.attack --mixed": "packaging/test_attack.py::test_all_at_once_beside_honest_clients",
    "python -m scripts.benchmark ": (
        "unit/scripts/test_benchmark.py::test_it_prints_a_table_and_writes_what_was_asked_for"
    ),
    "aisr ": "packaging/test_install.py::",
    "python -m scripts.benchmark_server ": "packaging/test_benchmark_server.py::",
    "python -m scripts.benchmark_viewer ": "unit/scripts/test_benchmark_viewer.py::",
    "python -m scripts.load ": "api/test_load.py::",
    "python -m scripts.measure_formats ": "unit/scripts/test_measure_formats.py::",
    "python -m scripts.measure_outcome ": "e2e/test_outcome.py::",
    "python -m scripts.measure_known ": "unit/scripts/test_trust_starter.py::test_every_score_gets_a_row",
    "python -m scripts.measure_maps ": "unit/scripts/test_measure_maps.py::",
    "python -m scripts.try_files ": (
        "unit/scripts/test_try_files.py::test_each_file_is_the_same_or_refused_with_a_reason"
    ),
    "python -m scripts.time_teaching ": "unit/scripts/test_time_teaching.py::test_every_wait_has_a_time",
    "python -m scripts.evaluate ": (
        "unit/scripts/test_evaluate.py::test_two_engines_are_evaluated_compared_and_written_down"
    ),
    "python -m scripts.layers ": (
        "unit/scripts/test_layers.py::test_it_names_the_worst_layers_keeps_them_and_measures_again"
    ),
    "python -m scripts.teach ": "unit/scripts/test_teach.py::test_a_model_is_taught_judged_and_used",
    "python -m scripts.predict STACK.zip --maps ": (
        "unit/scripts/test_predict.py::test_maps_are_kept_where_they_are_asked_for"
    ),
    "python -m scripts.predict NEW.zip --model ": "unit/scripts/test_teach.py::test_a_model_is_taught_judged_and_used",
    "python -m scripts.optimize --model imagenet ": (
        "unit/scripts/test_optimize.py::test_imagenet_from_the_web_to_an_installed_int8_model"
    ),
    "python -m scripts.optimize --weights ": "unit/scripts/test_optimize.py::test_own_weights_need_labels_and_a_name",
    "python -m scripts.import_model": "unit/scripts/test_import_model.py::test_an_onnx_file_is_installed",
    "python -m scripts.export_model": "unit/models/test_model_server.py::",
    "python -m scripts.describe_model": (
        "unit/models/test_openvino_info.py::test_describing_changes_no_answer_and_is_done_once"
    ),
    "python -m scripts.batch ": "unit/batch/test_cluster.py::test_a_job_goes_on_and_a_second_run_has_nothing_to_do",
    "python -m scripts.optimize --calibrate ": "unit/scripts/test_optimize.py::",
}
# docs/api.md has a test of its own for all its commands.
TESTED_PAGES = {"api.md": "e2e/test_http.py::test_every_command_of_the_documentation_works"}
NOT_RUN = {
    "./scripts/test.sh": "is what runs this test",
    "./scripts/check.sh": "is the first step of scripts/test.sh",
    "./scripts/dev/lock.sh": "needs the network; test_lock.py checks what it made",
    "./scripts/dev/audit.sh": "needs the network",
    "pip install -r requirements.txt": "is a step of scripts/run.sh, and needs the network",
    "pip install -r requirements-batch.txt": "is a step of scripts/test.sh, and needs the network",
    "docker ": "needs a container engine; test_container.py and test_image_steps.py run what the image is made of",
    "pip install huggingface_hub": "needs an account at Hugging Face",
    "hf ": "needs an account at Hugging Face",
}


def commands_of(text: str) -> list[str]:
    """The commands of a page: lines of shell blocks, one for each command, and those that stand in the text."""
    found = []
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        if language in ("bash", "sh", "shell", "console", ""):
            lines = re.sub(r"\\\n\s*", "", block).splitlines()
            lines = [re.sub(r"(^|\s+)#\s.*$", "", line).strip() for line in lines]
            found += [line for line in lines if line and (language or is_command(line))]
    outside = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return found + [span for span in re.findall(r"`([^`\n]+)`", outside) if is_command(span) and " " in span]


def is_command(text: str) -> bool:
    return re.sub(r"^([A-Z_]+=\S* )+", "", text).startswith(PROGRAMS)


PAGES = [PROJECT_ROOT / README, *sorted((PROJECT_ROOT / "docs").glob("*.md"))]
COMMANDS = sorted(
    {
        (page.name, command)
        for page in PAGES
        for command in commands_of(page.read_text())
        if page.name not in TESTED_PAGES
    }
)
README_API = next(
    block
    for block in re.findall(r"```bash\n(.*?)```", (PROJECT_ROOT / README).read_text(), re.DOTALL)
    if "curl" in block
)


def test_commands_are_found_wherever_a_person_would_read_one() -> None:
    page = (
        "Do `python -m x --y`, not `core/x.py` or `python`.\n```bash\na=1   # why\nb \\\n   --c\n# only words\n```\n"
        "```\ntree/  words\n./scripts/z.sh\n```\n```json\n{}\n```\n"
    )
    assert commands_of(page) == ["a=1", "b --c", "./scripts/z.sh", "python -m x --y"]


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_documented_command_has_a_test_or_a_reason(page: str, command: str) -> None:
    inner = re.sub(r"^([A-Z_]+=\S* )+", "", command)
    of_the_api = page == README and command in commands_of(f"```bash\n{README_API}```")
    known = command in TESTED or of_the_api or inner.startswith((*TESTED_FAMILIES, *NOT_RUN))
    assert known, f"{page}: no test runs {command!r}. Write one, and name it in {HERE}."


def test_no_command_is_listed_that_no_page_has() -> None:
    commands = {command for _, command in COMMANDS}
    assert set(TESTED) <= commands
    for beginning in (*TESTED_FAMILIES, *NOT_RUN):
        assert any(command.startswith(beginning) for command in commands), beginning


@pytest.mark.parametrize("test", sorted({*TESTED.values(), *TESTED_FAMILIES.values(), *TESTED_PAGES.values()}))
def test_every_test_that_is_named_exists(test: str) -> None:
    file, _, name = test.partition("::")
    text = (PROJECT_ROOT / "tests" / file).read_text()
    assert f"def {name or 'test_'}" in text


def parser_of(command: str) -> Callable[[], argparse.ArgumentParser] | None:
    """What reads the arguments of ``python -m scripts.NAME``; None where the script makes it only as it runs."""
    if not command.startswith("python -m scripts."):
        return None
    return getattr(importlib.import_module(command.split()[2]), "_parser", None)


@pytest.mark.parametrize("command", sorted({command for _, command in COMMANDS if parser_of(command)}))
def test_the_scripts_know_the_documented_arguments(command: str) -> None:
    make = parser_of(command)
    assert make is not None
    arguments = shlex.split(command.replace(" ENGINE ", " openvino-fp32 "))[3:]
    make().parse_args(arguments)
    with pytest.raises(SystemExit):
        make().parse_args([*arguments, "--no-such-option"])


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone with its environment already made: that of the tests, by links."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("app.py", "core", "pages", "scripts", "tests", "models", ".streamlit", ".pre-commit-config.yaml"):
        (folder / name).symlink_to(PROJECT_ROOT / name)
    (folder / "docs").mkdir()
    venv = folder / ".venv"
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    # scripts/_python_env.sh changes to the folder that it lies in.
    (folder / "scripts").unlink()
    (folder / "scripts").mkdir()
    for path in (PROJECT_ROOT / "scripts").iterdir():
        if path.name == "dev" or path.suffix in (".py", ".js"):
            (folder / "scripts" / path.name).symlink_to(path)
        elif path.suffix == ".sh":
            (folder / "scripts" / path.name).write_bytes(path.read_bytes())
            (folder / "scripts" / path.name).chmod(path.stat().st_mode)
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-batch.txt"):
        (folder / name).write_bytes((PROJECT_ROOT / name).read_bytes())
        (venv / f".installed-{name}").write_bytes((PROJECT_ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def environment(clone: Path, model_cache: Path) -> dict[str, str]:
    """A person's environment, with folders of its own for what the app writes."""
    return {
        "PATH": f"{clone}/.venv/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(clone),
        "PYTHONPATH": str(clone),
        "AISR_CACHE_DIR": str(model_cache),
        "AISR_DATA_DIR": str(clone / "data"),
        "AISR_WORK_DIR": str(clone / "work"),
        "AISR_BATCH_SIZE": "8",
        "AISR_IMAGENET_AT_START": "no",
        **({"CHROMIUM": chromium} if (chromium := find_chromium()) else {}),
    }


def run(command: str, clone: Path, environment: dict[str, str], *, ok: tuple[int, ...] = (0,)) -> str:
    """Run ``command`` in a shell; its output."""
    done = subprocess.run(
        ["/usr/bin/env", "bash", "-euo", "pipefail", "-c", command],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode in ok, f"{command}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def app(clone: Path, environment: dict[str, str]) -> Iterator[str]:
    """The server that ./scripts/run.sh starts."""
    port = free_port()
    address = f"http://localhost:{port}"
    log = clone / "run.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [clone / "scripts" / "run.sh", "--server.port", str(port), "--server.headless", "true"],
            cwd=clone.parent,
            env=environment,
            stdout=output,
            stderr=output,
        )

    def ready() -> bool:
        assert server.poll() is None, log.read_text()
        try:
            return requests.get(f"{address}/api/health/ready", timeout=60).status_code == 200
        except requests.ConnectionError:
            return False

    try:
        wait_until(ready, "the server")
        yield address
    finally:
        server.terminate()
        server.wait(SECONDS)


@pytest.mark.torch
def test_the_api_lines_of_the_readme_work_on_a_server_that_run_sh_starts(
    app: str, clone: Path, environment: dict[str, str]
) -> None:
    fail = 'curl() { command curl --fail-with-body --silent --show-error "$@"; echo; }\n'
    said = run(fail + README_API.replace("http://localhost:8501", app), clone, environment)
    assert '"class":"cat"' in said.replace(" ", "")
    assert '"class":"error"' not in said.replace(" ", "")
    with Image.open(clone / "first.png") as image:
        assert image.format == "PNG"


@pytest.mark.torch
def test_the_command_lines_of_the_readme_work(clone: Path, environment: dict[str, str]) -> None:
    run("python -m scripts.make_sample_stack stack.zip", clone, environment)
    lines = "source .venv/bin/activate\npython -m scripts.predict stack.zip --out results.csv"
    run(lines, clone, environment)
    assert len((clone / "results.csv").read_text().splitlines()) == 72
    for index, name in enumerate(ModelRegistry(Settings()).get("starter").card.classes):
        folder = clone / "photos" / "val" / name.replace(" ", "_")
        folder.mkdir(parents=True)
        Image.new("RGB", (64, 64), (index * 20, 0, 0)).save(folder / "1.jpg")
    said = run("python -m scripts.evaluate_model starter --data photos", clone, environment, ok=(1,))
    assert "OpenVINO INT8" in said, "12 shades of red do not reproduce the card, and it says so"


def test_the_page_of_settings_is_what_its_command_prints(clone: Path, environment: dict[str, str]) -> None:
    run("python -m core.base.settings > docs/settings.md", clone, environment)
    printed = (clone / "docs" / "settings.md").read_text()
    assert printed == (PROJECT_ROOT / "docs" / "settings.md").read_text(), (
        "docs/settings.md is stale: python -m core.base.settings > docs/settings.md"
    )
    assert str(clone) not in printed


def test_pre_commit_can_be_set_up(clone: Path, environment: dict[str, str]) -> None:
    run(
        "git init --quiet . && .venv/bin/pre-commit install && .venv/bin/pre-commit validate-config", clone, environment
    )
    config = (PROJECT_ROOT / ".pre-commit-config.yaml").read_text()
    for hook, entry in (("pre-commit", "scripts/check.sh"), ("pre-push", "scripts/test.sh --no-browser")):
        assert (clone / ".git" / "hooks" / hook).exists()
        assert f"entry: {entry}" in config
    assert "./scripts/check.sh" in (PROJECT_ROOT / "scripts" / "test.sh").read_text()


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this Python")
@pytest.mark.parametrize("target", ["png", "archive", "tar"])
def test_the_fuzzers_start(target: str, clone: Path, environment: dict[str, str]) -> None:
    said = run(f".venv/bin/python -m tests.fuzz {target} -runs=50", clone, environment)
    assert re.search(r"Done \d+ runs", said)


@pytest.mark.browser
@pytest.mark.torch
def test_the_pictures_are_taken_from_a_running_app(app: str, clone: Path, environment: dict[str, str]) -> None:
    run(f"python -m scripts.screenshots --url {app} --looks wide --wait 0.3 --out pictures", clone, environment)
    for name in ("home", "viewer", "gallery", "inference", "teach", "quality", "label"):
        with Image.open(clone / "pictures" / f"{name}-wide.webp") as image:
            assert image.size == (1280, 900)
            assert len(image.convert("RGB").getcolors(maxcolors=2**24) or []) > 50


def test_every_picture_of_the_documentation_is_there_and_small_enough_to_load() -> None:
    for page in PAGES:
        for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
            size = os.path.getsize(page.parent / path)  # noqa: PTH202
            assert 10_000 < size < 1_500_000, path


def test_every_link_between_the_pages_leads_somewhere() -> None:
    for page in [*PAGES, PROJECT_ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_figures_of_the_starter_model_are_those_of_its_card() -> None:
    scores = ModelRegistry(Settings()).get("starter").card.scores
    int8, fp32 = scores["openvino-int8"], scores["pytorch-fp32"]
    text = (PROJECT_ROOT / README).read_text()
    assert (
        f"top-1 on {fp32.images:,} validation photos: FP32 {fp32.top1:.1%}, INT8 {int8.top1:.1%}; "
        f"same answer on {int8.agreement:.1%}" in text
    )
