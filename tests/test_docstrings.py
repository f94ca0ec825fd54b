"Public functions say what goes in, what comes out and what goes wrong; counted from the source, with a floor."

import ast
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOOR = 0.89  # of the public functions
MOST_NAMES = 705  # in all lists `__all__` together


def functions(tree, inherited=lambda cls, name: False):
    """Public functions of a module and public methods of its public classes: name, node.

    Methods whose class inherits their words are left out.
    """
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    if not inherited(node, inner.name):
                        yield f"{node.name}.{inner.name}", inner


def trees():
    "Module's name, its text, its syntax tree."
    for path in sorted((ROOT / "f3a_lite").rglob("[a-z]*.py")):
        text = path.read_text(encoding="utf-8")
        yield ".".join(path.relative_to(ROOT / "f3a_lite").with_suffix("").parts), text, ast.parse(text)


def own(node, kinds):
    "Nodes of some kinds in a function, without those of functions inside it."
    for child in ast.iter_child_nodes(node):
        if isinstance(child, kinds):
            yield child
        if not isinstance(child, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            yield from own(child, kinds)


def missing(node, lines):
    "What a function does not say: names of arguments, 'return', 'errors'."
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    named = [a for a in named if a is not None and a.arg not in ("self", "cls")]
    left = [a.arg for a in named if "#" not in lines[a.end_lineno - 1]]
    answers = [r for r in own(node, (ast.Return, ast.Yield, ast.YieldFrom)) if r.value is not None]
    plain = all(isinstance(r.value, ast.Constant) and r.value.value is None for r in answers)
    head = lines[(named[-1].end_lineno if named else node.lineno) - 1 : node.body[0].lineno - 1]
    if not plain and node.returns is None and not any("#" in line and ")" in line for line in head):
        left.append("return")
    raised = {ast.unparse(r.exc).split("(")[0] for r in own(node, (ast.Raise,)) if r.exc is not None}
    said = any("friendly_errors" in ast.unparse(w) for w in own(node, (ast.With,)))  # a command ends with a sentence
    if "F3AError" in raised and not said and "Raise" not in (ast.get_docstring(node) or ""):
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
        for name, node in functions(tree, inherited):
            said[f"{module}.{name}"] = missing(node, text.splitlines())
    return said


def test_public_functions_say_what_goes_in_what_comes_out_and_what_goes_wrong():
    said = counted()
    assert len(said) > 600
    bad = {name: left for name, left in said.items() if left}
    share = 1 - len(bad) / len(said)
    assert share >= FLOOR, f"{share:.1%} of {len(said)}; {bad}"


@pytest.mark.parametrize(
    "text, left",
    [
        ("def f(a):\n    'Say.'\n    return a", ["a", "return"]),
        ("def f(\n    a,  # a number\n) -> int:\n    'Say.'\n    return a", []),
        ("def f(\n    a,  # a number\n):  # twice as much\n    'Say.'\n    return 2 * a", []),
        ("def f():\n    'Say.'\n    raise F3AError('no')", ["errors"]),
        ("def f():\n    'Say. Raises `F3AError` always.'\n    raise F3AError('no')", []),
        ("def f(\n    *a,  # numbers\n    b=1,\n):\n    'Say.'", ["b"]),
    ],
)
def test_what_is_missing_is_seen(text, left):
    ((_, node),) = functions(ast.parse(text))
    assert missing(node, text.splitlines()) == left


def test_lists_of_names_do_not_grow():
    names = 0
    for _, _, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names += len(ast.literal_eval(node.value)) if isinstance(node.value, ast.List) else 0
    assert 100 < names <= MOST_NAMES, names
