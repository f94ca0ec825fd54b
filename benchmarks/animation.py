"""How fast a photo is animated, flow included, and where the time goes: results/animation.json.

python benchmarks/animation.py [--rounds N]

One frame at a time, as a widget asks for it, and in batches, as a film does; warping only and both bundled systems,
interleaved in one run. Then the command line: from nothing to the first frame, and to the three files of a blink.
"""

from dataclasses import dataclass
from pathlib import Path
import subprocess
import sys
import tempfile
import time
import numpy as np
import torch
from f3a_lite.animation import BUNDLED, Face
from f3a_lite.driving import motion_from_script
from f3a_lite.conditions import Frames, GeometryMaps, make_condition
from f3a_lite.core import F3AError, data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.pictures import to_tensor
from f3a_lite.flow import extend_flow
from f3a_lite.morphable import FaceParams, PARAM_NAMES, open_model
from f3a_lite.lab.results import Record, run_info, save_records
from f3a_lite.systems import Warping, load_system
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Options:
    "Time the animation of the bundled photo."

    rounds: int = 5  # of everything, interleaved; the median counts; 1 or more
    out: Path = ROOT / "results" / "animation.json"


def bundled_face():
    "The bundled photo as a Face; who it shows does not matter here."
    stored = load_file(data_path("still_example.safetensors"))
    params = FaceParams(*[stored[n] for n in PARAM_NAMES])
    return Face(to_tensor(stored["frame"].numpy())[None], params, np.zeros(128))


def make(system, face, targets, face_model):
    "Frames, flow included."
    return system.generate(Frames(face.params, face.image), Frames(targets), face_model)


def seconds_of(work):
    "How long something takes."
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def parts_of(system, face, targets, face_model):
    "Seconds of the two halves of a frame: the system's condition, and its picture."

    def condition():
        return make_condition(
            system.condition, face_model, Frames(face.params), Frames(targets), 128, system.cfg.anchor
        )

    given = condition()
    source = face.image.expand(len(targets), -1, -1, -1)

    def network():
        with torch.inference_mode():
            system(source, given)

    found = dict(condition=seconds_of(condition), network=seconds_of(network))
    if system.kind == "t_warp":
        found.update(warp_parts(system.generator, source, GeometryMaps.split(given)))
    return found


@torch.inference_mode()
def warp_parts(net, source, maps):
    "Seconds of T_warp's network, part by part (`inputs` has `continued_flow` in it); the rest is moving and mixing."
    x = net.inputs(source, maps)[0]
    h = net.T_enc(x)

    def decode():
        y = h[-1]
        for k in reversed(range(1, len(h) - 1)):
            y = net.join[k - 1](torch.cat([net.up[k - 1](y), h[k]], 1))
        net.to_layer(y)

    return dict(
        continued_flow=seconds_of(lambda: extend_flow(maps.flow, maps.mask)),
        inputs=seconds_of(lambda: net.inputs(source, maps)),
        encoder=seconds_of(lambda: net.T_enc(x)),
        decoder=seconds_of(decode),
        paint=seconds_of(lambda: net.paint(source, maps.flow[:, :2], maps)),
    )


def first_frame():
    "Seconds of a new process until the first frame of the bundled photo is made."
    words = "import benchmarks.animation as b; b.one_frame()"
    return seconds_of(lambda: subprocess.run([sys.executable, "-c", words], check=True, cwd=ROOT))


def one_frame():
    "What a new process does for its first frame, the weights' default included."
    system, face, model = load_system(data_path(BUNDLED[0])), bundled_face(), open_model()
    make(system, face, motion_from_script(face.params, "blink")[5], model)


def blink():
    "Seconds of the command line for a blink: face found and fitted, 14 frames, three files."
    with tempfile.TemporaryDirectory() as d:
        words = "from f3a_lite.ui.commands import f3a_animate; import sys; f3a_animate(sys.argv[1:])"
        command = [sys.executable, "-c", words, "--script", "blink", "--out", d]
        return seconds_of(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=d))


def main(argv=None):
    "Time, print, and write the records."
    with friendly_errors():
        o = parse_options("animation.py", Options, argv)
        if o.rounds < 1:
            raise F3AError(f"At least one round is needed, not {o.rounds}.")
        set_threads(None)
        start, face, model = time.monotonic(), bundled_face(), open_model()
        targets = motion_from_script(face.params, "smile,turn")[:16]
        systems = {s.title: s for s in (Warping(), *(load_system(data_path(n)) for n in BUNDLED))}
        for system in systems.values():
            make(system, face, targets, model)
        times = {(name, mode): [] for name in systems for mode in ("single", "batch")}
        parts = {name: [] for name in systems if name != Warping.title}
        for _ in range(o.rounds):
            for name, system in systems.items():
                for k in range(8):
                    times[name, "single"].append(seconds_of(lambda: make(system, face, targets[k : k + 1], model)))
                times[name, "batch"].append(seconds_of(lambda: make(system, face, targets, model)) / len(targets))
                if name in parts:
                    parts[name].append(parts_of(system, face, targets[:1], model))
        command = dict(first_frame=[first_frame() for _ in range(2)], blink=[blink() for _ in range(2)])
        info = run_info(seed=0, t0=start)
        records = []
        for name in systems:
            figures = {f"fps_{mode}": float(1 / np.median(times[name, mode])) for mode in ("single", "batch")}
            if name in parts:
                for part in parts[name][0]:
                    figures[f"{part}_ms"] = float(np.median([p[part] for p in parts[name]]) * 1000)
            records.append(Record(name, dict(size=128), figures, info))
        figures = {f"{name}_s": float(min(values)) for name, values in command.items()}
        records.append(Record("command line", dict(size=128), figures, info))
        save_records(records, o.out)
        for r in records:
            print(f"{r.name:<14}", {k: round(v, 2) for k, v in r.figures.items()})


if __name__ == "__main__":
    main()
