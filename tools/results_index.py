"""results/README.md from the records: each file's command, commit, date, and the notebooks that read it.

python tools/results_index.py
"""

import json
from pathlib import Path
from f3a_lite.core import atomic_path, friendly_errors

ROOT = Path(__file__).resolve().parent.parent
HEAD = """# Results

Every figure of the notebooks is formatted from one of these files. A record holds the command, the seed, the commit and
the machine that made it. This table is written by `python tools/results_index.py`.

| file | records | command | commit, date | read by |
|---|---|---|---|---|
"""


def readers() -> dict:  # name of a file or of a folder of results/ → notebooks
    "Which notebooks read which results."
    out = {}
    for notebook, files in json.loads((ROOT / "nbs" / "executed.json").read_text(encoding="utf-8")).items():
        for name in files:
            if name.startswith("results/"):
                out.setdefault(name.removeprefix("results/"), set()).add(notebook)
    return out


def row(name: str, records: list, notebooks: set) -> str:
    "One line of the table."
    infos = [r.get("info") or {} for r in records]
    commands = sorted({i["command"] for i in infos if i.get("command")})
    newest = max(infos, key=lambda i: i.get("date", ""), default={})
    said = f"`{commands[0]}`" + (f" and {len(commands) - 1} more" if len(commands) > 1 else "") if commands else "–"
    links = ", ".join(f"[{n[:2]}](../nbs/{n}.ipynb)" for n in sorted(notebooks)) or "–"
    when = f"{newest.get('commit', '–')}, {newest.get('date', '–')[:10]}"
    return f"| {name} | {len(records)} | {said.replace('|', '/')} | {when} | {links} |"


def table() -> str:
    "The whole file."
    by, lines = readers(), []
    for path in sorted((ROOT / "results").glob("*.json")):
        records = json.loads(path.read_text(encoding="utf-8"))["records"]
        lines.append(row(path.name, records, by.get(path.name, set())))
    for folder in sorted((ROOT / "results" / "tables").iterdir()):
        records = []
        for path in sorted(folder.glob("*.json")):
            records += json.loads(path.read_text(encoding="utf-8"))["records"]
        notebooks = set().union(*(v for k, v in by.items() if k.startswith(f"tables/{folder.name}")))
        lines.append(row(f"tables/{folder.name}/", records, notebooks))
    return HEAD + "\n".join(lines) + "\n"


def main():
    "Write the table."
    with friendly_errors(), atomic_path(ROOT / "results" / "README.md") as tmp:
        tmp.write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()
