"""A photograph and a painting that laugh, blink and turn, beside mesh and flow: nbs/images/portraits.gif.

python tools/portraits.py [--weights NAME-OR-FILE]

The film of `make demo`, with a closer look at the faces. Behind the @ stand left, top and side of the square of a
picture that is shown, in its own pixels. `astronaut` is scikit-image's photograph by NASA, `pearl` the bundled
reproduction of Vermeer's "Girl with a Pearl Earring"; both are in the public domain.
"""

from dataclasses import dataclass
from pathlib import Path
import numpy as np
from PIL import Image
from skimage.data import astronaut
from tyro.conf import Positional
from f3a_lite.animator import GIF_MOST
from f3a_lite.core import F3AError, atomic_path, data_path, friendly_errors
from f3a_lite.data.marks import SYNTHETIC, mark_gif
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.data.video import read_image
from f3a_lite.jobs import set_threads
from f3a_lite.options import parse_options
from f3a_lite.ui.demo import portrait_film

ROOT = Path(__file__).resolve().parent.parent
FPS = 12


@dataclass
class Options:
    "Animate some portraits, one below the other."

    pictures: Positional[tuple[str, ...]] = ("astronaut@112,12,220", "pearl@112,64,360")  # each PATH@LEFT,TOP,SIDE
    script: str = "smile,blink,turn"  # what follows the laugh of the bundled clip
    side: int = 256  # pixels of a portrait
    weights: str = "t_warp"  # as `Animator` takes them
    clips: Path = ROOT / "runs" / "clips"  # where the bundled clip is prepared
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


BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16 - 15 / 32  # ordered dither


def write_film(frames, path):
    "A looping GIF in 256 colours, the same for all frames, marked as synthetic. Raises `F3AError` above 5 MB."
    some = Image.fromarray(np.concatenate(frames[:: max(1, len(frames) // 6)]))
    colours = some.quantize(256, method=Image.Quantize.MAXCOVERAGE)
    height, width = frames[0].shape[:2]
    pattern = np.tile(BAYER, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
    options = dict(duration=round(1000 / FPS), loop=0, comment=SYNTHETIC.encode())
    with atomic_path(path) as tmp:
        for strength in (14, 8, 0):  # the less, the smaller; the pattern rests, so that what rests costs nothing
            dithered = (Image.fromarray((f + strength * pattern).clip(0, 255).astype(np.uint8)) for f in frames)
            first, *others = (im.quantize(palette=colours, dither=Image.Dither.NONE) for im in dithered)
            first.save(tmp, save_all=True, append_images=others, optimize=False, **options)
            mark_gif(tmp)
            size = tmp.stat().st_size
            if size <= GIF_MOST:
                break
        else:
            raise F3AError(f"The film has {size / 1e6:.1f} MB: give a smaller --side, or a shorter --script.")


def main(argv=None):
    "Animate and write."
    with friendly_errors():
        o = parse_options("portraits.py", Options, argv)
        set_threads()
        photos = [square_of(words) for words in o.pictures]
        frames = portrait_film(bundled_clip(o.clips), o.side, photos, o.script, o.weights)
        write_film(frames, o.out)
        print(f"wrote {o.out}: {len(frames)} frames, {o.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
