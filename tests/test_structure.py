"""The house as docs/architecture.md draws it: floors, no circles, few flat modules, plain names."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("engine", "generator", "surrogate", "db")
FLAT_MODULES = {"errors", "host", "logs", "compute", "loop", "demo"}

# Words that say nothing of what they hold. A noun names data, a verb a function.
FUNCTION_WORDS = frozenset(
    """
    found told known one what shown seen kept words whole said asked given made wanted left there
    here who which whose whom where when why how it this that these those some each both every
    other another such same own more most less few many much rest none nothing something anything
    everything somebody anybody nobody everybody others ones above below before after beside
    besides between beyond into onto upon within without of for from to in on by with as if and or
    but not than then so too very also only just ever never again once twice still yet now soon
    further has had have are was were be been being do does did done doing can could may might
    must shall should will would tell say saying says took taken brought came come gone go goes
    went put stood standing stands heard held meant means
    """.split()  # noqa: SIM905
)


def modules() -> dict[str, Path]:
    """Return every module of the four packages by its dotted name."""
    named = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def imports(module: str, by_name: dict[str, Path]) -> set[str]:
    """Return which of the by_name modules ``module`` imports: lazily and for types, too."""
    targets = set()
    for node in ast.walk(ast.parse(by_name[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                targets.add(inner if inner in by_name else node.module)
        elif isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
    return {target for target in targets if target in by_name and target != module}


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected parts of a graph that have more than one node (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    parts: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(arrows.get(node, ())):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            part = [stack.pop()]
            while part[-1] != node:
                part.append(stack.pop())
            if len(part) > 1:
                parts.append(sorted(part))

    for node in sorted(arrows):
        if node not in index:
            visit(node)
    return parts


def test_a_circle_is_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_module_imports_itself_through_others() -> None:
    by_name = modules()
    assert circles({module: imports(module, by_name) for module in by_name}) == []


def folder_of(module: str, path: Path) -> str:
    """Return the folder of a module; a flat module of a package stands for itself."""
    parts = module.split(".")
    return module if path.name == "__init__.py" or len(parts) <= 2 else ".".join(parts[:-1])


def test_no_folder_imports_itself_through_others() -> None:
    """A folder's floors may lie in one another; two folders beside each other point one way."""
    by_name = modules()
    arrows: dict[str, set[str]] = defaultdict(set)
    for module, path in by_name.items():
        source = folder_of(module, path)
        for target in imports(module, by_name):
            other = folder_of(target, by_name[target])
            is_inside = other.startswith(f"{source}.") or source.startswith(f"{other}.")
            if other != source and not is_inside:
                arrows[source].add(other)
    assert circles(arrows) == []


def test_few_modules_lie_flat_in_the_engine() -> None:
    flat = {path.stem for path in (ROOT / "engine").glob("*.py")} - {"__init__"}
    assert flat <= FLAT_MODULES


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every name that a module binds, with its line: definitions, arguments, assignments."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node.lineno
            case ast.arg():
                yield node.arg, node.lineno
            case ast.Name(ctx=ast.Store()):
                yield node.id, node.lineno
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr, node.lineno


def test_names_are_nouns_and_verbs() -> None:
    n_names = 0
    words: Counter[str] = Counter()
    places: list[str] = []
    for path in modules().values():
        for name, line in bound_names(ast.parse(path.read_text(encoding="utf-8"))):
            n_names += 1
            word = name.strip("_").lower()
            if word in FUNCTION_WORDS:
                words[word] += 1
                places.append(f"{path.relative_to(ROOT)}:{line} {name}")
    share = len(places) / n_names
    assert share < 0.005, f"{share:.2%} of {n_names} names: {words}\n" + "\n".join(places[:50])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is_for(package: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / package).rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []
