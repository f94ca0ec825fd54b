"Public functions say what goes in, what comes out and what goes wrong; counted from the source, with a floor."

import ast
from functools import cache
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOOR = 0.95  # of all functions without an underscore, and of those that the lists `__all__` name
MOST_NAMES = 200  # in all lists `__all__` together


def functions(tree, inherited=lambda cls, name: False):
    """Public functions of a module, public methods and constructors of its public classes: name, node, docstring.

    A class speaks for its constructor. Methods whose class inherits their words are left out.
    """
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node, ast.get_docstring(node)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if not isinstance(inner, ast.FunctionDef) or inherited(node, inner.name):
                    continue
                if inner.name == "__init__" or not inner.name.startswith("_"):
                    speaker = node if inner.name == "__init__" else inner
                    yield f"{node.name}.{inner.name}", inner, ast.get_docstring(speaker)


@cache
def trees():
    "Of every module: its name, its text, its syntax tree."
    paths = sorted((ROOT / "f3a_lite").rglob("[a-z]*.py"))
    names = [".".join(p.relative_to(ROOT / "f3a_lite").with_suffix("").parts) for p in paths]
    texts = [p.read_text(encoding="utf-8") for p in paths]
    return [(name, text, ast.parse(text)) for name, text in zip(names, texts)]


def own(node, kinds):
    "Nodes of some kinds in a function, without those of functions inside it."
    for child in ast.iter_child_nodes(node):
        if isinstance(child, kinds):
            yield child
        if not isinstance(child, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            yield from own(child, kinds)


def is_array(annotation):
    return annotation is not None and ast.unparse(annotation) in ("torch.Tensor", "np.ndarray")


def missing(node, words, lines):
    "What a function does not say: names of arguments and shapes of arrays, 'return', 'errors', 'words'."
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    named = [a for a in named if a is not None and a.arg not in ("self", "cls")]
    left = [] if words else ["words"]
    for a in named:
        _, mark, comment = lines[a.end_lineno - 1].partition("#")
        if not mark or is_array(a.annotation) and "(" not in comment:
            left.append(a.arg)
    answers = [r for r in own(node, (ast.Return, ast.Yield, ast.YieldFrom)) if r.value is not None]
    plain = all(isinstance(r.value, ast.Constant) and r.value.value is None for r in answers)
    head = lines[(named[-1].end_lineno if named else node.lineno) - 1 : node.body[0].lineno - 1]
    if not plain and node.returns is None and not any("#" in line and ")" in line for line in head):
        left.append("return")
    raised = {ast.unparse(r.exc).split("(")[0] for r in own(node, (ast.Raise,)) if r.exc is not None}
    said = any("friendly_errors" in ast.unparse(w) for w in own(node, (ast.With,)))  # a command ends with a sentence
    if "F3AError" in raised and not said and "Raise" not in (words or ""):
        left.append("errors")
    return left


def counted():
    "What is missing in each public function of the package: 'module.function' → list."
    classes = {n.name: n for _, _, tree in trees() for n in tree.body if isinstance(n, ast.ClassDef)}

    def inherited(cls, name):
        bases = [classes[b.id] for b in cls.bases if isinstance(b, ast.Name) and b.id in classes]
        return any(name in [getattr(n, "name", "") for n in base.body] or inherited(base, name) for base in bases)

    said = {}
    for module, text, tree in trees():
        if module.startswith("checks."):  # judges of exercises: each takes an answer, and only `check` calls it
            continue
        for name, node, words in functions(tree, inherited):
            said[f"{module}.{name}"] = missing(node, words, text.splitlines())
    return said


def listed():
    "The names of all lists `__all__`: 'module.name'."
    for module, _, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                yield from (f"{module}.{name}" for name in ast.literal_eval(node.value))


def test_public_functions_say_what_goes_in_what_comes_out_and_what_goes_wrong():
    said, names = counted(), set(listed())
    called = {name: left for name, left in said.items() if {name, name.rpartition(".")[0]} & names}
    assert len(said) > 600 and len(called) > 150
    for group in (said, called):
        bad = {name: left for name, left in group.items() if left}
        share = 1 - len(bad) / len(group)
        assert share >= FLOOR, f"{share:.1%} of {len(group)}; {bad}"


@pytest.mark.parametrize(
    "text, left",
    [
        ("def f(a):\n    'Say.'\n    return a", ["a", "return"]),
        ("def f(\n    a,  # a number\n) -> int:\n    'Say.'\n    return a", []),
        ("def f(\n    a,  # a number\n):  # twice as much\n    'Say.'\n    return 2 * a", []),
        ("def f():\n    'Say.'\n    raise F3AError('no')", ["errors"]),
        ("def f():\n    'Say. Raises `F3AError` always.'\n    raise F3AError('no')", []),
        ("def f(\n    *a,  # numbers\n    b=1,\n):\n    'Say.'", ["b"]),
        ("def f(\n    a: np.ndarray,  # angles\n    b: np.ndarray,  # (N,3)\n):\n    'Say.'", ["a"]),
        ("def f():\n    pass", ["words"]),
        ("class C:\n    'Say. Raises `F3AError`.'\n    def __init__(self, a):\n        raise F3AError('no')", ["a"]),
    ],
)
def test_what_is_missing_is_seen(text, left):
    ((_, node, words),) = functions(ast.parse(text))
    assert missing(node, words, text.splitlines()) == left


def test_lists_of_names_do_not_grow():
    names = list(listed())
    assert 100 < len(names) <= MOST_NAMES, len(names)
