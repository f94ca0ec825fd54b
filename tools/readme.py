"""README.md from nbs/index.ipynb and the stored results.

python tools/readme.py
"""

from pathlib import Path
import re
import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from f3a_lite.core import atomic_path

ROOT = Path(__file__).resolve().parent.parent
INDEX = ROOT / "nbs" / "index.ipynb"


def run_index():
    "The notebook with outputs from today's results."
    notebook = nbformat.read(INDEX, 4)
    metadata = dict(notebook.metadata)
    NotebookClient(notebook, kernel_name="python3", resources=dict(metadata=dict(path=str(INDEX.parent)))).execute()
    notebook.metadata = nbformat.from_dict(metadata)  # without the kernel's own remarks
    return notebook


def render(notebook) -> str:
    "The README's text: code hidden, pictures and notebooks linked where they lie."
    text, _ = MarkdownExporter(exclude_input=True).from_notebook_node(notebook)
    text = re.sub(r"\]\(images/", "](nbs/images/", text)
    text = re.sub(r"\]\(([0-9]\w+\.ipynb|teaching\.md)", r"](nbs/\1", text)
    text = text.replace("](../", "](")
    text = re.sub(r'src="images/', 'src="nbs/images/', text)
    text = re.sub(r"[ \t]+$", "", text, flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def write_readme():
    "Execute index.ipynb in place, and write README.md."
    notebook = run_index()
    with atomic_path(ROOT / "README.md") as tmp:
        tmp.write_text(render(notebook), encoding="utf-8")
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.execution_count = None
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = None
    with atomic_path(INDEX) as tmp:
        nbformat.write(notebook, str(tmp))


if __name__ == "__main__":
    write_readme()
