"""The house rules that a machine can check."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = (
    "config", "core", "logs", "accounts", "social", "billing", "analysis", "analytics", "feedback", "sandbox",
    "benchmarks", "tests",
)  # fmt: skip
LONGEST_FILE = 300
LONGEST_FUNCTION = 50
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "util", "helper"}
FORBIDDEN_ENDINGS = ("Manager", "Helper", "Processor", "Util", "Utils")


def sources() -> list[Path]:
    files = [path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]
    return [*files, ROOT / "conftest.py", ROOT / "manage.py"]


def production_sources() -> list[Path]:
    return [path for path in sources() if "tests" not in path.parts and path.name != "conftest.py"]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_no_file_is_longer_than_the_cap(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_no_function_is_longer_than_the_cap(path):
    assert {node.name: length(node) for node in functions(path) if length(node) > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_every_module_opens_with_a_sentence(path):
    if path.read_text().strip():
        assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", production_sources(), ids=name_of)
def test_no_name_is_a_dumping_ground(path):
    assert path.stem not in FORBIDDEN_NAMES
    classes = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    assert [name for name in classes if name.endswith(FORBIDDEN_ENDINGS)] == []


def test_functions_are_short_on_the_whole():
    lengths = sorted(length(node) for path in production_sources() for node in functions(path))
    assert statistics.median(lengths) <= 8
    assert lengths[int(len(lengths) * 0.9)] <= 25


# AppConfig.ready and the command line run before or while Django loads, so they cannot import at the top.
ALLOWED_LATE_IMPORTS = {
    "manage.py:main", "analysis/apps.py:ready", "analytics/apps.py:ready", "billing/apps.py:ready",
    "feedback/apps.py:ready", "social/apps.py:ready",
}  # fmt: skip


@pytest.mark.parametrize("path", production_sources(), ids=name_of)
def test_nothing_of_ours_is_imported_inside_a_function(path):
    late = {
        f"{name_of(path)}:{function.name}"
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert late <= ALLOWED_LATE_IMPORTS


def test_every_variable_that_is_read_is_explained():
    """A variable in the code and not in .env.example is one that nobody can find."""
    explained = {
        line.lstrip("# ").partition("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line
    }
    assert variables_read() - explained == set()


def variables_read() -> set[str]:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "config").rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    reads = [call.args[0] for call in calls if ast.unparse(call.func).startswith("env.")]
    names = {str(name.value) for name in reads if isinstance(name, ast.Constant)}
    return {name for name in names if re.fullmatch("[A-Z_]+", name)}


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_every_decision_begins_with_its_number_and_its_context(path):
    heading, _, context, *_ = path.read_text(encoding="utf-8").splitlines()
    assert re.match(rf"# {path.name[:4]} \w", heading)
    assert context == "## Context"
