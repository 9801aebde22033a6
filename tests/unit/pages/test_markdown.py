"""Whatever the pages draw as Markdown is a text of the program's own, a number, or went through ``escape``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "pages").rglob("*.py"))

# What Streamlit reads as Markdown: the first argument of these, and of every call the keywords.
DRAWS = {
    *("markdown", "caption", "error", "warning", "info", "success", "toast", "title", "header", "subheader", "write"),
    *("button", "download_button", "form_submit_button", "link_button", "page_link", "badge", "spinner", "status"),
    *("expander", "popover", "tabs", "metric", "progress", "toggle", "checkbox", "radio", "pills"),
    *("selectbox", "multiselect", "number_input", "text_input", "text_area", "file_uploader", "slider"),
    *("segmented_control", "select_slider", "feedback", "camera_input", "date_input", "time_input", "exception"),
}
KEYWORDS = {"label", "body", "text", "help", "title"}
MORE = {"metric": (0, 1, 2), "progress": (1,)}  # positions, where it is not the first alone

MAKES_TEXT = {
    *("engine_label", "escape", "format_names", "images", "megabytes", "quote"),
    *("len", "round", "min", "max", "sum"),
}
# Texts of our own that no rule below can see; a new one needs a reason to stand here.
OUR_OWN = {
    *("attempts.py: job.recipe.title", "attempts.py: untried[0].title"),  # core.optimize.graph
    "attempts.py: job.status",  # one of four words
    *("gate_report.py: label", "gate_report.py: value", "gate_report.py: beside", "gate_report.py: meaning"),
    *("run_panel.py: label", "saved.py: title", "downloads.py: title"),  # a loop over literals
    *("attempts.py: FP32.label", "run_panel.py: default_engine().label"),
    *("run_panel.py: reference.library", "run_panel.py: reference.label"),  # engines name themselves: core.engines
    "keep.py: meaning",  # a literal of each page
    *("downloads.py: label", "downloads.py: help"),  # held where the pages call it
    *("results.py: confidence", "models.py: missing"),  # a table of our own; literals
}


class Module:
    """One file of the pages, and what is safe to draw in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.inside: dict[ast.AST, ast.AST] = {
            child: parent for parent in ast.walk(self.tree) for child in ast.iter_child_nodes(parent)
        }

    def drawn(self) -> Iterator[ast.expr]:
        """Every expression that a Streamlit call gets as Markdown, and our ``download_button`` as well."""
        for call in ast.walk(self.tree):
            match call:
                case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id="download_button" as name)):
                    pass
                case _:
                    continue
            if name in DRAWS:
                yield from (call.args[place] for place in MORE.get(name, (0,)) if place < len(call.args))
            if name in DRAWS or name.endswith("Column"):
                yield from (word.value for word in call.keywords if word.arg in KEYWORDS)

    def function(self, node: ast.AST) -> ast.FunctionDef | None:
        """The function around ``node``."""
        while node in self.inside:
            node = self.inside[node]
            if isinstance(node, ast.FunctionDef):
                return node
        return None

    def values(self, name: ast.Name) -> list[ast.expr]:
        """What the function around ``name`` assigns to it."""
        scope = self.function(name) or self.tree
        return [
            node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id == name.id
        ]


MODULES = [Module(path) for path in SOURCES]


def is_number(value: ast.FormattedValue) -> bool:
    """Whether its format is one that a text refuses."""
    spec = ast.unparse(value.format_spec)[2:-1] if value.format_spec else ""
    return bool(re.fullmatch(r"[,.\d]*[,dfeg%]", spec))


# Which parts of an expression end up in its text.
PARTS: dict[type[ast.expr], tuple[str, ...]] = {
    ast.Constant: (),
    ast.Compare: (),
    ast.JoinedStr: ("values",),
    ast.FormattedValue: ("value",),
    ast.BinOp: ("left", "right"),
    ast.IfExp: ("body", "orelse"),
    ast.BoolOp: ("values",),
    ast.List: ("elts",),
    ast.Tuple: ("elts",),
    ast.ListComp: ("elt",),
    ast.GeneratorExp: ("elt",),
}


def parts(node: ast.expr) -> list[ast.expr] | None:
    """What of ``node`` ends up in its text, where its kind is one of ``PARTS``."""
    if type(node) not in PARTS:
        return None
    found = [getattr(node, name) for name in PARTS[type(node)]]
    return [one for value in found for one in (value if isinstance(value, list) else [value])]


def safe(module: Module, node: ast.expr | None, depth: int = 0) -> bool:
    """Whether ``node`` is a text of our own, a number, or escaped."""
    if node is None or depth > 30:
        return False
    if is_our_own(module, node):
        return True
    inner = parts(node)
    match node:
        case ast.Name():
            inner = module.values(node) or None
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[joined]):
            inner = [joined]
        case ast.Call(func=ast.Name(id=name)):
            return returns_safe(name, depth)
    return inner is not None and all(safe(module, one, depth + 1) for one in inner)


def is_our_own(module: Module, node: ast.expr) -> bool:
    """Whether ``node`` by itself is known: a number, a constant or table of ours, a function that makes safe text."""
    match node:
        case ast.FormattedValue():
            return is_number(node)
        case ast.Call(func=ast.Name(id=name)):
            return name in MAKES_TEXT
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)) if name.lstrip("_").isupper():
            return True
        case ast.Name() if is_parameter_number(module, node):
            return True
    return f"{module.path.name}: {ast.unparse(node)}" in OUR_OWN


def is_parameter_number(module: Module, name: ast.Name) -> bool:
    function = module.function(name)
    parameters = [*function.args.args, *function.args.kwonlyargs] if function else []
    return any(
        one.arg == name.id and one.annotation is not None and ast.unparse(one.annotation) in {"int", "float"}
        for one in parameters
    )


def returns_safe(name: str, depth: int) -> bool:
    """Whether every function of this name in the pages returns only what is safe."""
    found = [
        (module, node)
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    returned = [
        (module, node.value)
        for module, function in found
        for node in ast.walk(function)
        if isinstance(node, ast.Return)
    ]
    return bool(returned) and all(safe(module, value, depth + 1) for module, value in returned)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.path.relative_to(ROOT)))
def test_nothing_is_drawn_as_markdown_unescaped(module: Module) -> None:
    found = [f"line {node.lineno}: {ast.unparse(node)}" for node in module.drawn() if not safe(module, node)]
    assert not found, "use pages._ui.shell.messages.escape for text that is not the program's own"


@pytest.mark.parametrize(
    "line",
    [
        "st.error(str(error))",
        "st.markdown(f'**{card.title}**')",
        "left.button(title)",
        "st.metric('a', name)",
        "st.progress(0.5, state.text)",
        "st.progress(0.5, text=state.text)",
        "st.button('a', help=card.title)",
        "st.caption(', '.join(classes))",
        "st.caption(f'{name:>20}')",
    ],
)
def test_the_check_sees_what_is_unescaped(line: str, tmp_path: Path) -> None:
    source = tmp_path / "page.py"
    source.write_text(line)
    module = Module(source)
    assert not all(safe(module, node) for node in module.drawn())
