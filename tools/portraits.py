"""Portraits that smile, blink, turn and speak, put back into their pictures: nbs/images/portraits.gif.

python tools/portraits.py
Behind the @ stand left, top and side of the square of a picture that is shown, in its own pixels. `astronaut` is
scikit-image's photograph by NASA, `pearl` the bundled reproduction of Vermeer's "Girl with a Pearl Earring"; both are
in the public domain.
"""

from dataclasses import dataclass
from pathlib import Path
import tempfile
import numpy as np
from PIL import Image
from skimage.data import astronaut
from tyro.conf import Positional
from f3a_lite.animation import animate, default_weights, gesture, paste_back, read_face
from f3a_lite.core import F3AError, atomic_path, data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.systems import load_system
from f3a_lite.data.video import SYNTHETIC, read_image, write_image

ROOT = Path(__file__).resolve().parent.parent
FPS = 12.5
SMILE = dict(mouthSmile=0.7, cheekSquint=0.3)
BLINK = dict(eyeBlink=0.85)
TURN = (0.0, 16.0, 0.0)  # degrees


@dataclass
class Options:
    "Animate some portraits side by side."

    pictures: Positional[tuple[str, ...]] = ("astronaut@75,0,300", "pearl@112,34,450")  # each PATH@LEFT,TOP,SIDE
    jaws: tuple[float, ...] = ()  # how far each mouth opens while it speaks, 0 to 1; none: 0.45
    side: int = 300  # pixels of a portrait
    out: Path = ROOT / "nbs" / "images" / "portraits.gif"


def square_of(words: str) -> np.ndarray:  # (side,side,3) uint8
    "The square of a picture that PATH@LEFT,TOP,SIDE names."
    name, _, place = words.rpartition("@")
    try:
        left, top, side = (int(n) for n in place.split(","))
    except ValueError as e:
        raise F3AError(f"'{words}' names no square of a picture: give PATH@LEFT,TOP,SIDE.") from e
    picture = astronaut() if name == "astronaut" else read_image(data_path("pearl.jpg") if name == "pearl" else name)
    square = picture[top : top + side, left : left + side]
    if min(left, top) < 0 or square.shape[:2] != (side, side):
        raise F3AError(f"The square '{place}' reaches beyond '{name}', which has {picture.shape[1::-1]} pixels.")
    return square


def motion(rest: FaceParams, jaw: float) -> FaceParams:
    "Parameters of a smile, a blink, a turn and an open mouth."
    model = open_model()
    parts = [rest] * 3
    for goal, frames in ((SMILE, 13), (BLINK, 6), (TURN, 14), (dict(jawOpen=jaw), 9)):
        parts += [gesture(rest, goal, frames, model), rest, rest]
    return FaceParams.stack(parts)


def portrait(system, square, jaw, side) -> list:  # of (side,side,3) uint8
    "The frames of one portrait."
    with tempfile.TemporaryDirectory() as folder:
        face = read_face(write_image(square, Path(folder) / "portrait.png"))
    frames = paste_back(face, animate(system, face, motion(face.params, jaw)))
    return [np.asarray(Image.fromarray(frame).resize((side, side), Image.LANCZOS)) for frame in frames]


def write_film(frames, path):
    "A looping GIF in 256 colours, the same for all frames, with the note that it is synthetic."
    some = Image.fromarray(np.concatenate(frames[::8]))
    colours = some.quantize(256, method=Image.Quantize.MAXCOVERAGE)
    first, *others = (Image.fromarray(f).quantize(palette=colours) for f in frames)
    options = dict(duration=round(1000 / FPS), loop=0, comment=SYNTHETIC.encode())
    with atomic_path(path) as tmp:
        first.save(tmp, save_all=True, append_images=others, optimize=False, **options)


def main(argv=None):
    "Animate and write."
    with friendly_errors():
        o = parse_options("portraits.py", Options, argv)
        set_threads()
        jaws = o.jaws or (0.45,) * len(o.pictures)
        if len(jaws) != len(o.pictures):
            raise F3AError(f"--jaws has {len(jaws)} numbers for {len(o.pictures)} pictures: give one for each.")
        system = load_system(default_weights())
        columns = [portrait(system, square_of(words), jaw, o.side) for words, jaw in zip(o.pictures, jaws)]
        write_film([np.concatenate(row, 1) for row in zip(*columns)], o.out)
        print(f"wrote {o.out}: {len(columns[0])} frames, {o.out.stat().st_size / 2**20:.1f} MB")


if __name__ == "__main__":
    main()
