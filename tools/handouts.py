"""What a teacher prints and shows: nbs/one_page.md, out/one_page.html and out/slides.html.

python tools/handouts.py             # all three
python tools/handouts.py --page      # nbs/one_page.md alone
"""

import io
import json
import re
import sys
from pathlib import Path
from matplotlib import mathtext
from matplotlib.font_manager import FontProperties
import nbformat
from nbconvert.filters import markdown2html
from f3a_lite.core import F3AError, atomic_path, friendly_errors, make_folder
from f3a_lite.lab.overview import EQUATIONS

ROOT = Path(__file__).resolve().parent.parent
FORMULAS = {  # number of an equation → the paper's formula, what it says
    1: (r"X = s \cdot R\,(\bar X + A_{id}\,\alpha_{id} + A_{exp}\,\alpha_{exp}) + t", "a face, posed"),
    2: (r"X_{2D} = \mathbf{Pr} \circ X", "its picture: x and y are kept, z is dropped"),
    3: (r"P_m = \theta P_s + (1 - \theta) P_t", "a face on the way; θ = 1 is the source"),
    4: (
        r"h_{out}^l = h_{dec}^l \cdot (\gamma(h_{flow}^l)\,\frac{h_{enc}^l - \mu(h_{enc}^l)}{\sigma(h_{enc}^l)}"
        r" + \beta(h_{flow}^l))",
        "SPADE at scale l: the flow scales and shifts the photo's features",
    ),
    5: (
        r"L_{lm} = \Vert w_{lm} \cdot (X_{2D}[:, \mathcal{L}] - \hat M) \Vert_1",
        "points: mouth times 10, eyes times 5",
    ),
    6: (
        r"L_{shp} = \Vert A_{id}\alpha_{id} + A_{exp}\alpha_{exp}"
        r" - A_{id}\hat\alpha_{id} - A_{exp}\hat\alpha_{exp} \Vert_1",
        "shape, with labels",
    ),
    7: (
        r"L_{tr} = \Vert r - \hat r \Vert_1 + \Vert s - \hat s \Vert_1 + \Vert t - \hat t \Vert_1",
        "pose, with labels",
    ),
    8: (
        r"L_{warm} = L_{shp} + \lambda_1 L_{lm} + \lambda_2 L_{tr} + \lambda_3 L_{reg}",
        "warm-up on labelled faces; λ = 10, 1, 0.001",
    ),
    9: (r"L_{sub} = L_{lm} + \lambda_3 L_{reg}", "afterwards, on faces without labels"),
    10: (r"L_{wp} = \Vert w \cdot (T(I_s, f) - \hat I_t) \Vert_1", "pixels; more in the boxes of eyes, nose and mouth"),
    11: (r"L_{adv} = D(\hat I_t) - D(T(I_s, f))", "the critic makes it large, the generator small"),
    12: (r"L_{perc} = \Vert T_{enc}(T(I_s, f)) - T_{enc}(\hat I_t) \Vert_1", "features of the generator's own encoder"),
    13: (r"L_{tot} = L_{adv} + \lambda_4 L_{wp} + \lambda_5 L_{perc}", "all together; λ = 100, 10"),
}
STYLE = """
@page { size: A4; margin: 11mm }
body { font: 12px/1.4 sans-serif; max-width: 188mm; margin: auto }
h1 { font-size: 19px; margin: 0 0 4px }
h2 { font-size: 14px; margin: 10px 0 4px }
p { margin: 4px 0 }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #ccc; padding: 2.5px 5px; text-align: left }
svg { vertical-align: middle }
.anchor-link { display: none }
"""


SLIDES_STYLE = """
@page { size: 254mm 143mm; margin: 0 }
body { font: 24px/1.45 sans-serif; margin: 0; color: #222 }
section { box-sizing: border-box; height: 100vh; padding: 3vh 6vw; position: relative; break-after: page }
h1 { font-size: 46px; margin-top: 22vh }
h2 { font-size: 34px; margin: 0 0 14px }
p, ul, ol { margin: 8px 0 }
img { display: block; margin: 12px auto; max-width: 88vw; height: 70vh; object-fit: contain }
svg { vertical-align: middle; zoom: 1.9 }
.formula { display: block; text-align: center; margin: 14px 0 }
.formula svg { zoom: 2.5 }
footer { position: absolute; right: 2vw; bottom: 2vh; font-size: 14px; color: #888 }
.anchor-link { display: none }
@media print { section { height: 143mm } section[hidden] { display: block } .later { visibility: visible !important } }
"""
SCRIPT = """
const steps = [...document.querySelectorAll("section, .later")];
let k = Number(location.hash.slice(1)) || 0;
function show(step) {
  k = Math.max(0, Math.min(steps.length - 1, step));
  const here = steps[k].closest("section");
  steps.forEach((one, i) => {
    if (one.tagName === "SECTION") one.hidden = one !== here;
    else one.style.visibility = i <= k ? "visible" : "hidden";
  });
  location.hash = k;
}
addEventListener("keydown", (e) => {
  if (["ArrowRight", "ArrowDown", "PageDown", " "].includes(e.key)) show(k + 1);
  if (["ArrowLeft", "ArrowUp", "PageUp"].includes(e.key)) show(k - 1);
});
addEventListener("click", () => show(k + 1));
show(k);
"""


def letters() -> str:
    "The table of letters in 00_tour."
    cells = json.loads((ROOT / "nbs" / "00_tour.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = ["".join(c["source"]) for c in cells]
    text = next(t for t in texts if "| paper | meaning | our name |" in t)
    return "\n".join(line for line in text.splitlines() if line.startswith("|"))


def page() -> str:
    "One page in Markdown: the two stages, the letters, Eq. 1 to 13."
    homes = {number: lesson for number, lesson, _ in EQUATIONS}
    rows = [
        f"| {n} | ${formula}$ | {said} | [{homes[str(n)][:2]}]({homes[str(n)]}.ipynb) |"
        for n, (formula, said) in FORMULAS.items()
    ]
    return "\n".join(
        (
            "# F³A-GAN on one page",
            "",
            "**Stage 1**, from two pictures to a flow: a regressor reads the numbers "
            "$P = (\\alpha_{id}, \\alpha_{exp}, r, t, s)$ of a 3-D face from each picture; "
            "Eq. 1 makes the faces $X_s$ and $X_t$; their difference "
            "$f = X_s - X_t$, stored by a z-buffer as a picture with three channels, is the **facial flow**. "
            "**Stage 2**, from photo and flow to a picture: the generator $T$ fuses features of both at every scale "
            "and paints every pixel. No warped photo goes in.",
            "",
            "The image plane runs from −1 to 1, x to the right, y **up**, z to the viewer. B: faces or pictures in a "
            "batch; N: vertices; K, L: coefficients of identity and expression; C, H, W: channels, rows, columns.",
            "",
            "## Letters",
            "",
            letters(),
            "",
            "## Equations",
            "",
            "| Eq. | formula | what it is | lesson |",
            "|---|---|---|---|",
            *rows,
            "",
            "A hat marks the truth. $T$: generator, $D$: critic, $w$: weights, $\\mathcal{L}$: indices of the "
            "landmarks, $\\hat M$: landmarks, $\\mu$ and $\\sigma$: mean and deviation of each channel over the "
            "picture, $\\Vert\\cdot\\Vert_1$: sum, and in our code mean, of absolute values.",
            "",
        )
    )


def drawn(formula: str) -> str:
    "A formula as SVG, with letters as outlines, so that a page needs no other file."
    file = io.BytesIO()

    mathtext.math_to_image(f"${formula}$", file, prop=FontProperties(size=9.5), dpi=72, format="svg")
    text = file.getvalue().decode()
    ids = f"f{abs(hash(formula)) % 10**8}"  # of two formulas on a page none may have an id of the other
    text = re.sub(r'( id="|="#|url\(#)', rf"\g<1>{ids}", text[text.index("<svg") :])
    return re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)


def html_of(text: str) -> str:
    "Markdown as HTML, with its formulas drawn."
    pictures = []

    def keep(match):
        formula = re.sub(r"\\tag\{(\d+)\}", r"\\quad (\1)", match[1] or match[2]).replace(r"\Big", "")
        kind = "formula" if match[1] else "letter"
        pictures.append(f'<span class="{kind}">{drawn(formula.strip())}</span>')
        return f"@{len(pictures) - 1}@"

    body = markdown2html(re.sub(r"\$\$(.+?)\$\$|\$([^$]+)\$", keep, text, flags=re.S))
    body = re.sub(r"<a class=.anchor-link.*?</a>", "", body)
    return re.sub(r"@(\d+)@", lambda m: pictures[int(m[1])], body)


def whole(title: str, style: str, body: str) -> str:
    "A page of HTML that asks for no other file."
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
    return f"{head}<body>{body}</body></html>\n"


def page_html() -> str:
    "The page as HTML that prints on one sheet."
    text = re.sub(r"\[(\d\d)\]\(\w+\.ipynb\)", r"\1", page())
    return whole("F³A-GAN on one page", STYLE, html_of(text))


def shown(cell) -> str:
    "A cell of the slides as HTML: its text, or what it has drawn. Raises `F3AError` where it has drawn nothing."
    tags = cell.metadata.get("tags", [])
    if "skip" in tags:
        return ""
    if cell.cell_type == "markdown":
        body = html_of(re.sub(r"\[(\w+)\]\([\w.]+\)", r"\1", cell.source))
    else:
        found = [(kind, data) for o in cell.outputs for kind, data in o.get("data", {}).items() if "image/" in kind]
        if not found:
            raise F3AError("nbs/slides.ipynb has a cell without its picture: run `python tools/executed.py slides`.")
        body = "".join(f'<img alt="" src="data:{kind};base64,{data}">' for kind, data in found)
    return f'<div class="later">{body}</div>' if "fragment" in tags else body


def slides_html() -> str:
    "The slides of nbs/slides.ipynb as one file. The tags of a cell say how it is shown."
    slides = []
    for cell in nbformat.read(ROOT / "nbs" / "slides.ipynb", 4).cells:
        if "slide" in cell.metadata.get("tags", []):
            slides.append("")
        slides[-1] += shown(cell)
    sections = "".join(f"<section>{body}<footer>{k}</footer></section>" for k, body in enumerate(slides, 1))
    return whole("F³A-GAN in 90 minutes", SLIDES_STYLE, f"{sections}<script>{SCRIPT}</script>")


def main():
    "Write what was asked for."
    with friendly_errors():
        wanted = {ROOT / "nbs" / "one_page.md": page}
        if "--page" not in sys.argv:
            out = make_folder(ROOT / "out")
            wanted |= {out / "one_page.html": page_html, out / "slides.html": slides_html}
        for path, make in wanted.items():
            with atomic_path(path) as tmp:
                tmp.write_text(make(), encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)} ({path.stat().st_size / 1e6:.2f} MB)")


if __name__ == "__main__":
    main()
