"""Mutants: one-line changes that some test must notice: the equations, the warp, the splits, resuming, the tables.

python tests/mutants.py              all of them (`make mutants`)
python tests/mutants.py WORD...      those whose name, module or tests contain one of the words
python tests/mutants.py --list       names only, and whether each can still be applied

Each mutant is applied to a copy of the project in a temporary folder, to the exported module and to the notebook cell
that it came from; the tests named for it run there, and at least one of them has to fail. Tests are pytest node ids, or
"notebook NAME". The exit code is 1 where a mutant survives, and 2 where one cannot be applied: its old text must be
found exactly once in the module and once in the notebooks' exported cells.
"""

import argparse
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = Path(__file__).resolve().parent.parent

# name, module, old text (a line or a part of one), new text, tests that must notice
MUTANTS = [
    # rasterizer
    (
        "compiled: the top-left rule dropped for edge 0",
        "kernels",
        "k0 = 0 if (cy < by or (cy == by and cx > bx)) else 1",
        "k0 = 0",
        ["tests/test_rasterizer.py::test_top_left_rule_on_every_edge"],
    ),
    (
        "compiled: top edges do not count",
        "kernels",
        "k1 = 0 if (ay < cy or (ay == cy and ax > cx)) else 1",
        "k1 = 0 if ay < cy else 1",
        ["tests/test_rasterizer.py::test_top_left_rule_on_every_edge"],
    ),
    (
        "compiled: of equal depths the last wins",
        "kernels",
        "if z > depth[y, x]:",
        "if z >= depth[y, x]:",
        ["tests/test_rasterizer.py::test_of_two_triangles_at_one_depth_the_first_is_seen"],
    ),
    # projection
    (
        "rotations in the other order",
        "projection",
        "return Rx @ Ry @ Rz",
        "return Rz @ Ry @ Rx",
        ["tests/test_projection.py::test_rotations_as_scipy_has_them"],
    ),
    (
        "Eq. 1: turned the other way round",
        "projection",
        "X = X @ euler_to_matrix(params.rotation).transpose(1, 2)",
        "X = X @ euler_to_matrix(params.rotation)",
        ["tests/test_projection.py::test_eq_1_by_hand"],
    ),
    (
        "Eq. 1: the shift is scaled too",
        "projection",
        "return params.scale[:, None, None] * X + params.translation[:, None]",
        "return params.scale[:, None, None] * (X + params.translation[:, None])",
        ["tests/test_projection.py::test_eq_1_by_hand"],
    ),
    (
        "Eq. 2 keeps the depth and drops the height",
        "projection",
        "torch.tensor([[1.0, 0, 0], [0, 1, 0]]",
        "torch.tensor([[1.0, 0, 0], [0, 0, 1]]",
        ["tests/test_projection.py::test_eq_2_drops_the_depth"],
    ),
    # flow
    (
        "the sign of the flow",
        "flow",
        "motion = Xs - Xt",
        "motion = Xt - Xs",
        ["tests/test_flow.py::test_the_flow_at_a_landmark_is_its_motion"],
    ),
    (
        "anchors exchanged",
        "flow",
        '(Xt if anchor == "target" else Xs)',
        '(Xs if anchor == "target" else Xt)',
        ["tests/test_flow.py::test_the_flow_at_a_landmark_is_its_motion"],
    ),
    (
        "Eq. 3 runs the other way",
        "flow",
        "return theta * source + (1 - theta) * target  # Eq. 3",
        "return (1 - theta) * source + theta * target  # Eq. 3",
        ["tests/test_flow.py::test_eq_3_by_hand"],
    ),
    (
        "the continued flow does not fade",
        "drawing",
        "far[:, :3] * far[:, 3:])",
        "far[:, :3])",
        ["tests/test_flow.py::test_a_flow_continued_beyond_the_mesh"],
    ),
    (
        "the warp's y direction flipped",
        "drawing",
        "grid = torch.stack([x + flow[:, 0], y - flow[:, 1]], -1)",
        "grid = torch.stack([x + flow[:, 0], y + flow[:, 1]], -1)",
        [
            "tests/test_flow.py::test_warping_reads_where_the_flow_points",
            "tests/test_flow.py::test_a_photo_warped_by_the_flow_of_a_shift_is_shifted",
        ],
    ),
    (
        "the warp reads half a pixel off",
        "drawing",
        "(torch.arange(W, device=flow.device) + 0.5) * 2 / W - 1,",
        "torch.arange(W, device=flow.device) * 2 / W - 1,",
        ["tests/test_flow.py::test_warping_reads_where_the_flow_points"],
    ),
    # fitting
    (
        "no smoothing of the expression",
        "fitting",
        'loss + cfg.smooth_exp * (step["exp"].square() * near).sum() / T + cfg.smooth_pose',
        "loss + cfg.smooth_pose",
        ["tests/test_fitting.py::test_the_fits_loss_by_hand"],
    ),
    (
        "no ridge on the identity",
        "fitting",
        'loss = loss + cfg.ridge_id * u["id"].square().sum()',
        "loss = loss",
        ["tests/test_fitting.py::test_the_fits_loss_by_hand"],
    ),
    # regressor
    (
        "Eq. 5: eyes and mouth exchanged",
        "regressor",
        "w[36:48] = 5.0  # the eyes",
        "w[36:48] = 10.0  # the eyes",
        ["tests/test_regressor.py::test_eq_5_by_hand"],
    ),
    (
        "Eq. 6 without expression",
        "regressor",
        "return (identity + expression).abs().mean()",
        "return identity.abs().mean()",
        ["tests/test_regressor.py::test_eq_6_by_hand"],
    ),
    (
        "Eq. 6 without identity",
        "regressor",
        "return (identity + expression).abs().mean()",
        "return expression.abs().mean()",
        ["tests/test_regressor.py::test_eq_6_by_hand"],
    ),
    (
        "Eq. 7 with the depth",
        "regressor",
        "(params.translation - truth.translation)[:, :2].abs()",
        "(params.translation - truth.translation).abs()",
        ["tests/test_regressor.py::test_eq_7_by_hand"],
    ),
    (
        "Eq. 7 without the scale",
        "regressor",
        "return (rotation + scale + shift).mean()",
        "return (rotation + shift).mean()",
        ["tests/test_regressor.py::test_eq_7_by_hand"],
    ),
    (
        "λ1 and λ2 exchanged",
        "regressor",
        "LAMBDAS = (10.0, 1.0, 1e-3)",
        "LAMBDAS = (1.0, 10.0, 1e-3)",
        ["tests/test_regressor.py::test_eq_8_and_9_weigh_their_terms"],
    ),
    (
        "Eq. 8: the jaw at the predicted yaw",
        "regressor",
        "points = project(lm.landmarks(pose(lm, params), yaw))",
        "points = project(lm.landmarks(pose(lm, params), params.rotation[:, 1]))",
        ["tests/test_regressor.py::test_eq_8_and_9_weigh_their_terms"],
    ),
    (
        "Eq. 9 without its regulariser",
        "regressor",
        "return dict(lm=landmark_loss(points, landmarks), reg=lambdas[2] *",
        "return dict(lm=landmark_loss(points, landmarks), reg=0 *",
        ["tests/test_regressor.py::test_eq_8_and_9_weigh_their_terms"],
    ),
    # conditions
    (
        "dots add up",
        "sparse_conditions",
        "out = torch.maximum(out, (gy",
        "out = torch.add(out, (gy",
        ["tests/test_conditions.py::test_the_heatmap_by_hand"],
    ),
    (
        "landmarks of the source",
        "conditions",
        "return landmark_heatmap(target.points(face_model), size)",
        "return landmark_heatmap(source.points(face_model), size)",
        ["tests/test_conditions.py::test_conditions_are_functions_of_two_frames"],
    ),
    # spade
    (
        "γ starts around 0",
        "spade",
        "self.gamma_beta.bias[:channels] = 1.",
        "self.gamma_beta.bias[:channels] = 0.",
        ["tests/test_spade.py::test_how_gamma_and_beta_start"],
    ),
    (
        "γ and β exchanged",
        "spade",
        "gamma, beta = self.gamma_beta(h_flow).chunk(2, 1)",
        "beta, gamma = self.gamma_beta(h_flow).chunk(2, 1)",
        ["tests/test_spade.py::test_eq_4_by_hand"],
    ),
    (
        "Eq. 4 adds",
        "generator",
        "h_out = h_dec * self.bracket(k, h_enc[k - level], h_flow[k - level])  # Eq. 4",
        "h_out = h_dec + self.bracket(k, h_enc[k - level], h_flow[k - level])  # Eq. 4",
        ["tests/test_generator.py::test_the_decoder_by_hand"],
    ),
    # warp_generator
    (
        "paint is taken away",
        "warp_generator",
        "* skin) + c * inside  # (B,3,H,W)",
        "* skin) - c * inside  # (B,3,H,W)",
        ["tests/test_warp.py::test_the_picture_by_hand"],
    ),
    (
        "the layer is forgotten",
        "warp_generator",
        "flow = continued[:, :2] * layer",
        "flow = continued[:, :2]",
        ["tests/test_warp.py::test_the_picture_by_hand"],
    ),
    (
        "the background moves",
        "warp_generator",
        "layer = layer * (fade / 0.05).clamp(max=1)",
        "layer = layer * 1",
        ["tests/test_warp.py::test_whatever_the_network_says_the_photo_is_kept"],
    ),
    (
        "a photo that does not move is painted",
        "warp_generator",
        "b = stretched * grown(maps.eyelids, LIDS) * (1 - maps.eyeballs) * moves",
        "b = grown(maps.eyelids, LIDS) * (1 - maps.eyeballs)",
        ["tests/test_warp.py::test_whatever_the_network_says_the_photo_is_kept"],
    ),
    (
        "a mouth that was seen is painted",
        "warp_generator",
        "c = softened(maps.mouth * maps.hidden) * moves",
        "c = softened(maps.mouth) * moves",
        ["tests/test_warp.py::test_the_picture_by_hand"],
    ),
    # generator
    (
        "a scale without fusion",
        "generator",
        "return self.spade[str(k)](h_enc, h_flow) if str(k) in self.spade else 1  # (B,Ck,H,W)",
        "return self.spade[str(k)](h_enc, h_flow) if str(k) in self.spade and k != 1 else 1",
        ["tests/test_generator.py::test_the_decoder_by_hand"],
    ),
    # metrics
    (
        "PSNR of the root",
        "metrics",
        "return -10 * mse(a, b, valid)",
        "return -20 * mse(a, b, valid)",
        ["tests/test_metrics.py::test_metrics_as_scikit_image_has_them"],
    ),
    (
        "SSIM: the constants exchanged",
        "metrics",
        "return (2 * ma * mb + 1e-4) * (2 * cov + 9e-4)",
        "return (2 * ma * mb + 9e-4) * (2 * cov + 1e-4)",
        ["tests/test_metrics.py::test_metrics_as_scikit_image_has_them"],
    ),
    # loop
    (
        "the critic is not restored on resume",
        "loop",
        'self.net.load_state_dict(state["net"])',
        'self.net.load_state_dict({k: v for k, v in state["net"].items() if not k.startswith("critic")}, strict=False)',
        [
            "tests/test_train_command.py::test_a_critic_that_has_stepped_is_restored",
            "tests/test_loop.py::test_interrupted_at_a_random_moment_and_resumed_is_the_same_run",
        ],
    ),
    (
        "the critic's optimiser is not restored on resume",
        "loop",
        'optimiser.load_state_dict(state["optimisers"][name])',
        'name == "critic" or optimiser.load_state_dict(state["optimisers"][name])',
        [
            "tests/test_train_command.py::test_a_critic_that_has_stepped_is_restored",
            "tests/test_loop.py::test_interrupted_at_a_random_moment_and_resumed_is_the_same_run",
        ],
    ),
    # spade
    (
        "α mixes the wrong way round",
        "generator",
        "return alpha * picture + (1 - alpha) * old",
        "return alpha * old + (1 - alpha) * picture",
        [
            "tests/test_growing.py::test_between_the_two_everything_is_mixed",
            "tests/test_growing.py::test_what_alpha_mixes_by_hand",
        ],
    ),
    # generator
    (
        "no fade of pictures",
        "generator",
        "if level == self.cfg.grows or alpha == 1:",
        "if level == self.cfg.grows or alpha > 0:",
        ["tests/test_growing.py::test_what_alpha_mixes_by_hand"],
    ),
    # losses
    (
        "the penalty wants a slope of nothing",
        "systems",
        "norm(dim=1) - 1).square()",
        "norm(dim=1)).square()",
        ["tests/test_growing.py::test_gradient_penalty_of_a_linear_critic"],
    ),
    (
        "Eq. 11 with the wrong sign for the generator",
        "losses",
        "return -fake.mean()",
        "return fake.mean()",
        [
            "tests/test_losses.py::test_signs_of_eq_11",
            "tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step",
        ],
    ),
    (
        "Eq. 11 with the wrong sign for the critic",
        "losses",
        "F.relu(1 - real).mean() + F.relu(1 + fake).mean()",
        "F.relu(1 + real).mean() + F.relu(1 - fake).mean()",
        [
            "tests/test_losses.py::test_signs_of_eq_11",
            "tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step",
            "tests/test_training.py::test_the_critic_learns_to_tell_and_the_generator_to_please_it",
        ],
    ),
    (
        "Eq. 10's boxes upside down",
        "pairs",
        "x, y = centre[None, None, :], -centre[None, :, None]",
        "x, y = centre[None, None, :], centre[None, :, None]",
        ["tests/test_losses.py::test_boxes_of_eq_10_are_the_right_way_up"],
    ),
    (
        "T_enc is not held in the perceptual loss",
        "losses",
        "    generator.T_enc.requires_grad_(False)\n",
        "",
        [
            "tests/test_losses.py::test_eq_12_hears_every_scale_and_holds_the_encoder",
            "tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step",
        ],
    ),
    # systems
    (
        "λ4 is ten",
        "systems",
        "pixel: float = 100.0",
        "pixel: float = 10.0",
        [
            "tests/test_losses.py::test_weights_of_eq_13",
            "tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step",
        ],
    ),
    # losses
    (
        "the weight of Eq. 10 is outside the boxes",
        "pairs",
        "w = torch.where(across & down, torch.full_like(w, INSIDE), w)",
        "w = torch.where(across & down, w, torch.full_like(w, INSIDE))",
        ["tests/test_losses.py::test_boxes_of_eq_10_are_the_right_way_up"],
    ),
    # loop
    (
        "the average is not in the resumed run",
        "loop",
        '        self.average = {name: value.to(self.average[name].device) for name, value in state["average"].items()}\n',
        "",
        [
            "tests/test_train_command.py::test_a_critic_that_has_stepped_is_restored",
            "tests/test_loop.py::test_interrupted_at_a_random_moment_and_resumed_is_the_same_run",
        ],
    ),
    (
        "the generator's optimiser steps on a loss that is no number",
        "loop",
        "if not torch.isfinite(loss):",
        "if False:",
        ["tests/test_loop.py::test_a_diverged_run_keeps_its_last_good_checkpoint"],
    ),
    (
        "an infinite number passes for finite",
        "checkpoints",
        "bool(torch.isfinite(state).all())",
        "not bool(torch.isnan(state).any())",
        [
            "tests/test_loop.py::test_finite_is_looked_for_at_every_depth",
            "tests/test_loop.py::test_a_diverged_run_keeps_its_last_good_checkpoint",
        ],
    ),
    (
        "the checkpoint before the last is not kept",
        "checkpoints",
        "        if newest.exists():",
        "        if False:",
        ["tests/test_loop.py::test_one_of_the_two_checkpoints_is_there_at_every_moment"],
    ),
    (
        "resume accepts other clips",
        "checkpoints",
        "    if clips != here:",
        "    if False:",
        ["tests/test_loop.py::test_resume_refuses_other_clips"],
    ),
    (
        "only the sha256 of a clip is compared",
        "checkpoints",
        'recipes.append({k: v for k, v in c.meta.items() if k not in ("source", "files")})',
        'recipes.append(dict(sha256=c.meta["sha256"]))',
        ["tests/test_loop.py::test_resume_refuses_other_clips"],
    ),
    # pairs
    (
        "blocks lie elsewhere",
        "pairs",
        "BLOCKS = ((0.5, 0.6), (0.9, 1.0))",
        "BLOCKS = ((0.4, 0.5), (0.9, 1.0))",
        ["tests/test_pairs.py::test_blocks_are_the_stretches_that_the_lesson_names"],
    ),
    (
        "blocks are trained on",
        "pairs",
        "rest = np.flatnonzero(~np.any(blocks, 0) & ok)",
        "rest = np.flatnonzero(ok)",
        ["tests/test_pairs.py::test_blocks_are_the_stretches_that_the_lesson_names"],
    ),
    (
        "random frames are trained on",
        "pairs",
        "train=np.setdiff1d(rest, held)",
        "train=rest",
        ["tests/test_pairs.py::test_blocks_are_the_stretches_that_the_lesson_names"],
    ),
    (
        "lost frames are trained on",
        "pairs",
        "ok = np.ones(T, bool) if found is None else np.asarray(found, bool)",
        "ok = np.ones(T, bool)",
        ["tests/test_pairs.py::test_short_clips_have_no_blocks_and_lost_frames_take_no_part"],
    ),
    (
        "measured on training frames",
        "pairs",
        'sources, targets = splits[k]["train"], splits[k][which]',
        'sources, targets = splits[k]["train"], splits[k]["train"]',
        ["tests/test_pairs.py::test_pairs_take_sources_from_training_and_targets_from_where_it_is_said"],
    ),
    (
        "sources are held-out frames",
        "pairs",
        'splits[k]["train"], splits[k][which]',
        "splits[k][which], splits[k][which]",
        ["tests/test_pairs.py::test_pairs_take_sources_from_training_and_targets_from_where_it_is_said"],
    ),
    (
        "a frame is its own source",
        "pairs",
        "i = np.where(same, (i + 1) % len(sources), i)",
        "i = np.where(same, i, i)",
        ["tests/test_pairs.py::test_pairs_take_sources_from_training_and_targets_from_where_it_is_said"],
    ),
    # prepare
    (
        "held-out frames are fitted with the training frames",
        "fitting",
        "train, held = np.flatnonzero(training)",
        "train, held = np.flatnonzero(found)",
        ["tests/test_estimation.py::test_a_held_out_frame_has_no_say_in_any_other"],
    ),
    (
        "held-out frames have an identity of their own",
        "fitting",
        "cfg=alone, identity=identity, unit",
        "cfg=alone, unit",
        [
            "tests/test_estimation.py::test_held_out_frames_are_fitted_as_well",
            "tests/test_estimation.py::test_a_held_out_frame_has_no_say_in_any_other",
        ],
    ),
    # pairs
    (
        "the split of the fit is ignored",
        "pairs",
        "split = split_frames(len(clip), seed or 0, found=clip.found)",
        "split = split_frames(len(clip), 0, found=clip.found)",
        ["tests/test_evaluation.py::test_a_clip_that_was_fitted_as_one_is_not_measured"],
    ),
    (
        "frames that are to be left out are used",
        "pairs",
        "{which: frames[clip.usable[frames]] for which, frames in split.items()}",
        "{which: frames for which, frames in split.items()}",
        ["tests/test_pairs.py::test_frames_that_are_left_out_are_in_no_split"],
    ),
    # metrics
    (
        "identity is not centred",
        "metrics",
        "- (0 if mean is None else mean)",
        "- 0",
        ["tests/test_metrics.py::test_csim_against_scipy"],
    ),
    # tables
    (
        "frames count, not clips",
        "lab.measuring",
        "means = np.array([np.nanmean(v) for v in values if np.isfinite(v).any()])",
        "means = every[np.isfinite(every)]",
        ["tests/test_tables.py::test_means_over_clips", "tests/test_tables.py::test_undefined_cases_are_counted"],
    ),
    (
        "sources from held-out frames",
        "lab.measuring",
        'frames = dict(train=split["train"], these=',
        "frames = dict(train=np.arange(len(clip)), these=",
        ["tests/test_tables.py::test_targets_come_from_the_split_and_sources_from_training"],
    ),
    (
        "the driver's place too",
        "lab.measuring",
        "params = source.params.replace(exp_coeff=driver.params.exp_coeff, rotation=driver.params.rotation)",
        "moved = driver.params.replace(id_coeff=source.params.id_coeff)",
        ["tests/test_tables.py::test_across_people_the_driver_gives_expression_and_rotation_only"],
    ),
    (
        "somebody drives herself",
        "lab.measuring",
        "others = [c for c in clips if person_of(c, who) != person_of(clip, who)]",
        "others = [c for c in clips if c is not clip]",
        ["tests/test_tables.py::test_across_people_the_driver_gives_expression_and_rotation_only"],
    ),
    (
        "people on both sides",
        "lab.tables",
        "if (p in held) == out]",
        "if (p in held) == out or p == people[0]]",
        ["tests/test_tables.py::test_whole_people_are_held_out"],
    ),
    (
        "noise on the source",
        "lab.measuring",
        "params = add_noise(target.params, noise, model, rng)",
        "params = add_noise(part.source.params, noise, model, rng)",
        ["tests/test_tables.py::test_noise_is_on_the_targets_parameters"],
    ),
    (
        "every order agrees",
        "lab.paper_tables",
        "answers.append((row, metric, paper == (pair[0] < pair[1])))",
        "answers.append((row, metric, True))",
        ["tests/test_tables.py::test_the_order_is_compared_metric_by_metric"],
    ),
    (
        "many drivers in one part",
        "lab.measuring",
        "drivers = [others[rng.integers(len(others))]]",
        "drivers = others",
        ["tests/test_tables.py::test_one_driver_a_part"],
    ),
    (
        "landmarks without noise",
        "lab.measuring",
        "landmarks=target.points(model) + away",
        "landmarks=target.points(model)",
        ["tests/test_tables.py::test_noise_is_on_the_targets_parameters"],
    ),
]


def find(root, module, old):
    "Module file, notebook and cell of a mutant's old text; or a sentence that says why it cannot be applied."
    path = (root / "f3a_lite" / module.replace(".", "/")).with_suffix(".py")
    if not path.exists() or path.read_text(encoding="utf-8").count(old) != 1:
        return f"its old text is not found once in {path.name}"
    places = []
    for notebook in sorted((root / "nbs").glob("*.ipynb")):
        for k, cell in enumerate(json.loads(notebook.read_text(encoding="utf-8"))["cells"]):
            source = "".join(cell["source"])
            if re.match(r"#\s*\|\s*(export|exporti)\b", source) and source.count(old) == 1:
                places.append((notebook, k))
    return (path, *places[0]) if len(places) == 1 else f"its old text is found in {len(places)} exported cells"


def put(where, old, new):
    "Write a mutant into the module and into the notebook."
    path, notebook, k = where
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    book = json.loads(notebook.read_text(encoding="utf-8"))
    source = "".join(book["cells"][k]["source"]).replace(old, new)
    book["cells"][k]["source"] = source.splitlines(keepends=True)
    notebook.write_text(json.dumps(book, indent=1, ensure_ascii=False), encoding="utf-8")


def killers(root, tests):
    "The tests that fail. Raises `SystemExit` where pytest cannot run them."
    ids = [f"tests/test_notebooks.py::test_notebook[{t.split()[1]}]" if t.startswith("notebook ") else t for t in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-o", "addopts=", "-p", "no:cacheprovider", *ids]
    env = dict(os.environ, PYTHONPATH=str(root), PYTHONDONTWRITEBYTECODE="1", MPLBACKEND="agg")
    env.update(NUMBA_CACHE_DIR=str(root / ".numba"), F3A_FACES=str(root / "no_faces"), OMP_WAIT_POLICY="PASSIVE")
    r = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=900)
    if r.returncode not in (0, 1):
        raise SystemExit(f"pytest could not run {ids}:\n{(r.stdout + r.stderr)[-1500:]}")
    return [line.split()[1].split("::")[-1] for line in r.stdout.splitlines() if line.startswith("FAILED")]


def main():
    "Apply each mutant, and say which survive."
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    lost, alive = [], []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        skip = (".git", ".venv", "runs", "out", "build", "dist", "__pycache__", "*.egg-info", ".pytest_cache")
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*skip))
        for name, module, old, new, tests in MUTANTS:
            words = " ".join([name, module, *tests]).lower()
            if args.words and not any(word.lower() in words for word in args.words):
                continue
            where = find(root, module, old)
            if isinstance(where, str):
                lost.append(name)
                print(f"{module}: {name}: CANNOT BE APPLIED: {where}")
                continue
            if args.list:
                print(f"{module}: {name}")
                continue
            kept = {p: (p.read_bytes(), (p.stat().st_atime_ns, p.stat().st_mtime_ns)) for p in where[:2]}
            put(where, old, new)
            by = killers(root, tests)
            for p, (content, times) in kept.items():
                p.write_bytes(content)
                os.utime(p, ns=times)  # so that numba's cache of the unchanged module stays good
            alive += [] if by else [name]
            print(f"{module}: {name}: {'killed by ' + ', '.join(by) if by else 'SURVIVED'}", flush=True)
    print(f"{len(lost)} cannot be applied, {len(alive)} survived" + (f": {'; '.join(alive)}" if alive else ""))
    raise SystemExit(1 if alive else 2 if lost else 0)


if __name__ == "__main__":
    main()
