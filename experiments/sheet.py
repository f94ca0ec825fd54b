"""Twenty photos × (rest and seven gestures) in one picture: what weights make of faces that no training has seen.

python experiments/sheet.py FACES [--weights FILE] [--out runs/sheet.png] [--size 192]

FACES holds stills/*.jpg and *.png. Each photo is fitted once and shown at the strongest moment of each gesture. The
picture is to be looked at: where do hair, lids, teeth and background break? Real faces: it is no part of the project.
"""

from dataclasses import dataclass
from pathlib import Path
import torch
from tqdm.auto import tqdm
from tyro.conf import Positional
from f3a_lite.animation import GESTURES, animate, enlarge_head, gesture, read_face, source_at
from f3a_lite.core import F3AError, data_path, friendly_errors
from f3a_lite.data.video import write_image
from f3a_lite.jobs import set_threads
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.options import parse_options
from f3a_lite.pictures import label_sheet
from f3a_lite.systems import Warping, load_system

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("smile", "blink", "open", "turn", "turn_back", "tilt", "surprise")
PHOTOS = (  # of FACES/stills
    *("3ddfa_jianzhuguo.jpg", "ani_aragaki.png", "fn_paul.jpg", "fn_shea.jpg", "fr_biden.jpg", "fr_kit1.jpeg"),
    *("fr_lin.png", "fr_obama1.jpg", "lp_art_s10.jpg", "lp_art_s3.jpg", "lp_art_s4.jpg", "lp_jpg_d12.jpg"),
    *("lp_jpg_d19.jpg", "lp_jpg_d38.jpg", "lp_jpg_d9.jpg", "lp_jpg_s12.jpg", "lp_jpg_s2.jpg", "lp_jpg_s42.jpg"),
    *("pf_single_jpg.jpg", "prnet_trump.jpg"),
)


@dataclass
class Options:
    "Draw the sheet."

    faces: Positional[Path] = ROOT.parent / "shared" / "faces"  # folder with stills/
    weights: Path | None = None  # None: the bundled T_warp
    warping: bool = False  # nothing learned: the photo, moved along the mesh's flow
    only: tuple[str, ...] = ()  # names of photos; default: all twenty
    size: int = 192  # pixels of a cell
    out: Path = ROOT / "runs" / "sheet.png"


@torch.no_grad()
def row(system, path, size) -> list:  # of pictures (3,size,size)
    "One photo at rest and at the strongest moment of each gesture."
    face, model = read_face(path), open_model()
    goals = [gesture(face.params, GESTURES[name], 3, model)[1] for name in COLUMNS]
    film = animate(system, face, FaceParams.stack([face.params, *goals]))
    source = source_at(face, size)
    return [enlarge_head(source, film, k).permute(2, 0, 1) for k in range(len(COLUMNS) + 1)]


def main(argv=None):
    "Draw the sheet and say where it is."
    with friendly_errors():
        o = parse_options("sheet.py", Options, argv)
        set_threads(None)
        names = o.only or PHOTOS
        missing = [name for name in names if not (o.faces / "stills" / name).exists()]
        if missing:
            raise F3AError(f"'{o.faces / 'stills'}' lacks {', '.join(missing)}: give the folder that holds them.")
        system = Warping() if o.warping else load_system(o.weights or data_path("t_warp.safetensors"))
        cells = [cell for name in tqdm(names) for cell in row(system, o.faces / "stills" / name, o.size)]
        o.out.parent.mkdir(parents=True, exist_ok=True)
        write_image(label_sheet(cells, ["rest", *COLUMNS], [Path(name).stem for name in names]), o.out)
        print(f"The sheet is in '{o.out}'.")


if __name__ == "__main__":
    main()
