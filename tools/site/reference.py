"""The API reference: each module's public names with their docstrings and the comments beside their arguments."""

import ast
import io
import re
import tokenize
from pathlib import Path

MADE_FROM = re.compile(r"File to edit: (?:\.\./)+nbs/(\w+)\.ipynb")
CELL = re.compile(r"^# %% (?:\.\./)+nbs/(\w+)\.ipynb #(\w+)")
LONGEST = 60  # characters of a constant that are shown


def comments_of(code: str) -> dict:
    "Line → the comment at its end."
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT and token.line.strip() != token.string:
            found[token.start[0]] = token.string.lstrip("# ").strip()
    return found


def assigned_in(node) -> list:
    "The names that a statement assigns."
    if not isinstance(node, ast.Assign):
        return []
    return [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]


class Module:
    "What a module's text says of its public names."

    def __init__(self, path: Path, package: Path):
        code = path.read_text(encoding="utf-8")
        self.name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        self.tree, self.comments = ast.parse(code), comments_of(code)
        self.words = ast.get_docstring(self.tree) or ""
        match = MADE_FROM.search(code)
        self.notebook = match[1] if match else None
        self.cells = {}  # line → (notebook, id) of the cell that it comes from
        for number, line in enumerate(code.splitlines(), 1):
            if match := CELL.match(line):
                self.cells[number] = match.groups()
        values = [n.value for n in self.tree.body if assigned_in(n) == ["__all__"]]
        self.public = ast.literal_eval(values[0]) if values else []

    def members(self):
        "Public definitions in the order of the file; methods that are patched in stand with their classes."
        for node in self.tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in self.public:
                yield node.name, node
            for name in assigned_in(node):
                if name in self.public:
                    yield name, node

    def patched(self):
        "(class, function) of every method that is patched into a class."
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef) and any(getattr(d, "id", "") == "patch" for d in node.decorator_list):
                yield ast.unparse(node.args.args[0].annotation), node

    def cell_of(self, node):
        "(notebook, id) of the cell that defines something, or None."
        lines = [line for line in self.cells if line < node.lineno]
        return self.cells[max(lines)] if lines else None

    def comment(self, node) -> str:
        "The comment beside a part of the code."
        return self.comments.get(node.end_lineno, "")


def escaped(text: str) -> str:
    "Text that stands in a cell of a Markdown table."
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def table(rows: list) -> list:  # (name, type, default, words)
    "Arguments or fields, one a line; a column in which nothing stands is left out."
    if not rows:
        return []
    kept = [k for k in range(4) if any(row[k] for row in rows)]
    heads = ("argument", "type", "default", "what it is")
    lines = ["", f"| {' | '.join(heads[k] for k in kept)} |", "|" + "---|" * len(kept)]
    for *code, words in rows:
        cells = [f"`{escaped(x)}`" if x else "" for x in code] + [escaped(words)]
        lines.append(f"| {' | '.join(cells[k] for k in kept)} |")
    return lines


def argument_rows(module: Module, function: ast.FunctionDef) -> list:
    "What is said of the arguments of a function."
    a = function.args
    named = [*a.posonlyargs, *a.args]
    defaults = [None] * (len(named) - len(a.defaults)) + a.defaults
    pairs = list(zip(named, defaults)) + ([(a.vararg, None)] if a.vararg else [])
    pairs += list(zip(a.kwonlyargs, a.kw_defaults)) + ([(a.kwarg, None)] if a.kwarg else [])
    stars = {id(a.vararg): "*", id(a.kwarg): "**"}
    rows, alone = [], len({arg.lineno for arg, _ in pairs}) == len(pairs)
    for arg, default in pairs:
        if arg.arg in ("self", "cls"):
            continue
        kind = ast.unparse(arg.annotation) if arg.annotation else ""
        value = ast.unparse(default) if default is not None else ""
        words = module.comments.get((default or arg).end_lineno, "") if alone else ""
        rows.append((stars.get(id(arg), "") + arg.arg, kind, value, words))
    return rows if any(kind or words for _, kind, _, words in rows) else []


def field_rows(module: Module, body: list) -> list:
    "What is said of the fields of a dataclass."
    fields = [n for n in body if isinstance(n, ast.AnnAssign) and not n.target.id.startswith("_")]
    plain = [n for n in fields if not ast.unparse(n.annotation).startswith("ClassVar")]
    value = [ast.unparse(n.value) if n.value else "" for n in plain]
    return [(n.target.id, ast.unparse(n.annotation), v, module.comment(n)) for n, v in zip(plain, value)]


def said(module: Module, node, source: str = "") -> list:
    "A docstring with a link to its cell, and where a function has one line of comment for everything, that too."
    words = [f"{(ast.get_docstring(node) or '').replace('<', '&lt;')} {source}".strip()]
    if isinstance(node, ast.FunctionDef):
        head = range(node.lineno, node.body[0].lineno)
        last = [module.comments[n] for n in head if n in module.comments]
        args = [row[3] for row in argument_rows(module, node)]
        extra = [x for x in last if x not in args]
        gives = node.returns is not None or node.body[0].lineno > node.lineno + 2
        words += ["", f"*{'Gives' if gives else 'Shapes'}*: {escaped(extra[-1])}"] if extra else []
    return words


def signature(name: str, function: ast.FunctionDef) -> str:
    "Name and arguments, as a call needs them."
    args = ast.unparse(function.args)
    args = re.sub(r"^(self|cls)(: [\w.]+)?(, )?", "", args)
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{name}({args}){returns}".replace("\n", " ")


def directive(depth: int, kind: str, head: str, lines: list) -> list:
    "A directive of Sphinx's Python domain, with lines inside."
    fence = ":" * (3 + depth)
    return [f"{fence}{{py:{kind}}} {head}", *lines, fence, ""]


def written(module: Module, name: str, node, methods: list, source) -> list:
    "One public name as lines of Markdown."
    if isinstance(node, ast.Assign):
        value = ast.unparse(node.value)
        shown = value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
        return directive(1, "data", name, [f"`{shown}` {source(node)}", "", module.comment(node)])
    if isinstance(node, ast.FunctionDef):
        lines = [*said(module, node, source(node)), *table(argument_rows(module, node))]
        return directive(1, "function", signature(name, node), lines)
    start = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    rows = argument_rows(module, start) if start else field_rows(module, node.body)
    head = signature(name, start) if start else name + ("(…)" if rows else "")
    lines = [*said(module, node, source(node)), *table(rows), ""]
    own = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
    for method in own + methods:
        kind = "property" if any(getattr(d, "id", "") == "property" for d in method.decorator_list) else "method"
        inner = [*said(module, method), *table(argument_rows(module, method)), ""]
        call = method.name if kind == "property" else signature(method.name, method)
        lines += directive(1, kind, call, inner)
    return directive(2, "class", head, lines)


def module_page(
    module: Module,
    patched: dict,  # (module, class) → methods that other cells patch in
    link,  # (notebook, id of a cell or None, words) → a link in Markdown
) -> str:  # Markdown
    "The page of one module."
    origin = f" Made from {link(module.notebook, None, module.notebook)}." if module.notebook else ""
    origin += "".join(f" Adds `{function.name}` to {{py:obj}}`.{owner}`." for owner, function in module.patched())
    lines = [f"# {module.name}", "", module.words + origin, "", f":::{{py:module}} {module.name}", ":::", ""]

    def source(node):
        cell = module.cell_of(node)
        return f"({link(*cell, cell[0])})" if cell else ""

    for name, node in module.members():
        lines += written(module, name, node, patched.get(name, []), source)
    return "\n".join(lines)
