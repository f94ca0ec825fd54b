"f3a_train: second legs, recipes, one's own face."

import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
import pytest
import torch
from conftest import run_command
from f3a_lite.conditions import CONDITIONS
from f3a_lite.core import F3AError, data_path
from f3a_lite.generator import NetworkConfig
from f3a_lite.lab.evaluation import measure_pairs
from f3a_lite.data.video import read_image
from f3a_lite.lab.results import find_record, load_records
from f3a_lite.losses import weighted_pixel_loss
from f3a_lite.registry import SYSTEMS, load_system, make_system, save_system
from f3a_lite.schedule import TrainConfig, load_recipe, lr_of, stage_of
from f3a_lite.systems import System
from f3a_lite.training import Trainer, start_from
from f3a_lite.ui import train
from f3a_lite.ui import commands
from f3a_lite.ui.train import f3a_train
from helpers import CPU, KINDS, small_config, small_trainer, tensors


def test_a_critic_that_has_stepped_is_restored(clip, tmp_path):
    a, b = small_trainer(clip), small_trainer(clip)
    for _ in range(3):
        a.step()
    a.save(tmp_path / "c.pt")
    assert a.optimisers["critic"].state_dict()["state"], "the critic's optimiser has a past"
    b.load(tmp_path / "c.pt")
    for k in range(3):
        parts = [(a.net, b.net)] + [(a.optimisers[n], b.optimisers[n]) for n in ("generator", "critic")]
        for one, other in parts:
            x, y = tensors(one.state_dict()), tensors(other.state_dict())
            assert len(x) == len(y) > 0
            for v, w in zip(x, y):
                assert v.dtype == w.dtype and torch.equal(v, w), f"after {k} more steps"
        assert all(torch.equal(a.average[n], b.average[n]) for n in a.average)
        a.step()
        b.step()


def test_a_run_begins_with_the_weights_it_is_given(clip, tmp_path):
    first = small_trainer(clip)
    for _ in range(2):
        first.step()
    save_system(first.net, tmp_path / "w.safetensors", steps=2, seconds=5, command="first")
    t = small_trainer(clip, seed=1)
    start_from(t, tmp_path / "w.safetensors")
    assert len(t.init) == 64
    for n, v in first.net.generator.state_dict().items():
        assert torch.equal(t.net.generator.state_dict()[n], v.half().float())
        assert torch.equal(t.average[n], v.half().float())
    t.step()
    stored = load_system(tmp_path / "w.safetensors").generator.state_dict()
    assert any(not torch.equal(t.net.generator.state_dict()[n], v) for n, v in stored.items())
    wider = small_trainer(clip, generator=small_config(channels=(8, 12)))
    for other in (wider, small_trainer(clip, "t_warp")):
        with pytest.raises(F3AError, match="w.safetensors.*another shape"):
            start_from(other, tmp_path / "w.safetensors")


def test_first_weights_of_another_system_are_refused_first(tmp_path, capsys, monkeypatch):
    "Before a clip is prepared or people are drawn."
    monkeypatch.setattr(train, "bundled_clip", None)
    monkeypatch.setattr(train, "drawn_people", None)
    words = ["--system", "t_warp", "--init", "f3a_gan", "--out", tmp_path / "run"]
    assert run_command(f3a_train, *words) == 2
    assert "start from weights of the same system" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_init_from_the_command_line(clip, tmp_path, capsys):
    common = [clip.path, "--size", "64", "--batch", "2", "--test_pairs", "4"]
    old = make_system("f3a_gan", grows=2)
    save_system(old, tmp_path / "w.safetensors", steps=30, seconds=60, command="f3a_train first")
    leg = [*common, "--out", tmp_path / "leg", "--lr", "1e-9"]
    begun = [*leg, "--init", tmp_path / "w.safetensors", "--steps", "2"]
    assert run_command(f3a_train, *begun, "--minutes", "1e-5") == 0
    assert run_command(f3a_train, *leg, "--steps", "2") == 2
    assert "other first weights" in capsys.readouterr().err
    assert run_command(f3a_train, *begun) == 0
    s = load_system(tmp_path / "leg" / "weights.safetensors")
    assert s.info["steps"] == 2 and len(s.info["init"]) == 64
    for n, v in old.generator.T_enc.state_dict().items():
        assert torch.allclose(s.generator.T_enc.state_dict()[n], v, atol=2e-3), (
            "a learning rate of nearly nothing leaves them as they were"
        )
    other = [*common, "--out", tmp_path / "other", "--steps", "1", "--system", "t_warp"]
    assert run_command(f3a_train, *other, "--init", tmp_path / "w.safetensors") == 2
    assert "another shape" in capsys.readouterr().err
    assert run_command(f3a_train, *common, "--init", tmp_path / "none.safetensors", "--out", tmp_path / "o") == 2


def test_init_alone_is_a_fine_tuning_of_what_the_file_holds(clip, tmp_path, monkeypatch):
    "The file's own generator, small steps at full size; a bundled name stands for its file; options still count."
    got = {}

    def look(cfg, clips, out, minutes, device, init=None, **more):
        got.update(cfg=cfg, init=init)
        return []

    monkeypatch.setattr(train, "train", look)
    old = make_system("t_warp", channels=(6, 8))
    own = save_system(old, tmp_path / "w.safetensors")
    assert run_command(f3a_train, clip.path, "--init", own) == 0
    cfg = got["cfg"]
    assert (cfg.system, cfg.generator, got["init"]) == ("t_warp", old.cfg, own)
    assert (cfg.lowres_fraction, cfg.gan_fraction, cfg.people) == (0, 0, 0) and cfg.lr < TrainConfig().lr
    for name in ("t_warp", "f3a_gan"):
        bundled = load_system(data_path(f"{name}.safetensors"))
        assert run_command(f3a_train, clip.path, "--init", name, "--steps", "7") == 0
        assert (got["cfg"].system, got["cfg"].generator, got["cfg"].steps) == (name, bundled.cfg, 7)
        assert got["init"] == data_path(f"{name}.safetensors")
        assert all(stage_of(got["cfg"], k).level == 0 for k in range(1, 7)), "nothing grows again"


@pytest.mark.parametrize("kind", KINDS)
def test_train_command_writes_weights_and_figures_of_one_run(clip, tmp_path, kind, capsys):
    args = [clip.path, "--out", tmp_path / "r", "--size", "64", "--steps", "3", "--batch", "2", "--test_pairs", "6"]
    assert run_command(f3a_train, *args, "--system", kind) == 0
    s, records = load_system(tmp_path / "r" / "weights.safetensors"), load_records(tmp_path / "r" / "metrics.json")
    assert s.kind == kind and s.info["steps"] == 3 and len(s.info["people"][0]) == 128
    for name in ("copying", "warping only", s.title, "shuffled"):
        stored = find_record(records, name, split="random")
        assert stored.figures in [r["figures"] for r in s.info["records"] if r["name"] == name]
        assert stored.info["command"] and stored.info["sha256"] == [clip.meta["sha256"]]
    split = [r.setting["split"] for r in records if "split" in r.setting][-1]
    psnr = {name: find_record(records, name, split=split).mean("psnr") for name in ("copying", "warping only", s.title)}
    said = capsys.readouterr().out.strip().splitlines()[-2]
    for name in ("warping only", "copying"):
        more = psnr[s.title] - psnr[name]
        assert f"{abs(more):.1f} dB {'better' if more > 0 else 'worse'} than" in said
    curves, samples = (read_image(tmp_path / "r" / f"{n}.png").astype(int) for n in ("curves", "samples"))
    blue = abs(curves - [0x1F, 0x77, 0xB4]).sum(-1) < 40
    assert 50 < blue.sum() < blue.size / 20, "lines are drawn"
    assert samples.shape == (16 + 3 * 66 - 2, 58 + 6 * 66 - 2, 3), "three named rows of six pictures"
    faces = samples[16:, 58:]
    assert abs(faces[:64, :64] - faces[66:130, :64]).mean() > 1, "source and target are two frames"


@pytest.mark.parametrize("pairs", [0, 5])
def test_interrupted_and_resumed_is_the_same_run(clip, tmp_path, pairs):
    "From the command line; the critic steps before the interruption and after it."
    base = [clip.path, "--size", "64", "--batch", "2", "--gan_fraction", "1", "--pairs", pairs]
    base += ["--grows", "0", "--lowres_fraction", "0.5"] if not pairs else []
    short = [*base, "--steps", "3", "--test_pairs", "4"]
    assert run_command(f3a_train, *short, "--out", tmp_path / "a") == 0
    assert run_command(f3a_train, *short, "--out", tmp_path / "b", "--minutes", "0.00001") == 0
    assert torch.load(tmp_path / "b" / "checkpoint.pt", weights_only=True)["done"] == 1
    assert run_command(f3a_train, *short, "--out", tmp_path / "b") == 0
    a, b = (torch.load(tmp_path / n / "checkpoint.pt", weights_only=True) for n in "ab")
    assert a["done"] == b["done"] == 3 and a["optimisers"]["critic"]["state"]
    for n in ("net", "optimisers", "average"):
        x, y = tensors(a[n]), tensors(b[n])
        assert len(x) == len(y) > 0
        for v, w in zip(x, y):
            assert v.dtype == w.dtype and torch.equal(v, w), n
    if not pairs:  # a finished run can be made longer, and measured on more pairs
        assert run_command(f3a_train, *base, "--steps", "4", "--test_pairs", "6", "--out", tmp_path / "a") == 0
        assert load_system(tmp_path / "a" / "weights.safetensors").info["steps"] == 4


def test_without_clips_the_bundled_one_is_trained_on(clip, tmp_path, monkeypatch):
    got = {}
    monkeypatch.setattr(train, "bundled_clip", lambda face_model: clip)
    monkeypatch.setattr(train, "train", lambda cfg, clips, *a, **k: got.update(clips=clips, people=k["people"]))
    assert run_command(f3a_train, "--out", tmp_path) == 0
    assert [c.path for c in got["clips"]] == [clip.path] and got["people"] == []


def test_every_field_of_the_config_can_be_set(clip, tmp_path, monkeypatch):
    "Each option of the command line reaches the config; presets and systems give the defaults."
    got = {}
    monkeypatch.setattr(train, "train", lambda cfg, *a, **k: got.update(cfg=cfg))
    words = ["--lr", "0.5", "--channels", "8", "16", "--flow_channels", "4", "4", "--anchor", "source", "--pixel", "3"]
    words += ["--grows", "1", "--fusion", "latent"]
    assert run_command(f3a_train, clip.path, *words, "--no-flow-norm", "--condition", "landmarks") == 0
    cfg = got["cfg"]
    assert (cfg.lr, cfg.generator.channels, cfg.generator.anchor, cfg.losses.pixel) == (0.5, (8, 16), "source", 3)
    assert not cfg.generator.flow_norm and cfg.generator.condition == "landmarks"
    assert (cfg.generator.grows, cfg.generator.fusion) == (1, "latent")
    assert run_command(f3a_train, clip.path, "--preset", "paper", "--system", "t_warp", "--batch", "2") == 0
    cfg = got["cfg"]
    assert (cfg.batch, cfg.lr, cfg.generator.channels[-1], cfg.generator.condition) == (2, 1e-4, 512, "geometry_maps")


@pytest.mark.parametrize("condition", sorted(CONDITIONS))
def test_every_condition_is_one_field_of_the_config(clip, condition):
    "The generator is told the condition that its config names, and learns from it."
    t = small_trainer(clip, generator=small_config(condition=condition))
    first = t.net.generator.T_flow.first[0][0].weight
    before = first.detach().clone()
    batch = t.batches[0][0]
    assert batch["condition"].shape == (2, CONDITIONS[condition].channels, 32, 32)
    t.step()
    assert not torch.equal(first, before)


@pytest.fixture
def made_up():
    "A system of somebody else's: its own settings, a network of one colour, a loss; it enters by being defined."

    @dataclass
    class ColourConfig(NetworkConfig):
        grey: bool = False  # one number for three channels

    class Colour(System, kind="made_up"):
        title, Config = "one colour", ColourConfig

        def make_generator(self):
            net = torch.nn.Module()
            net.colour = torch.nn.Parameter(torch.zeros(1, 1 if self.cfg.grey else 3, 1, 1))
            return net

        def forward(self, source, condition, stage=None):
            return dict(image=self.generator.colour.expand_as(source))

        def generator_terms(self, out, batch, stage):
            return dict(pixel=weighted_pixel_loss(out["image"], batch["target"], batch["weight"], batch["valid"]))

    yield Colour
    SYSTEMS.pop("made_up")


def test_the_loop_trains_a_system_it_has_never_seen(clip, tmp_path, made_up, capsys):
    "One more system is one more class: trained by the command, resumed, saved, read and measured."
    how = dict(size=32, steps=6, batch=2, low_batch=2, lowres_fraction=0.0, lr=0.1, ema=0.0)
    a, b = (Trainer(TrainConfig("made_up", **how), [clip], device=CPU) for _ in range(2))
    assert list(a.optimisers) == ["generator"]
    errors = [a.step()["l1"] for _ in range(6)]
    assert errors[-1] < errors[0]
    a.save(tmp_path / "c.pt")
    b.load(tmp_path / "c.pt")
    assert torch.equal(b.net.generator.colour, a.net.generator.colour) and b.done == 6
    assert "one colour" in measure_pairs(a.averaged(), [clip], a.pairs(0), 32)
    words = ["--size", "32", "--steps", "2", "--batch", "2", "--low-batch", "2", "--test-pairs", "8", "--grey"]
    assert run_command(f3a_train, clip.path, "--system", "made_up", *words, "--out", tmp_path / "run") == 0
    read = load_system(tmp_path / "run" / "weights.safetensors")
    assert isinstance(read, made_up) and read.cfg.grey and read.generator.colour.shape == (1, 1, 1, 1)
    assert "one colour" in capsys.readouterr().out


def test_a_system_without_a_loss_or_without_weights_cannot_be_trained(clip, made_up):
    "It says so; a training that learns nothing must not pass in silence."
    how = dict(size=32, steps=2, batch=2, low_batch=2, lowres_fraction=0.0)
    made_up.generator_terms = System.generator_terms
    with pytest.raises(F3AError, match="defines generator_terms"):
        Trainer(TrainConfig("made_up", **how), [clip], device=CPU).step()
    made_up.make_generator = lambda self: torch.nn.Identity()
    with pytest.raises(F3AError, match="no weights"):
        Trainer(TrainConfig("made_up", **how), [clip], device=CPU)


def test_a_recipe_is_a_stored_config(clip, monkeypatch, capsys):
    got = {}
    monkeypatch.setattr(train, "train", lambda cfg, *a, **k: got.update(cfg=cfg))
    monkeypatch.setattr(train, "drawn_people", lambda cfg, team: [])  # drawing them takes minutes
    assert run_command(f3a_train, clip.path, "--recipe", "t_warp", "--steps", "3") == 0
    assert got["cfg"] == replace(load_recipe("t_warp"), steps=3) and got["cfg"].people == 400
    assert run_command(f3a_train, clip.path, "--recipe", "soup") == 2 and "no recipe" in capsys.readouterr().err
    assert run_command(f3a_train, clip.path, "--recipe", "t_warp", "--preset", "paper") == 2
    assert "leave --preset" in capsys.readouterr().err


def test_help_fits_one_screen_and_all_of_it_three(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit):
        commands.f3a_train(["--help"])
    said = capsys.readouterr().out
    assert len(said.splitlines()) <= 40 and "--help-all" in said and "--critic-steps" not in said
    with pytest.raises(SystemExit):
        commands.f3a_train(["--help-all"])
    said = capsys.readouterr().out.split("positional", 1)[1]  # after the examples
    assert 45 < len(said.splitlines()) <= 120
    for option in ("--preset", "--system", "--init", "--critic-steps", "--anchor", "--perceptual"):
        assert said.count(f" {option} ") + said.count(f" {option},") == 1, option


def test_same_seed_same_weights_other_seed_other_weights(clip):
    def run(seed):
        t = small_trainer(clip, steps=2, seed=seed)
        t.step()
        t.step()
        return t.average["to_rgb.0.0.weight"]

    assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))


def test_the_paper_preset_is_the_supplement(clip):
    "No cosine, no warm-up, no average of its own, all losses from the start, equal shares of the epochs a level."
    cfg = TrainConfig.paper()
    assert (cfg.batch, cfg.low_batch, cfg.gan_fraction, cfg.critic_steps) == (64, 64, 1, 2)
    assert (cfg.pairs, cfg.test_pairs, cfg.steps) == (91_000, 91_000, 56_875)
    assert TrainConfig.voxceleb2().pairs == 840_100 and TrainConfig.voxceleb2().steps == 840_100 * 40 // 64
    for k in (0, 1, 30_000, 56_874):
        assert lr_of(cfg, k) == 1e-4 and stage_of(cfg, k).critic and stage_of(cfg, k).batch == 64
    levels = [stage_of(cfg, k).level for k in range(cfg.steps)]
    assert [levels.count(k) for k in range(5)] == [11_375] * 5 and levels == sorted(levels, reverse=True)
    fades = [stage_of(cfg, k).level for k in range(cfg.steps) if stage_of(cfg, k).alpha < 1]
    assert [fades.count(k) for k in range(5)] == [5687] * 4 + [0], "half of each level, but for the first"
    t = small_trainer(clip, ema=cfg.ema)
    t.step()
    for name, value in t.net.generator.state_dict().items():
        assert torch.equal(t.average[name], value), "an average of 0 is the network itself"


def test_steps_of_the_paper_preset_run_on_a_cpu(clip):
    "Batch 2, at full width: a step of the first level, and one of the last."
    t = Trainer(TrainConfig.paper(batch=2, low_batch=2, pairs=0), [clip], device=CPU)
    assert sum(p.numel() for p in t.net.generator.parameters()) > 25e6
    first, last = t.net.generator.to_rgb[4][0].weight, t.net.generator.to_rgb[0][0].weight
    for step, moves, stays in ((0, first, last), (56_000, last, first)):
        before = moves.detach().clone(), stays.detach().clone()
        row = t.learn(step)
        assert row["size"] == (8, 128)[step > 0] and 0 < row["l1"] < 1
        assert not torch.equal(moves, before[0]) and torch.equal(stays, before[1])


def on_the_gpu():
    "Skip, with a reason, where there is no CUDA device."
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_steps_on_the_gpu_agree_with_the_cpu(clip, precision):
    "Growing, critic and all; 16 bits up to their rounding. The weights stay in 32 bits. A process has one precision."
    on_the_gpu()
    program = f"""
import torch
from f3a_lite.data.clips import load_clip
from f3a_lite.schedule import TrainConfig
from f3a_lite.training import Trainer
from team_run import SMALL
rows = []
for device, bits in (("cpu", "no"), ("cuda", {precision!r})):
    own = dict(generator=SMALL, size=32, steps=4, batch=4, low_batch=4, lowres_fraction=0.0, gan_fraction=1.0)
    t = Trainer(TrainConfig(**own, precision=bits), [load_clip({str(clip.path)!r})], device=device)
    rows.append([t.step() for _ in range(4)][-1]["l1"])
    assert all(p.dtype == torch.float32 for p in t.net.parameters())
assert abs(rows[0] - rows[1]) < {1e-3 if precision == "no" else 0.05} * rows[0], rows
"""
    tests = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tests, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.gpu
def test_the_paper_preset_on_the_gpu(clip, capsys):
    "A step of the last level with the paper's batch of 64; says what it takes."
    on_the_gpu()
    t = Trainer(TrainConfig.paper(pairs=0), [clip], device="cuda")
    t.learn(56_000)
    torch.cuda.synchronize()
    start = time.time()
    row = t.learn(56_001)
    torch.cuda.synchronize()
    with capsys.disabled():
        gb = torch.cuda.max_memory_allocated() / 2**30
        print(f"\n{torch.cuda.get_device_name()}: {time.time() - start:.2f} s a step, {gb:.1f} GB")
    assert 0 < row["l1"] < 1 and row["size"] == 128
