"""The benchmark page's upper half: the machine, what to measure, and the measurement while it runs."""

from __future__ import annotations

import streamlit as st

from core.base.errors import AppError
from core.benchmark.environment import Environment, read_environment
from core.benchmark.job import BenchmarkJob
from core.benchmark.plan import (
    DEFAULT_COUNTS,
    DEFAULT_MODES,
    MAX_REPEATS,
    MODE_LABELS,
    MODES,
    SUBJECT_LABELS,
    SUBJECT_NAMES,
    BenchmarkPlan,
)
from core.engines.registry import engine_names
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.benchmark.state import Benchmarks
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS

_FIRST_COUNTS = ("50", "100")  # a first run that takes half a minute

_MODES_HELP = (
    "Inference only: inputs ready in memory. End to end: from the file's bytes to the class, nothing decoded before. "
    "Already ingested: the app's recognition of images it has decoded before."
)
_BASELINES_HELP = (
    "The baselines are the straightforward pipelines people write first: Pillow, torchvision transforms and the model, "
    "one batch of 8 after the other. They are measured end to end."
)


def environment_card(session: Session) -> None:
    """The machine in a few words, all of it on request, and a warning where INT8 has nothing to run on."""
    environment = read_environment()
    sets = environment.instruction_sets or {}
    with st.container(border=True):
        st.markdown(f"**{escape(environment.cpu)}** · {_cores(environment)} · {environment.memory_gb:g} GB memory")
        if sets:
            chips = (
                f":green-badge[:material/check: {escape(name)}]"
                if there
                else f":gray-badge[:material/close: {escape(name)}]"
                for name, there in sets.items()
            )
            st.markdown(" ".join(chips))
        if environment.int8_warning:
            st.warning(escape(environment.int8_warning), icon=":material/speed:")
        with st.expander("System and versions", icon=":material/memory:"):
            rows = {"System": environment.system, "Python": environment.python, **environment.versions}
            rows["Model"] = f"{session.model.card.title}, files {session.model.checksum}"
            st.markdown("\n".join(f"- {escape(name)}: {escape(value)}" for name, value in rows.items()))
    st.caption(
        "A benchmark runs on this server while other sessions keep working: they share the machine. Their work slows "
        "the figures, and the benchmark slows their pages a little."
    )


def plan_form(session: Session, stack: ImageStack, found: Benchmarks) -> None:
    """What to measure, and the button that starts it."""
    settings = get_runtime().settings
    with st.container(border=True):
        left, right = st.columns(2)
        engines = left.multiselect(
            "Engines",
            SUBJECT_NAMES,
            [name for name in engine_names() if not session.model.missing(name)],
            format_func=SUBJECT_LABELS.__getitem__,
            help=_BASELINES_HELP,
        )
        modes = right.multiselect("Modes", MODES, DEFAULT_MODES, format_func=MODE_LABELS.__getitem__, help=_MODES_HELP)
        typed = left.multiselect(
            "Images",
            [str(count) for count in DEFAULT_COUNTS],
            _FIRST_COUNTS,
            accept_new_options=True,
            help=f"Choose or type numbers. This stack has {len(stack):,} images; larger numbers repeat them.",
        )
        with right:
            first, second = st.columns(2)
        batch_size = first.number_input(
            "Batch size",
            min_value=1,
            max_value=settings.max_batch_size,
            value=None,
            placeholder="Automatic",
            help="Images per inference call. Left empty, each engine takes its own measured one.",
            key="benchmark-batch-size",
        )
        repeats = second.number_input(
            "Repeats", 1, MAX_REPEATS, 3, help="Passes of each measurement; the figures are their medians."
        )
        swept = st.toggle(
            "Sweep batch sizes × streams", help="Where the fastest OpenVINO engine is fastest; takes half a minute."
        )
        if st.button("Run benchmark", type="primary", icon=":material/speed:"):
            plan = BenchmarkPlan(
                engines=tuple(engines),
                modes=tuple(modes),
                counts=tuple(sorted(_number(text) for text in typed)),
                batch_size=batch_size or 0,
                repeats=repeats,
                sweep=swept,
            )
            _start(session, stack, found, plan)
        _outcome(found)


@st.fragment(run_every=REFRESH_SECONDS)
def progress(session: Session, found: Benchmarks) -> None:
    """The measurement that runs or waits for its turn, and a button to stop it."""
    job = found.job
    if job is None or job.status != "running":
        st.rerun()
        return
    state = job.state
    left = state.seconds_left
    doing = escape(session.waiting_text) if job.waiting else escape(state.text)
    text = doing if left is None else f"{doing} · about {max(1, round(left)):,} s left"
    with st.container(border=True):
        st.progress(min(state.done / state.total, 1.0), text=text)
        if st.button("Cancel", icon=":material/close:", key="cancel-benchmark"):
            job.cancel()


def _start(session: Session, stack: ImageStack, found: Benchmarks, plan: BenchmarkPlan) -> None:
    runtime = get_runtime()
    try:
        plan.check(runtime.settings)
    except AppError as error:
        st.error(escape(error), icon=":material/error:")
        return
    turn = session.take_turn(stack.id, "heavy")
    found.job = BenchmarkJob(plan, stack, session.model, runtime.settings, runtime.store.folder, turn)
    session.watch(found.job)
    st.rerun()


def _outcome(found: Benchmarks) -> None:
    if found.job is None:
        return
    if found.job.status == "failed":
        st.error(escape(found.job.message), icon=":material/error:")
    elif found.job.status == "cancelled":
        st.info(escape(found.job.message), icon=":material/cancel:")


def _number(text: str) -> int:
    """A typed number of images; what is none becomes 0, which the plan refuses with a sentence."""
    digits = text.replace(",", "").strip()
    return int(digits) if digits.isdecimal() and len(digits) < 10 else 0


def _cores(environment: Environment) -> str:
    cores = f"{environment.cores:,} cores"
    return cores if environment.cpu_quota is None else f"{cores}, limited to the time of {environment.cpu_quota:g}"
