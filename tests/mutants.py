"""Mutants: one-line changes that some test must notice. Run by hand, not by pytest.

python tests/mutants.py              all of them
python tests/mutants.py WORD...      those whose name, module or tests contain one of the words
python tests/mutants.py --list       names only, and whether each can still be applied

Each mutant is applied to a copy of the project in a temporary folder, to the exported module and to the notebook cell that it
came from; the tests named for it run there, and at least one of them has to fail. Tests are pytest node ids, or
"notebook NAME" for the notebook NAME.ipynb. The exit code is 1 where a mutant survives, and 2 where one cannot be applied: its old text
must be found exactly once in the module and once in the notebooks' exported cells.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
G, N = "tests/test_geometry.py::", "tests/test_networks.py::"

# name, module, old text (a line or a part of one), new text, tests that must notice
MUTANTS = [
    # rasterizer
    ("compiled: the top-left rule dropped for edge 0", "rasterizer", "k0 = 0 if (cy < by or (cy == by and cx > bx)) else 1", "k0 = 0", [G + "test_top_left_rule_on_every_edge"]),
    ("compiled: the top-left rule dropped for edge 1", "rasterizer", "k1 = 0 if (ay < cy or (ay == cy and ax > cx)) else 1", "k1 = 0", [G + "test_top_left_rule_on_every_edge"]),
    ("compiled: the top-left rule dropped for edge 2", "rasterizer", "k2 = 0 if (by < ay or (by == ay and bx > ax)) else 1", "k2 = 0", [G + "test_top_left_rule_on_every_edge"]),
    ("compiled: top edges do not count", "rasterizer", "k1 = 0 if (ay < cy or (ay == cy and ax > cx)) else 1", "k1 = 0 if ay < cy else 1", [G + "test_top_left_rule_on_every_edge"]),
    ("loop: bottom edges instead of top ones", "rasterizer", "return q[1] < p[1] or (q[1] == p[1] and q[0] > p[0])", "return q[1] < p[1] or (q[1] == p[1] and q[0] < p[0])", [G + "test_top_left_rule_on_every_edge"]),
    ("torch: right edges instead of left ones", "rasterizer", "top_left = (c[..., 1] < a[..., 1]) |", "top_left = (c[..., 1] > a[..., 1]) |", [G + "test_top_left_rule_on_every_edge"]),
    ("torch: of equal depths the last wins", "rasterizer", 'torch.where(z == depth[pixel], t, none), "amin")', 'torch.where(z == depth[pixel], t, -1), "amax")', [G + "test_of_two_triangles_at_one_depth_the_first_is_seen"]),
    ("compiled: of equal depths the last wins", "rasterizer", "if z > depth[y, x]: depth[y, x] = z; ids[y, x] = t", "if z >= depth[y, x]: depth[y, x] = z; ids[y, x] = t", [G + "test_of_two_triangles_at_one_depth_the_first_is_seen"]),
    ("compiled: vertices are cut off, not rounded", "rasterizer", "xs[n] = max(-_LIMIT, min(_LIMIT, np.floor(x * SUBPIXEL + .5)));", "xs[n] = max(-_LIMIT, min(_LIMIT, np.floor(x * SUBPIXEL)));", [G + "test_vertices_are_snapped_to_the_nearest_256th"]),
    ("map: two corners exchanged", "rasterizer", "out[c, y, x] = w0 * attrs[ia, c] + w1 * attrs[ib, c]", "out[c, y, x] = w0 * attrs[ib, c] + w1 * attrs[ia, c]", [G + "test_barycentric_weights_give_places_back"]),
    ("torch: weights of turned triangles not turned back", "rasterizer", "w = torch.where(swap, e[..., [0, 2, 1]], e).float()", "w = torch.where(swap, e, e).float()", [G + "test_barycentric_weights_give_places_back"]),
    ("points: the farthest is kept", "rasterizer", "0 <= j < width and z > depth[i, j]: depth[i, j], out[i, j] = z, a", "0 <= j < width: depth[i, j], out[i, j] = z, a", [G + "test_splatted_points"]),
    ("normals point inward", "rasterizer", "face = torch.linalg.cross(b - a, c - a)", "face = torch.linalg.cross(c - a, b - a)", [G + "test_vertex_normals_by_hand"]),
    ("light behind the surface counts", "rasterizer", "(normals @ l).clamp(min=0)", "(normals @ l).abs()", [G + "test_lambert_is_a_cosine"]),
    # projection
    ("half a pixel lost on the way to pixels", "projection", "(1 - y) * height / 2 - .5,", "(1 - y) * height / 2,", [G + "test_the_picture_planes_corners"]),
    ("from_pixels has its own idea of a row", "projection", "1 - (points[..., 1] + .5) * 2 / height", "1 - points[..., 1] * 2 / height", [G + "test_the_picture_planes_corners"]),
    ("rotations in the other order", "projection", "return Rx @ Ry @ Rz", "return Rz @ Ry @ Rx", [G + "test_rotations_as_scipy_has_them"]),
    ("gimbal lock forgotten", "projection", "lock = R[:, 0, 2].abs() > 1 - 1e-6", "lock = R[:, 0, 2].abs() > 2", [G + "test_rotations_as_scipy_has_them"]),
    ("a reflection passes for a rotation", "projection", "side[..., 2] = torch.det(U @ V).sign()", "side[..., 2] = 1", [G + "test_the_nearest_rotation_is_scipys"]),
    ("Eq. 1: turned the other way round", "projection", "X = X @ euler_to_matrix(params.rotation).transpose(1, 2)", "X = X @ euler_to_matrix(params.rotation)", [G + "test_eq_1_by_hand"]),
    ("Eq. 1: the shift is scaled too", "projection", "return params.scale[:, None, None] * X + params.translation[:, None]", "return params.scale[:, None, None] * (X + params.translation[:, None])", [G + "test_eq_1_by_hand"]),
    ("Eq. 2 keeps the depth and drops the height", "projection", "torch.tensor([[1., 0, 0], [0, 1, 0]]", "torch.tensor([[1., 0, 0], [0, 0, 1]]", [G + "test_eq_2_drops_the_depth"]),
    ("the jaw follows pitch, not yaw", "projection", "if vertices is None else vertices, params.rotation[:, 1])", "if vertices is None else vertices, params.rotation[:, 0])", [G + "test_landmarks_follow_the_outline"]),
    ("the fit's error looks at the wrong plane", "fitting", "d = (project(posed_landmarks(landmark_model(model), params)) - marks)", "d = (posed_landmarks(landmark_model(model), params)[..., [0, 2]] - marks)", [G + "test_landmark_error_by_hand"]),
    # flow
    ("the sign of the flow", "flow", "motion = Xs - Xt", "motion = Xt - Xs", [G + "test_the_flow_at_a_landmark_is_its_motion"]),
    ("anchors exchanged", "flow", '(Xt if anchor == "target" else Xs)', '(Xs if anchor == "target" else Xt)', [G + "test_the_flow_at_a_landmark_is_its_motion"]),
    ("compiled: back faces are drawn", "flow", "flow, mask = rasterize_map(place, model.triangles, motion, size, size, cull=True)", "flow, mask = rasterize_map(place * place.new_tensor([1, 1, -1]), model.triangles, motion, size, size)", [G + "test_the_point_nearest_the_viewer_wins"]),
    ("Eq. 3 runs the other way", "flow", "return s.lerp(t, 1 - theta)", "return s.lerp(t, theta)", [G + "test_eq_3_by_hand"]),
    ("relative and absolute driving exchanged", "flow", "v = getattr(out, n) + d - d[:1] if relative else d", "v = getattr(out, n) + d - d[:1] if not relative else d", [G + "test_swaps_of_parameters"]),
    ("size is taken even where place is not", "flow", "if translation: out = out.replace(scale=", "if True: out = out.replace(scale=", [G + "test_swaps_of_parameters"]),
    ("noise moves along the depth", "flow", 'if n == "translation": e[:, 2] = 0', 'if n == "translation": e[:, 2] *= 1', [G + "test_noise_has_the_named_size"]),
    ("noise of the scale not relative", "flow", 'if n == "scale": e = e * x', 'if n == "scale": e = e', [G + "test_noise_has_the_named_size"]),
    ("the continued flow changes the face", "flow", "return torch.where(m > 0, flow, far[:, :3] * far[:, 3:])", "return far[:, :3] * far[:, 3:]", [G + "test_a_flow_continued_beyond_the_mesh"]),
    ("the continued flow does not fade", "flow", "far[:, :3] * far[:, 3:])", "far[:, :3])", [G + "test_a_flow_continued_beyond_the_mesh"]),
    ("the warp's y direction flipped", "flow", "grid = torch.stack([x + flow[:, 0], y - flow[:, 1]], -1)", "grid = torch.stack([x + flow[:, 0], y + flow[:, 1]], -1)", [G + "test_warping_reads_where_the_flow_points", G + "test_a_photo_warped_by_the_flow_of_a_shift_is_shifted"]),
    ("the warp reads half a pixel off", "flow", '(torch.arange(W, device=flow.device) + .5) * 2 / W - 1, indexing="ij")', 'torch.arange(W, device=flow.device) * 2 / W - 1, indexing="ij")', [G + "test_warping_reads_where_the_flow_points"]),
    ("sliders: pitch and yaw exchanged", "flow", "turn = torch.tensor([[pitch, yaw, 0.]])", "turn = torch.tensor([[yaw, pitch, 0.]])", [G + "test_the_explorers_sliders"]),
    # fitting
    ("weights of eyes and mouth exchanged", "fitting", "w[36:48], w[48:] = cfg.jaw, cfg.eyes, cfg.mouth", "w[36:48], w[48:] = cfg.jaw, cfg.mouth, cfg.eyes", [G + "test_weights_of_the_points"]),
    ("the start rolls the other way", "fitting", "roll = -torch.atan2(cross, dot)", "roll = torch.atan2(cross, dot)", [G + "test_the_start_is_the_similarity"]),
    ("the start turns the other way", "fitting", "yaw = (-1.6 * side).clamp(-1, 1)", "yaw = (1.6 * side).clamp(-1, 1)", [G + "test_the_start_is_the_similarity"]),
    ("no smoothing of the expression", "fitting", 'return loss + cfg.smooth_exp * d["exp"].square().sum() / T', "return loss", [G + "test_the_fits_loss_by_hand"]),
    ("no ridge on the identity", "fitting", 'loss = loss + cfg.ridge_id * u["id"].square().sum()', "loss = loss", [G + "test_the_fits_loss_by_hand"]),
    ("frames without landmarks count", "fitting", "w = (w / w.mean())[None] * ok[:, None]", "w = (w / w.mean())[None] + 0 * ok[:, None]", [G + "test_frames_without_landmarks_have_no_say"]),
    ("expressions may be negative", "fitting", 'u["exp"].clamp_(0, 1)', 'u["exp"].clamp_(-1, 1)', [G + "test_known_parameters_are_found"]),
    ("identity never learns", "fitting", 'v.requires_grad_(k != "id" or identity is None)', 'v.requires_grad_(k != "id")', [G + "test_known_parameters_are_found"]),
    # rendered faces
    ("harmonics: x and y exchanged", "rendered", "basis = np.stack([np.ones_like(x), x, y, z,", "basis = np.stack([np.ones_like(x), y, x, z,", [G + "test_spherical_harmonics"]),
    ("light from behind the lamp", "rendered", "first = key * d + rng.normal(0, .08, 3)", "first = -key * d + rng.normal(0, .08, 3)", [G + "test_light_comes_from_the_lamp"]),
    ("the eyes squint", "rendered", 'for s, sign in (("Left", 1), ("Right", -1)):\n        e[at[', 'for s, sign in (("Left", 1), ("Right", 1)):\n        e[at[', [G + "test_poses_and_expressions_as_described"]),
    ("the lower teeth hang on the skull", "rendered", "tt[k].reshape(-1, 3) + lips + (chin if k else 0)", "tt[k].reshape(-1, 3) + lips", [G + "test_teeth_follow_skull_and_chin"]),
    ("pictures of the next piece", "rendered", "self.pieces[i // PIECE][i % PIECE]", "self.pieces[i % len(self.pieces)][i // len(self.pieces) % PIECE]", [G + "test_a_set_in_pieces_keeps_pictures_and_parameters_together"]),
    ("no turn beyond the usual", "rendered", "wide = rng.random(3) < [.1, .3, .06]", "wide = rng.random(3) < [0, 0, 0]", [G + "test_poses_and_expressions_as_described"]),
    # regressor: losses
    ("Eq. 5: eyes and mouth exchanged", "regressor", "w = torch.ones(68); w[36:48], w[48:] = eyes, mouth", "w = torch.ones(68); w[36:48], w[48:] = mouth, eyes", [N + "test_eq_5_by_hand"]),
    ("Eq. 6 without expression", "regressor", " + (params.exp_coeff - truth.exp_coeff) @ model.exp_basis[:L].flatten(1)", "", [N + "test_eq_6_by_hand"]),
    ("Eq. 6 without identity", "regressor", "d = (params.id_coeff - truth.id_coeff) @ model.id_basis[:K].flatten(1) +", "d =", [N + "test_eq_6_by_hand"]),
    ("Eq. 7 with the depth", "regressor", "(params.translation - truth.translation)[:, :2].abs()", "(params.translation - truth.translation).abs()", [N + "test_eq_7_by_hand"]),
    ("Eq. 7 without the scale", "regressor", " + (params.scale - truth.scale).abs()", "", [N + "test_eq_7_by_hand"]),
    ("λ1 and λ2 exchanged", "regressor", "LAMBDAS = (10., 1., 1e-3)", "LAMBDAS = (1., 10., 1e-3)", [N + "test_eq_8_and_9_weigh_their_terms"]),
    ("λ1 weighs the pose", "regressor", "tr=lambdas[1] * transformation_loss", "tr=lambdas[0] * transformation_loss", [N + "test_eq_8_and_9_weigh_their_terms"]),
    ("Eq. 8: the jaw at the predicted yaw", "regressor", "(project(lm.landmarks(pose(lm, p), yaw)) for p", "(project(lm.landmarks(pose(lm, p), p.rotation[:, 1])) for p", [N + "test_eq_8_and_9_weigh_their_terms"]),
    ("Eq. 9 without its regulariser", "regressor", "terms = dict(lm=landmark_loss(points, marks), reg=lambdas[2] *", "terms = dict(lm=landmark_loss(points, marks), reg=0 *", [N + "test_eq_8_and_9_weigh_their_terms"]),
    # regressor: moving, disturbing, looking twice
    ("pictures turn clockwise", "regressor", "A = inv * flip[:, None] * flip[None]", "A = inv.mT * flip[:, None] * flip[None]", [N + "test_moved_pictures_go_with_the_points"]),
    ("shifts of the parameters not turned", "regressor", "t = F.pad((M @ params.translation[:, :2, None])[..., 0] + shift, (0, 1))", "t = F.pad(params.translation[:, :2] + shift, (0, 1))", [N + "test_moved_parameters_move_the_mesh"]),
    ("no face far from the middle", "regressor", "(1 / 12 if strength else 0)", "(0 if strength else 0)", [N + "test_random_moves_have_the_described_size"]),
    ("no grey pictures", "regressor", "< .2 * strength).float()", "< 0 * strength).float()", [N + "test_recoloured_pictures"]),
    ("everybody covered", "regressor", "k = torch.nonzero(r(len(images)) < share).flatten()", "k = torch.nonzero(r(len(images)) < 2 * share).flatten()", [N + "test_covered_faces"]),
    ("the head's axes upside down", "regressor", 'X = torch.stack(torch.meshgrid(v, -v, indexing="xy"), -1)', 'X = torch.stack(torch.meshgrid(v, v, indexing="xy"), -1)', [N + "test_the_heads_axes"]),
    ("no hiding patches", "regressor", "< .4 * strength).flatten().tolist():", "< 0 * strength).flatten().tolist():", [N + "test_augmented_batches"]),
    ("the mirror keeps the roll", "regressor", "rotation=params.rotation * sign(1., -1., -1.)", "rotation=params.rotation * sign(1., -1., 1.)", [N + "test_the_mirrored_face"]),
    ("the mirror keeps left and right", "regressor", 'other = lambda n: n.replace("Left", "#").replace("Right", "Left").replace("#", "Right")', "other = lambda n: n", [N + "test_the_mirrored_face"]),
    ("the identity's mirror transposed", "regressor", "params.id_coeff @ mirror_matrix().T.to(params.id_coeff)", "params.id_coeff @ mirror_matrix().to(params.id_coeff)", ["notebook 09_regressor", N + "test_a_second_look_by_hand", N + "test_identities_in_the_mirror"]),
    ("looking twice is looking once", "regressor", "for _ in range((looks or self.looks) - 1):", "for _ in range((looks or 1) - 1):", [N + "test_predict_goes_through_everything_in_batches"]),
    ("the second look is not mirrored", "regressor", "mirror_params(net(x.flip(3)), open_face)", "mirror_params(net(x), open_face)", [N + "test_a_second_look_by_hand"]),
    ("the first look has no say", "regressor", "three = params, p, q; shape", "three = p, p, q; shape", [N + "test_a_second_look_by_hand"]),
    ("folded forgets the second normalisation", "regressor", "(b.look, b.n2) = fold(b.down, b.n1), fold(b.look, b.n2)", "(b.look, b.n2) = fold(b.down, b.n1), (b.look, nn.Identity())", [N + "test_folded_says_the_same"]),
    # regressor: measuring and learning
    ("angles do not wrap", "regressor", "(torch.remainder(a - b + np.pi, 2 * np.pi) - np.pi).abs()", "(a - b).abs()", [N + "test_angles"]),
    ("the judged image has a say", "regressor", "rest = torch.arange(len(P)) != k;", "rest = torch.arange(len(P)) != -1;", [N + "test_one_constant_rotation_between_models"]),
    ("variance share upside down", "regressor", "v(getattr(params, n)) / v(getattr(truth, n))", "v(getattr(truth, n)) / max(v(getattr(params, n)), 1e-9)", [N + "test_the_share_of_the_variance"]),
    ("frontal faces are all faces", "regressor", "near, wide = yaw < 45, yaw < 60", "near, wide = yaw < 450, yaw < 60", [N + "test_evaluation_with_a_network_that_errs_by_a_known_amount"]),
    ("fine-tuning learns all frames", "regressor", "idx = np.arange(len(images)) if found is None else np.flatnonzero(np.asarray(found))", "idx = np.arange(len(images))", [N + "test_fine_tuning_learns_the_found_frames_and_leaves_the_network"]),
    ("a clip's identity from frames without a face", "regressor", "p.id_coeff[ok].mean(0, keepdim=True)", "p.id_coeff.mean(0, keepdim=True)", [N + "test_a_clips_identity_is_the_mean_of_the_found_frames"]),
    ("one shortcut after the ReLU", "regressor", "return F.relu(self.n3(self.up(h) + self.skip(x)))", "return F.relu(self.n3(self.up(h))) + self.skip(x)", [N + "test_a_residual_block_by_hand"]),
    ("new channels hear nothing", "regressor", "to[tuple(slice(m) for m in w.shape)] = w", "to[:] = 0; to[tuple(slice(m) for m in w.shape)] = w", [N + "test_dead_units_wake_and_a_network_grows"]),
    # conditions
    ("heatmap upside down", "conditions", "gy = (-((marks[..., 1, None] + c) / sigma)**2 / 2).exp()", "gy = (-((marks[..., 1, None] - c) / sigma)**2 / 2).exp()", [N + "test_the_heatmap_by_hand"]),
    ("dots add up", "conditions", "out = torch.maximum(out, (gy", "out = torch.add(out, (gy", [N + "test_the_heatmap_by_hand"]),
    ("one side of a pair counts in full", "conditions", "W[idx, j] += w / len(idx)", "W[idx, j] += w", [N + "test_action_units_by_hand"]),
    ("landmarks of the source", "conditions", "landmark_heatmap(project(posed_landmarks(model, t)), size)", "landmark_heatmap(project(posed_landmarks(model, s)), size)", [N + "test_the_three_conditions"]),
    ("the flow's length over all pixels", "conditions", "(length * moves).sum((1, 2)) / moves.sum((1, 2)).clamp(min=1)", "length.mean((1, 2))", [N + "test_spread_and_length_by_hand"]),
    # spade, generator
    ("γ starts around 0", "spade", "self.gamma_beta.bias[:channels] = 1.", "self.gamma_beta.bias[:channels] = 0.", [N + "test_how_gamma_and_beta_start"]),
    ("γ and β scatter three times as far", "spade", "self.gamma_beta.weight.mul_(.3)", "self.gamma_beta.weight.mul_(1.)", [N + "test_how_gamma_and_beta_start"]),
    ("γ and β exchanged", "spade", "gamma, beta = self.gamma_beta(h_flow).chunk(2, 1)", "beta, gamma = self.gamma_beta(h_flow).chunk(2, 1)", [N + "test_eq_4_by_hand"]),
    ("Eq. 4 adds", "spade", "return spade if h_dec is None else h_dec * spade", "return spade if h_dec is None else h_dec + spade", [N + "test_eq_4_by_hand"]),
    ("the encoder always normalises", "spade", "nn.InstanceNorm2d(cout, affine=True) if norm else nn.Identity(), act(cout, kind)", "nn.InstanceNorm2d(cout, affine=True), act(cout, kind)", [N + "test_encoders_give_every_scale"]),
    ("the flow not × 4", "generator", "self.T_flow(condition * self.cfg.flow_scale)", "self.T_flow(condition)", [N + "test_what_the_two_streams_see"]),
    ("the scale of the flow is 1", "flow", "FLOW_SCALE = 4.0", "FLOW_SCALE = 1.0", [N + "test_what_the_two_streams_see"]),
    ("photos between 0 and 1", "generator", "self.T_enc(seen * 2 - 1), self.T_flow", "self.T_enc(seen), self.T_flow", [N + "test_what_the_two_streams_see"]),
    ("the perceptual loss sees another range", "generator", "return self.T_enc(x * 2 - 1)", "return self.T_enc(x)", [N + "test_what_the_two_streams_see"]),
    ("painted and warped exchanged", "generator", "image=a * painted + (1 - a) * warped", "image=a * warped + (1 - a) * painted", [N + "test_painted_and_warped_are_mixed_by_the_mask", "notebook 13_fade_in_decoding"]),
    ("the warped photo is always painted over", "generator", "image=a * painted + (1 - a) * warped", "image=painted", [N + "test_painted_and_warped_are_mixed_by_the_mask", "notebook 13_fade_in_decoding"]),
    ("the mask starts at a half", "generator", "nn.init.constant_(self.to_rgb[-1].bias[3:], -1.)", "nn.init.constant_(self.to_rgb[-1].bias[3:], 0.)", [N + "test_painted_and_warped_are_mixed_by_the_mask"]),
    ("a scale without fusion", "generator", "h = fuse(h, self.spade[l](h_enc[l], h_flow[l]))", "h = fuse(h if l else None, self.spade[l](h_enc[l], h_flow[l]))", [N + "test_the_decoder_by_hand"]),
    # metrics
    ("PSNR of the root", "metrics", "return -10 * mse(a, b).clamp(min=1e-10).log10()", "return -20 * mse(a, b).clamp(min=1e-10).log10()", [N + "test_metrics_as_scikit_image_has_them"]),
    ("SSIM: the constants exchanged", "metrics", "s = (2 * ma * mb + 1e-4) * (2 * cov + 9e-4)", "s = (2 * ma * mb + 9e-4) * (2 * cov + 1e-4)", [N + "test_metrics_as_scikit_image_has_them"]),
    ("SSIM without covariance", "metrics", "blur(a * b) - ma * mb", "blur(a * b)", [N + "test_metrics_as_scikit_image_has_them"]),
    ("liveliness counts frames without a face", "metrics", "(a, fa), (b, fb) = track_pictures(fake), track_pictures(real); ok = fa & fb", "(a, fa), (b, fb) = track_pictures(fake), track_pictures(real); ok = fa | fb", [N + "test_liveliness_by_hand"]),
    ("sharpness upside down", "metrics", "laplacian_variance(fake[ok], b[ok]).mean() / laplacian_variance(real[ok], b[ok]).mean()", "laplacian_variance(real[ok], b[ok]).mean() / laplacian_variance(fake[ok], b[ok]).mean()", [N + "test_liveliness_by_hand"]),
    ("tracked points half a pixel off", "metrics", "return (marks + .5) / zoom - .5, found", "return marks / zoom + .5, found", [N + "test_tracked_pictures_have_their_own_pixels"]),
]


def exported_cells(root):
    "Exported cells of all notebooks: (notebook's path, index of the cell, source)."
    for path in sorted((root / "nbs").glob("*.ipynb")):
        for k, c in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            s = "".join(c["source"])
            if c["cell_type"] == "code" and re.match(r"#\|\s*exports?\b", s):
                yield path, k, s


def find(root, module, old):
    "Where a mutant's old text stands: module file, notebook and cell; or a sentence that says why it cannot be applied."
    path = root / "f3a_lite" / f"{module}.py"
    if not path.exists():
        return f"there is no module '{module}'"
    n = path.read_text(encoding="utf-8").count(old)
    if n != 1:
        return f"its old text is found {n} times in {path.name}"
    source = re.search(r"File to edit: \S*?(\w+\.ipynb)", path.read_text(encoding="utf-8"))[1]
    cells = [(p, k) for p, k, s in exported_cells(root) if p.name == source and s.count(old) == 1]
    if len(cells) != 1:
        return f"its old text is found in {len(cells)} exported cells of {source}"
    return path, *cells[0]


def put(root, where, old, new):
    "Write a mutant into the module and into the notebook."
    path, notebook, k = where
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    d = json.loads(notebook.read_text(encoding="utf-8"))
    s = "".join(d["cells"][k]["source"]).replace(old, new)
    d["cells"][k]["source"] = s.splitlines(keepends=True)
    notebook.write_text(json.dumps(d, indent=1, ensure_ascii=False), encoding="utf-8")


def run_tests(root, tests, timeout=900):
    "The tests that failed, and the seconds they took; a test that does not exist is an error."
    ids = [f"tests/test_notebooks.py::test_notebook[{t.split()[1]}]" if t.startswith("notebook ") else t for t in tests]
    env = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg", "OMP_WAIT_POLICY": "PASSIVE",
           "NUMBA_CACHE_DIR": str(root / ".numba"), "F3A_FACES": str(root / "no_faces")}
    t0 = time.time()
    r = subprocess.run([sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", "--no-header", *ids],
                       cwd=root, env=env, capture_output=True, text=True, timeout=timeout)
    if r.returncode not in (0, 1):
        raise SystemExit(f"pytest could not run {ids}:\n{(r.stdout + r.stderr)[-1500:]}")
    killers = [line.split()[1].split("::")[-1] for line in r.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return killers, time.time() - t0


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("words", nargs="*")
    ap.add_argument("--list", action="store_true")
    args = ap.parse_args()
    chosen = [m for m in MUTANTS if not args.words or any(w.lower() in " ".join([m[0], m[1], *m[4]]).lower() for w in args.words)]
    places = {m[0]: find(ROOT, m[1], m[2]) for m in chosen}
    bad = {n: p for n, p in places.items() if isinstance(p, str)}
    for n, p in bad.items():
        print(f"cannot be applied: {n}: {p}")
    doubled = {m[0] for m in MUTANTS if [x[0] for x in MUTANTS].count(m[0]) > 1}
    for n in doubled:
        print(f"this name is used twice: {n}")
    if bad or doubled:
        raise SystemExit(2)
    if args.list:
        print("\n".join(f"{m[1]:<12} {m[0]}" for m in chosen))
        return
    survivors, rows = [], []
    with tempfile.TemporaryDirectory() as tmp:
        root = Path(tmp) / "project"
        skip = shutil.ignore_patterns(".git", ".venv", "runs", "out", "build", "dist", "__pycache__", "*.egg-info", ".pytest_cache")
        shutil.copytree(ROOT, root, ignore=skip)
        print(f"{'mutant':<60} | {'killed by':<70} | survived")
        for name, module, old, new, tests in chosen:
            where = find(root, module, old)
            kept = {p: (p.read_bytes(), (p.stat().st_atime_ns, p.stat().st_mtime_ns)) for p in where[:2]}
            put(root, where, old, new)
            try:
                killers, seconds = run_tests(root, tests)
            finally:
                for p, (b, times) in kept.items():
                    p.write_bytes(b)
                    os.utime(p, ns=times)  # so that numba's cache of the unchanged module stays good
            if not killers:
                survivors.append(name)
            rows.append(name)
            print(f"{name:<60} | {', '.join(killers):<70} | {'' if killers else 'SURVIVED'}", flush=True)
    print(f"{len(rows) - len(survivors)} of {len(rows)} killed" + (f"; survived: {'; '.join(survivors)}" if survivors else ""))
    raise SystemExit(1 if survivors else 0)


if __name__ == "__main__":
    main()
