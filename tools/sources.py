"""Where the real clips come from that some figures rest on: results/sources.csv.

python tools/sources.py FACES

No frame of them is part of the project. The table names for each clip the public repository, commit and path it was
copied from, who is who, and its sha256, so that a reader can gather the same folder FACES (clips/*.mp4 and clips.csv)
and repeat the commands of the results: experiments/strangers.py, ingredients.py, own_face.py, and f3a_tables.
"""

from dataclasses import dataclass
from pathlib import Path
import csv
from tyro.conf import Positional
from f3a_lite.core import F3AError, atomic_path, friendly_errors, file_hash
from f3a_lite.options import parse_options

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("file", "source_repo", "commit", "path", "identity", "sha256")


@dataclass
class Options:
    "Name the sources of the real clips."

    faces: Positional[Path] = ROOT.parent / "shared" / "faces"  # folder with clips/ and clips.csv
    out: Path = ROOT / "results" / "sources.csv"


def rows_of(faces):
    "A row for each clip that is there. Raises `F3AError` where a file is another than the table says."
    table = faces / "clips.csv"
    if not table.exists():
        raise F3AError(f"'{faces}' holds no clips.csv: give the folder with the faces to measure on.")
    reader = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise F3AError(f"'{table}' lacks the column {missing[0]}: it needs {', '.join(COLUMNS)}.")
    for row in reader:
        path = faces / row["file"]
        if path.exists():
            if file_hash(path) != row["sha256"]:
                raise F3AError(f"'{path}' is another file than clips.csv names: copy it again.")
            yield {name: row[name] for name in COLUMNS}


def main(argv=None):
    "Read, check and write."
    with friendly_errors():
        o = parse_options("sources.py", Options, argv)
        rows = list(rows_of(o.faces))
        if not rows:
            raise F3AError(f"'{o.faces}' holds none of the clips that its clips.csv names: copy them first.")
        with atomic_path(o.out) as tmp, open(tmp, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(f"wrote {o.out}")


if __name__ == "__main__":
    main()
