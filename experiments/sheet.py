"""Twenty photos × (rest and seven gestures) in one picture: what weights make of faces that no training has seen.

python experiments/sheet.py FACES [--weights FILE] [--out runs/sheet.png] [--size 192]

FACES holds stills/*.jpg and *.png. Each photo is fitted once and shown at the strongest moment of each gesture. The
picture is to be looked at: where do hair, lids, teeth and background break? Two things are counted: whether a face is
found wherever the warped photo has one, and how much the background far from the head changes when the head turns. Real
faces: the picture is no part of the project.
"""

from dataclasses import dataclass
from pathlib import Path
import numpy as np
import torch
from tqdm.auto import tqdm
from tyro.conf import Positional
from f3a_lite.animation import animate, enlarge_head, read_face, source_at
from f3a_lite.driving import GESTURES, gesture
from f3a_lite.core import F3AError, data_path, friendly_errors
from f3a_lite.data.video import write_image
from f3a_lite.jobs import set_threads
from f3a_lite.drawing import dilate
from f3a_lite.metrics import track_faces
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.projection import pose, to_pixels
from f3a_lite.rasterizer import rasterize_map
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


def far_change(face, made, targets, k) -> float:
    "How much frame k differs from the photo, farther than a sixth of the width from the head; of 255."
    model, size = open_model(), face.image.shape[-1]
    X = pose(model, FaceParams.stack([face.params, targets[k]]))  # (2,N,3)
    head = rasterize_map(to_pixels(X, size, size), model.triangles, X[..., :1].contiguous(), size, size)[1]
    far = 1 - dilate(head.float().amax(0, keepdim=True), size // 6)  # (1,1,H,W)
    change = (torch.as_tensor(made["output"][k]) - face.image[0]).abs().mean(0)[None, None]  # (1,1,H,W)
    return float((change * far).sum() / far.sum().clamp(min=1) * 255)


@torch.no_grad()
def row(system, path, size) -> tuple:  # pictures (3,size,size); frames that lost the face; changes far away
    "One photo at rest and at the strongest moment of each gesture."
    face, model = read_face(path), open_model()
    goals = [gesture(face.params, GESTURES[name], 3, model)[1] for name in COLUMNS]
    targets = FaceParams.stack([face.params, *goals])
    made = animate(system, face, targets)
    found, warped = (
        np.isfinite(track_faces(x["output"])[0]).all((1, 2)) for x in (made, animate(Warping(), face, targets))
    )
    lost = [name for name, a, b in zip(("rest", *COLUMNS), found, warped) if b and not a]
    far = [far_change(face, made, targets, 1 + COLUMNS.index(name)) for name in ("turn", "turn_back")]
    source = source_at(face, size)
    cells = [enlarge_head(source, made, k).permute(2, 0, 1) for k in range(len(COLUMNS) + 1)]
    return cells, lost, far


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
        rows = {name: row(system, o.faces / "stills" / name, o.size) for name in tqdm(names)}
        cells = [cell for pictures, _, _ in rows.values() for cell in pictures]
        o.out.parent.mkdir(parents=True, exist_ok=True)
        write_image(label_sheet(cells, ["rest", *COLUMNS], [Path(name).stem for name in names]), o.out)
        print(f"The sheet is in '{o.out}'.")
        lost = {name: where for name, (_, where, _) in rows.items() if where}
        print(f"Faces that are lost, where the warped photo has one: {lost or 'none'}.")
        far = {name: max(changes) for name, (_, _, changes) in rows.items()}
        worst = max(far, key=far.get)
        print(f"Far from a head that turns the picture changes by at most {far[worst]:.2f} of 255 ({worst}).")


if __name__ == "__main__":
    main()
