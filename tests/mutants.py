"""Mutants: one-line changes that some test must notice. Run by hand, not by pytest.

python tests/mutants.py              all of them
python tests/mutants.py WORD...      those whose name, module or tests contain one of the words
python tests/mutants.py --list       names only, and whether each can still be applied

Each mutant is applied to a copy of the project in a temporary folder, to the exported module and to the notebook cell that it
came from; the tests named for it run there, and at least one of them has to fail. Tests are pytest node ids, or
"notebook NAME" for the notebook NAME.ipynb. The exit code is 1 where a mutant survives, and 2 where one cannot be applied: its old text
must be found exactly once in the module and once in the notebooks' exported cells, and the tests named for it must exist.
`--list` says of all of them whether they can be applied; without it, the rest is run all the same.
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
    ("compiled: of equal depths the last wins", "rasterizer", "if z > depth[y, x]:", "if z >= depth[y, x]:", [G + "test_of_two_triangles_at_one_depth_the_first_is_seen"]),
    ("compiled: vertices are cut off, not rounded", "rasterizer", "xs[n] = max(-_LIMIT, min(_LIMIT, np.floor(x * SUBPIXEL + 0.5)))", "xs[n] = max(-_LIMIT, min(_LIMIT, np.floor(x * SUBPIXEL)))", [G + "test_vertices_are_snapped_to_the_nearest_256th"]),
    ("map: two corners exchanged", "rasterizer", "out[c, y, x] = w0 * attrs[ia, c] + w1 * attrs[ib, c]", "out[c, y, x] = w0 * attrs[ib, c] + w1 * attrs[ia, c]", [G + "test_barycentric_weights_give_places_back"]),
    ("torch: weights of turned triangles not turned back", "rasterizer", "w = torch.where(swap, e[..., [0, 2, 1]], e).float()", "w = torch.where(swap, e, e).float()", [G + "test_barycentric_weights_give_places_back"]),
    ("points: the farthest is kept", "rasterizer", "if 0 <= i < height and 0 <= j < width and z > depth[i, j]:", "if 0 <= i < height and 0 <= j < width:", [G + "test_splatted_points"]),
    ("normals point inward", "rasterizer", "face = torch.linalg.cross(b - a, c - a)", "face = torch.linalg.cross(c - a, b - a)", [G + "test_vertex_normals_by_hand"]),
    ("light behind the surface counts", "rasterizer", "(normals @ lamp).clamp(min=0)", "(normals @ lamp).abs()", [G + "test_lambert_is_a_cosine"]),
    # projection
    ("half a pixel lost on the way to pixels", "projection", "(1 - y) * height / 2 - 0.5,", "(1 - y) * height / 2,", [G + "test_the_picture_planes_corners"]),
    ("from_pixels has its own idea of a row", "projection", "1 - (points[..., 1] + 0.5) * 2 / height", "1 - points[..., 1] * 2 / height", [G + "test_the_picture_planes_corners"]),
    ("rotations in the other order", "projection", "return Rx @ Ry @ Rz", "return Rz @ Ry @ Rx", [G + "test_rotations_as_scipy_has_them"]),
    ("gimbal lock forgotten", "projection", "lock = R[:, 0, 2].abs() > 1 - 1e-6", "lock = R[:, 0, 2].abs() > 2", [G + "test_rotations_as_scipy_has_them"]),
    ("a reflection passes for a rotation", "projection", "side[..., 2] = torch.det(U @ V).sign()", "side[..., 2] = 1", [G + "test_the_nearest_rotation_is_scipys"]),
    ("Eq. 1: turned the other way round", "projection", "X = X @ euler_to_matrix(params.rotation).transpose(1, 2)", "X = X @ euler_to_matrix(params.rotation)", [G + "test_eq_1_by_hand"]),
    ("Eq. 1: the shift is scaled too", "projection", "return params.scale[:, None, None] * X + params.translation[:, None]", "return params.scale[:, None, None] * (X + params.translation[:, None])", [G + "test_eq_1_by_hand"]),
    ("Eq. 2 keeps the depth and drops the height", "projection", "torch.tensor([[1.0, 0, 0], [0, 1, 0]]", "torch.tensor([[1.0, 0, 0], [0, 0, 1]]", [G + "test_eq_2_drops_the_depth"]),
    ("the jaw follows pitch, not yaw", "projection", "if vertices is None else vertices, params.rotation[:, 1])", "if vertices is None else vertices, params.rotation[:, 0])", [G + "test_landmarks_follow_the_outline"]),
    ("the fit's error looks at the wrong plane", "fitting", "own = project(posed_landmarks(landmark_model(face_model), params))", "own = posed_landmarks(landmark_model(face_model), params)[..., [0, 2]]", [G + "test_landmark_error_by_hand"]),
    # flow
    ("the sign of the flow", "flow", "motion = Xs - Xt", "motion = Xt - Xs", [G + "test_the_flow_at_a_landmark_is_its_motion"]),
    ("anchors exchanged", "flow", '(Xt if anchor == "target" else Xs)', '(Xs if anchor == "target" else Xt)', [G + "test_the_flow_at_a_landmark_is_its_motion"]),
    ("compiled: back faces are drawn", "flow", "flow, mask = rasterize_map(place, face_model.triangles, motion, size, size, cull=True)", "flow, mask = rasterize_map(place * place.new_tensor([1, 1, -1]), face_model.triangles, motion, size, size)", [G + "test_the_point_nearest_the_viewer_wins"]),
    ("Eq. 3 runs the other way", "flow", "return s.lerp(t, 1 - theta)", "return s.lerp(t, theta)", [G + "test_eq_3_by_hand"]),
    ("relative and absolute driving exchanged", "flow", "        if relative:", "        if not relative:", [G + "test_swaps_of_parameters"]),
    ("size is taken even where place is not", "flow", "if translation:", "if True:", [G + "test_swaps_of_parameters"]),
    ("noise moves along the depth", "flow", "e[:, 2] = 0", "e[:, 2] *= 1", [G + "test_noise_has_the_named_size"]),
    ("noise of the scale not relative", "flow", "        if name == \"scale\":", "        if False:", [G + "test_noise_has_the_named_size"]),
    ("the continued flow changes the face", "flow", "return torch.where(m > 0, flow, far[:, :3] * far[:, 3:])", "return far[:, :3] * far[:, 3:]", [G + "test_a_flow_continued_beyond_the_mesh"]),
    ("the continued flow does not fade", "flow", "far[:, :3] * far[:, 3:])", "far[:, :3])", [G + "test_a_flow_continued_beyond_the_mesh"]),
    ("the warp's y direction flipped", "flow", "grid = torch.stack([x + flow[:, 0], y - flow[:, 1]], -1)", "grid = torch.stack([x + flow[:, 0], y + flow[:, 1]], -1)", [G + "test_warping_reads_where_the_flow_points", G + "test_a_photo_warped_by_the_flow_of_a_shift_is_shifted"]),
    ("the warp reads half a pixel off", "flow", "(torch.arange(W, device=flow.device) + 0.5) * 2 / W - 1,", "torch.arange(W, device=flow.device) * 2 / W - 1,", [G + "test_warping_reads_where_the_flow_points"]),
    ("sliders: pitch and yaw exchanged", "widgets", "turn = torch.tensor([[pitch, yaw, 0.0]])", "turn = torch.tensor([[yaw, pitch, 0.0]])", ["tests/test_widgets.py::test_what_the_sliders_of_a_motion_mean"]),
    ("a preset computes for every control", "widgets", "        self.held = True\n", "        self.held = False\n", ["tests/test_widgets.py::test_an_explorer_shows_what_its_function_gives"]),
    ("an explorer's errors end it", "widgets", "except F3AError as e:\n            self.notes", "except KeyError as e:\n            self.notes", ["tests/test_widgets.py::test_an_explorer_shows_what_its_function_gives"]),
    ("the flow explorer ignores the anchor", "widgets", "target, size, anchor)\n        x, y, z", "target, size)\n        x, y, z", ["tests/test_widgets.py::test_the_flow_explorer"]),
    ("the patch goes the wrong way", "widgets", "from_x, from_y = min(max(x - right", "from_x, from_y = min(max(x + right", ["tests/test_widgets.py::test_a_patch_is_moved_and_nothing_else"]),
    ("the pixel loss without its weight", "widgets", "weighted_pixel_loss(fake, real, weight)}", "weighted_pixel_loss(fake, real, weight * 0 + 1)}", ["tests/test_widgets.py::test_the_loss_explorer_says_the_weighted_pixel_loss"]),
    ("the bracket without beta", "widgets", "gamma * plain + beta}", "gamma * plain}", ["tests/test_widgets.py::test_the_fusion_explorer_shows_equation_4"]),
    ("a user's configuration opens the app", "app", "def load_config_file(self, *args, **kwargs):", "def load_no_file(self, *args, **kwargs):", ["tests/test_widgets.py::test_no_configuration_file_counts"]),
    ("a video that does not say its length is of none", "app", "    if seconds:\n        return seconds\n    for", "    return seconds\n    for", ["tests/test_widgets.py::test_a_video_that_does_not_say_how_long_it_is"]),
    ("the truth's verdict is not taken off", "widgets", "adversarial_loss(verdicts) - adversarial_loss(truth)", "adversarial_loss(verdicts)", ["tests/test_widgets.py::test_the_loss_explorer_says_the_weighted_pixel_loss"]),
    ("an upload keeps its path", "app", 'Path(upload["name"]).name).lstrip(".")', 'upload["name"]).lstrip(".")', ["tests/test_widgets.py::test_an_upload_is_kept_under_a_harmless_name"]),
    ("an upload of any size", "app", "len(content) > LARGEST[kind] * 1e6", "len(content) > LARGEST[kind] * 1e9", ["tests/test_widgets.py::test_an_upload_may_not_be_too_large"]),
    ("the template asks a content network", "app", 'if "https://" not in line', 'if True', ["tests/test_widgets.py::test_the_template_names_no_other_host"]),
    ("a critic's file is read as a generator's", "systems", 'if kind != "critic":', 'if kind == "soup":', ["tests/test_widgets.py::test_a_critic_is_read_as_it_was_written"]),
    ("the default paints anew what does not move", "animation", "return data_path(BUNDLED[0])", "return data_path(BUNDLED[1])", ["tests/test_animation.py::test_the_default_leaves_alone_what_does_not_move"]),
    # fitting
    ("weights of eyes and mouth exchanged", "fitting", "w[36:48] = cfg.eyes", "w[36:48] = cfg.mouth", [G + "test_weights_of_the_points"]),
    ("the start rolls the other way", "fitting", "roll = -torch.atan2(cross, dot)", "roll = torch.atan2(cross, dot)", [G + "test_the_start_is_the_similarity"]),
    ("the start turns the other way", "fitting", "yaw = (-1.6 * side).clamp(-1, 1)", "yaw = (1.6 * side).clamp(-1, 1)", [G + "test_the_start_is_the_similarity"]),
    ("no smoothing of the expression", "fitting", 'loss + cfg.smooth_exp * (step["exp"].square() * near).sum() / T + cfg.smooth_pose', "loss + cfg.smooth_pose", [G + "test_the_fits_loss_by_hand"]),
    ("no ridge on the identity", "fitting", 'loss = loss + cfg.ridge_id * u["id"].square().sum()', "loss = loss", [G + "test_the_fits_loss_by_hand"]),
    ("frames without landmarks count", "fitting", "w = (w / w.mean())[None] * ok[:, None]", "w = (w / w.mean())[None] + 0 * ok[:, None]", [G + "test_frames_without_landmarks_have_no_say"]),
    ("expressions may be negative", "fitting", 'u["exp"].clamp_(0, 1)', 'u["exp"].clamp_(-1, 1)', [G + "test_known_parameters_are_found"]),
    ("identity never learns", "fitting", 'v.requires_grad_(k != "id" or identity is None)', 'v.requires_grad_(k != "id")', [G + "test_known_parameters_are_found"]),
    # rendered faces
    ("harmonics: x and y exchanged", "rendered", "basis = np.stack([np.ones_like(x), x, y, z,", "basis = np.stack([np.ones_like(x), y, x, z,", [G + "test_spherical_harmonics"]),
    ("light from behind the lamp", "rendered", "first = key * lamp + rng", "first = -key * lamp + rng", [G + "test_light_comes_from_the_lamp"]),
    ("the eyes squint", "rendered", '("Right", -1)):\n        e[at[', '("Right", 1)):\n        e[at[', [G + "test_poses_and_expressions_as_described"]),
    ("the lower teeth hang on the skull", "people", "zip(teeth, (0, chin))", "zip(teeth, (0, 0 * chin))", [G + "test_teeth_follow_skull_and_chin"]),
    ("pictures of the next piece", "rendered", "self.pieces[i // PIECE][i % PIECE]", "self.pieces[i % len(self.pieces)][i // len(self.pieces) % PIECE]", [G + "test_a_set_in_pieces_keeps_pictures_and_parameters_together"]),
    ("no turn beyond the usual", "rendered", "wide = rng.random(3) < [0.1, 0.3, 0.06]", "wide = rng.random(3) < [0, 0, 0]", [G + "test_poses_and_expressions_as_described"]),
    # regressor: losses
    ("Eq. 5: eyes and mouth exchanged", "regressor", "w[36:48] = eyes", "w[36:48] = mouth", [N + "test_eq_5_by_hand"]),
    ("Eq. 6 without expression", "regressor", "return (identity + expression).abs().mean()", "return identity.abs().mean()", [N + "test_eq_6_by_hand"]),
    ("Eq. 6 without identity", "regressor", "return (identity + expression).abs().mean()", "return expression.abs().mean()", [N + "test_eq_6_by_hand"]),
    ("Eq. 7 with the depth", "regressor", "(params.translation - truth.translation)[:, :2].abs()", "(params.translation - truth.translation).abs()", [N + "test_eq_7_by_hand"]),
    ("Eq. 7 without the scale", "regressor", "return (rotation + scale + shift).mean()", "return (rotation + shift).mean()", [N + "test_eq_7_by_hand"]),
    ("λ1 and λ2 exchanged", "regressor", "LAMBDAS = (10.0, 1.0, 1e-3)", "LAMBDAS = (1.0, 10.0, 1e-3)", [N + "test_eq_8_and_9_weigh_their_terms"]),
    ("λ1 weighs the pose", "regressor", "tr=lambdas[1] * transformation_loss", "tr=lambdas[0] * transformation_loss", [N + "test_eq_8_and_9_weigh_their_terms"]),
    ("Eq. 8: the jaw at the predicted yaw", "regressor", "points = project(lm.landmarks(pose(lm, params), yaw))", "points = project(lm.landmarks(pose(lm, params), params.rotation[:, 1]))", [N + "test_eq_8_and_9_weigh_their_terms"]),
    ("Eq. 9 without its regulariser", "regressor", "return dict(lm=landmark_loss(points, landmarks), reg=lambdas[2] *", "return dict(lm=landmark_loss(points, landmarks), reg=0 *", [N + "test_eq_8_and_9_weigh_their_terms"]),
    # regressor: moving, disturbing, looking twice
    ("pictures turn clockwise", "regressor", "A = inverse * down[:, None] * down[None]", "A = inverse.mT * down[:, None] * down[None]", [N + "test_moved_pictures_go_with_the_points"]),
    ("shifts of the parameters not turned", "regressor", "t = F.pad((M @ params.translation[:, :2, None])[..., 0] + shift, (0, 1))", "t = F.pad(params.translation[:, :2] + shift, (0, 1))", [N + "test_moved_parameters_move_the_mesh"]),
    ("no face far from the middle", "regressor", "(1 / 12 if strength else 0)", "(0 if strength else 0)", [N + "test_random_moves_have_the_described_size"]),
    ("no grey pictures", "regressor", "< 0.2 * strength).float()", "< 0 * strength).float()", [N + "test_recoloured_pictures"]),
    ("everybody covered", "regressor", "k = torch.nonzero(r(len(images)) < share).flatten()", "k = torch.nonzero(r(len(images)) < 2 * share).flatten()", [N + "test_covered_faces"]),
    ("the head's axes upside down", "regressor", 'X = torch.stack(torch.meshgrid(v, -v, indexing="xy"), -1)', 'X = torch.stack(torch.meshgrid(v, v, indexing="xy"), -1)', [N + "test_the_heads_axes"]),
    ("no hiding patches", "regressor", "torch.rand(B, generator=rng) < 0.4 * strength).flatten()", "torch.rand(B, generator=rng) < 0 * strength).flatten()", [N + "test_augmented_batches"]),
    ("the mirror keeps the roll", "regressor", "rotation = params.rotation * torch.tensor([1.0, -1.0, -1.0])", "rotation = params.rotation * torch.tensor([1.0, -1.0, 1.0])", [N + "test_the_mirrored_face"]),
    ("the mirror keeps left and right", "regressor", 'other = {"Left": "Right", "Right": "Left"}', 'other = {"Left": "Left", "Right": "Right"}', [N + "test_the_mirrored_face"]),
    ("the identity's mirror transposed", "regressor", "params.id_coeff @ mirror_matrix().T.to(params.id_coeff)", "params.id_coeff @ mirror_matrix().to(params.id_coeff)", ["notebook 07_regressor", N + "test_a_second_look_by_hand", N + "test_identities_in_the_mirror"]),
    ("looking twice is looking once", "regressor", "for _ in range((looks or self.looks) - 1):", "for _ in range((looks or 1) - 1):", [N + "test_predict_goes_through_everything_in_batches"]),
    ("the second look is not mirrored", "regressor", "mirror_params(net(x.flip(3)), open_face)", "mirror_params(net(x), open_face)", [N + "test_a_second_look_by_hand"]),
    ("the first look has no say", "regressor", "looks = [params, second, mirrored]", "looks = [second, second, mirrored]", [N + "test_a_second_look_by_hand"]),
    ("folded forgets the second normalisation", "regressor", "b.look = fuse_conv_bn_eval(b.look, b.n2)", "b.n2 = b.n2", [N + "test_folded_says_the_same"]),
    # regressor: measuring and learning
    ("angles do not wrap", "regressor", "(torch.remainder(a - b + np.pi, 2 * np.pi) - np.pi).abs()", "(a - b).abs()", [N + "test_angles"]),
    ("the judged image has a say", "regressor", "rest = torch.arange(len(P)) != k", "rest = torch.arange(len(P)) != -1", [N + "test_one_constant_rotation_between_models"]),
    ("variance share upside down", "regressor", "float(predicted.var(0).sum()) / float(true.var(0).sum())", "float(true.var(0).sum()) / max(float(predicted.var(0).sum()), 1e-9)", [N + "test_the_share_of_the_variance"]),
    ("frontal faces are all faces", "regressor", "near, wide = yaw < 45, yaw < 60", "near, wide = yaw < 450, yaw < 60", [N + "test_evaluation_with_a_network_that_errs_by_a_known_amount"]),
    ("fine-tuning learns all frames", "regressor", "frames = np.arange(len(images)) if found is None else np.flatnonzero(np.asarray(found))", "frames = np.arange(len(images))", [N + "test_fine_tuning_learns_the_found_frames_and_leaves_the_network"]),
    ("a clip's identity from frames without a face", "regressor", "p.id_coeff[seen].mean(0, keepdim=True)", "p.id_coeff.mean(0, keepdim=True)", [N + "test_a_clips_identity_is_the_mean_of_the_found_frames"]),
    ("one shortcut after the ReLU", "regressor", "return F.relu(self.n3(self.up(h) + self.skip(x)))", "return F.relu(self.n3(self.up(h))) + self.skip(x)", [N + "test_a_residual_block_by_hand"]),
    ("new channels hear nothing", "regressor", "to[tuple(slice(n) for n in old.shape)] = old", "to.zero_()[tuple(slice(n) for n in old.shape)] = old", [N + "test_dead_units_wake_and_a_network_grows"]),
    # conditions
    ("heatmap upside down", "conditions", "gy = (-(((landmarks[..., 1, None] + c) / sigma) ** 2) / 2).exp()  # (B,68,H); rows run down", "gy = (-(((landmarks[..., 1, None] - c) / sigma) ** 2) / 2).exp()  # (B,68,H); rows run down", [N + "test_the_heatmap_by_hand"]),
    ("dots add up", "conditions", "out = torch.maximum(out, (gy", "out = torch.add(out, (gy", [N + "test_the_heatmap_by_hand"]),
    ("one side of a pair counts in full", "conditions", "W[idx, j] += w / len(idx)", "W[idx, j] += w", [N + "test_action_units_by_hand"]),
    ("landmarks of the source", "conditions", "return landmark_heatmap(target.points(face_model), size)", "return landmark_heatmap(source.points(face_model), size)", [N + "test_conditions_are_functions_of_two_frames"]),
    ("the flow's length over all pixels", "conditions", "(length * moves).sum((1, 2)) / moves.sum((1, 2)).clamp(min=1)", "length.mean((1, 2))", [N + "test_spread_and_length_by_hand"]),
    # spade, generator
    ("γ starts around 0", "spade", "self.gamma_beta.bias[:channels] = 1.", "self.gamma_beta.bias[:channels] = 0.", [N + "test_how_gamma_and_beta_start"]),
    ("γ and β scatter three times as far", "spade", "self.gamma_beta.weight.mul_(0.3)", "self.gamma_beta.weight.mul_(1.0)", [N + "test_how_gamma_and_beta_start"]),
    ("γ and β exchanged", "spade", "gamma, beta = self.gamma_beta(h_flow).chunk(2, 1)", "beta, gamma = self.gamma_beta(h_flow).chunk(2, 1)", [N + "test_eq_4_by_hand"]),
    ("Eq. 4 adds", "spade", "return spade if h_dec is None else h_dec * spade", "return spade if h_dec is None else h_dec + spade", [N + "test_eq_4_by_hand"]),
    ("the encoder always normalises", "spade", "nn.InstanceNorm2d(cout, affine=True) if norm else nn.Identity()", "nn.InstanceNorm2d(cout, affine=True)", [N + "test_encoders_give_every_scale"]),
    ("the flow not × 4", "generator", "condition, entry = condition * self.cfg.flow_scale,", "condition, entry = condition,", [N + "test_what_the_two_streams_see", 'tests/test_weights.py::test_bundled_weights_give_what_they_gave[f3a_gan]']),
    ("the scale of the flow is 1", "flow", "FLOW_SCALE = 4.0", "FLOW_SCALE = 1.0", [N + "test_what_the_two_streams_see"]),
    ("photos between 0 and 1", "generator", "self.encode(seen * 2 - 1, condition", "self.encode(seen, condition", [N + "test_what_the_two_streams_see"]),
    ("the perceptual loss sees another range", "generator", "        seen = image * 2 - 1\n", "        seen = image\n", [N + "test_what_the_two_streams_see"]),
    ('paint is taken away', 'warp_generator', 'image = (base + a * change).clamp(0, 1)', 'image = (base - a * change).clamp(0, 1)', ['tests/test_warp.py::test_the_picture_by_hand']),
    ('the correction of the flow is forgotten', 'warp_generator', 'moved = warp_by_flow(source, total)', 'moved = warp_by_flow(source, flow)', ['tests/test_warp.py::test_the_picture_by_hand']),
    ('skin that is seen is painted like the rest', 'warp_generator', '* (1 - (1 - keep) * skin)', '* (1 - 0 * skin)', ['tests/test_warp.py::test_skin_that_the_photo_shows_is_hardly_painted']),
    ('the mesh is corrected like the rest', 'warp_generator', 'FARTHEST_FLOW * (1 - (1 - INSIDE) * mask)', 'FARTHEST_FLOW * (1 - 0 * mask)', ['tests/test_warp.py::test_skin_that_the_photo_shows_is_hardly_painted']),
    ('the other half is taken where it is hidden too', 'warp_generator', '* mask * hidden * (1 - mirror_hidden)', '* mask * hidden', ['tests/test_warp.py::test_the_picture_by_hand']),
    ('the other half is taken where this one is seen', 'warp_generator', '* mask * hidden * (1 - mirror_hidden)', '* mask * (1 - mirror_hidden)', ['tests/test_warp.py::test_the_picture_by_hand']),
    ('hidden skin counts as seen', 'warp_generator', 'return mask * (1 - hidden) * (near < 0.5).float()', 'return mask * (near < 0.5).float()', ['tests/test_warp.py::test_seen_skin_by_hand']),
    ('mouth and eyes count as skin', 'warp_generator', 'return mask * (1 - hidden) * (near < 0.5).float()', 'return mask * (1 - hidden)', ['tests/test_warp.py::test_seen_skin_by_hand']),
    ('what is far hides what is near', 'conditions', 'return (z < nearest - HIDDEN_BY).float()', 'return (z > nearest - HIDDEN_BY).float()', ['tests/test_warp.py::test_hidden_by_hand']),
    ('a rounding hides', 'conditions', 'HIDDEN_BY = 0.04', 'HIDDEN_BY = 0.0', ['tests/test_warp.py::test_hidden_by_hand']),
    ("what is hidden is asked at the target's place", 'conditions', 'hidden = hidden_at(depth, flow[:, :2], z) * mask', 'hidden = hidden_at(depth, 0 * flow[:, :2], z) * mask', ['tests/test_warp.py::test_what_the_source_could_not_see_by_a_naive_twin']),
    ('the mirror is no mirror', 'conditions', 'twin = Xs[:, face_model.twins]', 'twin = Xs', ['tests/test_warp.py::test_the_mirrored_half_of_a_symmetric_face_is_itself']),
    ("the mouth's polygon lacks a corner", 'conditions', 'for k in range(1, 7)]', 'for k in range(1, 6)]', ['tests/test_warp.py::test_the_mouth_is_the_polygon_of_the_inner_lips']),
    ('the network sees no mirrored half', 'warp_generator', 'pictures = torch.cat([source, warped, mirrored], 1) * 2 - 1', 'pictures = torch.cat([source, warped, warped], 1) * 2 - 1', ['tests/test_warp.py::test_what_the_network_sees']),
    ('a new network paints', 'warp_generator', 'nn.init.constant_(self.to_paint.bias[3:], -2.0)', 'nn.init.constant_(self.to_paint.bias, 2.0)', ['tests/test_warp.py::test_a_new_network_gives_the_moved_photo']),
    ("a scale without fusion", "generator", "return fuse(h_dec, self.spade[str(k)](h_enc, h_flow))", "return fuse(h_dec if k != 1 else None, self.spade[str(k)](h_enc, h_flow))", [N + "test_the_decoder_by_hand"]),
    # metrics
    ("PSNR of the root", "metrics", "return -10 * mse(a, b, valid)", "return -20 * mse(a, b, valid)", [N + "test_metrics_as_scikit_image_has_them"]),
    ("SSIM: the constants exchanged", "metrics", "s = (2 * ma * mb + 1e-4) * (2 * cov + 9e-4)", "s = (2 * ma * mb + 9e-4) * (2 * cov + 1e-4)", [N + "test_metrics_as_scikit_image_has_them"]),
    ("SSIM without covariance", "metrics", "cov = gaussian_means(a * b) - ma * mb", "cov = gaussian_means(a * b)", [N + "test_metrics_as_scikit_image_has_them"]),
    ("liveliness counts frames without a face", "metrics", "both = fake_found & real_found", "both = fake_found | real_found", [N + "test_liveliness_by_hand"]),
    ("sharpness upside down", "metrics", "laplacian_variance(fake[both], b).mean() / laplacian_variance(real[both], b).mean()", "laplacian_variance(real[both], b).mean() / laplacian_variance(fake[both], b).mean()", [N + "test_liveliness_by_hand"]),
    ("tracked points half a pixel off", "metrics", "return (landmarks + 0.5) / zoom - 0.5, found", "return landmarks / zoom + 0.5, found", [N + "test_tracked_pictures_have_their_own_pixels"]),
    # training, losses, core
    ("the critic is not restored on resume", "loop", 'self.net.load_state_dict(state["net"])', 'self.net.load_state_dict({k: v for k, v in state["net"].items() if not k.startswith("critic")}, strict=False)', ['tests/test_training.py::test_a_critic_that_has_stepped_is_restored', 'tests/test_loop.py::test_interrupted_at_a_random_moment_and_resumed_is_the_same_run']),
    ("the critic's optimiser is not restored on resume", "loop", 'optimiser.load_state_dict(state["optimisers"][name])', 'name == "critic" or optimiser.load_state_dict(state["optimisers"][name])', ['tests/test_training.py::test_a_critic_that_has_stepped_is_restored', 'tests/test_loop.py::test_interrupted_at_a_random_moment_and_resumed_is_the_same_run']),
    ("critic and perceptual loss never take part", "training", "critic = step >= (1 - cfg.adv_share) * cfg.steps", "critic = False", ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step', 'tests/test_training.py::test_critic_and_features_take_part_from_their_step_on']),
    ("critic and perceptual loss take part always", "training", "critic = step >= (1 - cfg.adv_share) * cfg.steps", "critic = True", ['tests/test_training.py::test_critic_and_features_take_part_from_their_step_on']),
    ('α mixes the wrong way round', 'spade', 'torch.lerp(old(), new, alpha)', 'torch.lerp(new, old(), alpha)', ['tests/test_growing.py::test_between_the_two_everything_is_mixed', 'tests/test_growing.py::test_what_alpha_mixes_by_hand']),
    ("the encoder's old path sees the large picture", 'spade', 'F.avg_pool2d(x, 2)', 'x[..., ::2, ::2]', ['tests/test_growing.py::test_between_the_two_everything_is_mixed', 'tests/test_growing.py::test_at_alpha_0_there_is_the_old_path_bit_for_bit']),
    ('no fade in the encoders', 'spade', 'if k == level and level + 1 < len(self.first):', 'if False:', ['tests/test_growing.py::test_between_the_two_everything_is_mixed']),
    ('no fade of pictures', 'generator', '        return fade(new, lambda: self.to_rgb[level + 1](double(below)), alpha)', '        return new', ['tests/test_growing.py::test_what_alpha_mixes_by_hand']),
    ('up-sampling by the nearest', 'generator', 'scale_factor=2, mode="bilinear", align_corners=False', 'scale_factor=2, mode="nearest"', ['tests/test_growing.py::test_at_alpha_0_there_is_the_old_path_bit_for_bit']),
    ('features fade at no level', 'generator', 'if k - 1 == level and cfg.fading == "features" and level < cfg.grows:', 'if False:', ['tests/test_growing.py::test_what_alpha_mixes_by_hand']),
    ('the decoder always goes on from h_out', 'generator', 'carried = h_out if cfg.goes_on == "h_out" or h_dec is None else h_dec', 'carried = h_out', ['tests/test_growing.py::test_readings_by_hand']),
    ('the picture always comes from h_out', 'generator', 'drawn = h_out if cfg.picture == "h_out" or k == deepest else h_dec', 'drawn = h_out', ['tests/test_growing.py::test_the_picture_that_fades_out_comes_from_h_dec_too']),
    ('h_dec is nothing at the deepest scale', 'generator', 'h_enc[-1] if cfg.deepest == "h_enc" else None', 'None', ['tests/test_growing.py::test_readings_by_hand']),
    ('μ and σ are never learned', 'spade', 'LearnedNorm(channels) if learned else', 'nn.InstanceNorm2d(channels, affine=False) if learned else', ['tests/test_growing.py::test_statistics_that_are_learned']),
    ('T_os without the condition', 'generator', 'self.T_enc(torch.cat([seen, condition], 1), *entry)', 'self.T_enc(torch.cat([seen, 0 * condition], 1), *entry)', ['tests/test_growing.py::test_one_stream']),
    ('T_sl fuses everywhere', 'generator', 'range(deepest + 1) if cfg.fusion == "all" else (deepest,)', 'range(deepest + 1)', ['tests/test_growing.py::test_fusion_at_the_latent_only']),
    ('pooling is a stride', 'spade', 'if halve == "stride":', 'if True:', ['tests/test_growing.py::test_pooling_instead_of_strides']),
    ('the critic does not fade', 'losses', 'if k == level and level + 1 < len(self.first):', 'if False:', ['tests/test_growing.py::test_the_critic_grows']),
    ('the critic judges without its level', 'systems', 'self.critic(image, stage.level, stage.alpha)', 'self.critic(image)', ['tests/test_growing.py::test_every_variant_trains_through_all_its_levels']),
    ('features without the level', 'losses', 'seen = generator.features(fake, look, level, alpha)', 'seen = generator.features(fake, look)', ['tests/test_growing.py::test_the_perceptual_loss_looks_at_the_level']),
    ('the encoder never learns', 'losses', '    if learns:', '    if False:', ['tests/test_growing.py::test_the_encoder_may_learn_from_the_perceptual_loss']),
    ('no penalty', 'systems', '        if w.penalty:', '        if False:', ['tests/test_growing.py::test_forms_and_bounds_are_fields_of_the_losses']),
    ('the form is not handed on', 'systems', ', w.form)', ')', ['tests/test_growing.py::test_forms_and_bounds_are_fields_of_the_losses']),
    ('the penalty wants a slope of nothing', 'losses', 'norm(dim=1) - 1).square()', 'norm(dim=1)).square()', ['tests/test_growing.py::test_gradient_penalty_of_a_linear_critic']),
    ('Eq. 11 as printed the wrong way', 'losses', 'return fake.mean() - real.mean()', 'return real.mean() - fake.mean()', ['tests/test_growing.py::test_eq_11_as_printed']),
    ('levels of growing in the other order', 'training', 'level, since, length = grows - int(step / each), step % each, each', 'level, since, length = 1 + int(step / each), step % each, each', ['tests/test_growing.py::test_growth_is_a_function_of_the_step']),
    ('half of the fade', 'training', '(since + 1) / max(1.0, cfg.fade_share * length)', '(since + 1) / max(1.0, length)', ['tests/test_growing.py::test_growth_is_a_function_of_the_step']),
    ('every process sees all pairs', 'training', 'np.array_split(self.pairs(step), self.count)[self.rank]', 'self.pairs(step)', ['tests/test_team.py::test_two_processes_see_the_two_halves_of_each_step']),
    ('gradients are not averaged', 'loop', 'self.team.average([total, means, *(p.grad for p in weights if p.grad is not None)])', 'self.team.average([total, means])', ['tests/test_team.py::test_two_processes_hold_the_same_weights']),
    ('gradients are summed', 'loop', 'self.accelerator.reduce(flat, "mean")', 'self.accelerator.reduce(flat, "sum")', ['tests/test_team.py::test_two_processes_make_the_steps_of_one']),
    ('every process writes', 'training', 'if t.team.first else []', '', ['tests/test_team.py::test_the_command_in_two_processes_writes_one_run']),
    ('parts of a batch are added', 'loop', 'self.team.backward(loss / len(parts), weights)', 'self.team.backward(loss, weights)', ['tests/test_team.py::test_parts_one_after_the_other_make_the_same_step']),
    ('16 bits are not used', 'training', '        with self.team.precision():\n            out = self.net(', '        if True:\n            out = self.net(', ['tests/test_team.py::test_sixteen_bits']),
    ('running means differ between processes', 'loop', '        self.team.average([b for b in self.net.buffers() if b.is_floating_point()])\n', '', ['tests/test_team.py::test_a_regressor_learns_in_two_processes']),
    ("a process's faces are everybody's", 'regressor', 'drawn[team.rank * n : (team.rank + 1) * n]', 'drawn[:n]', ['tests/test_team.py::test_a_regressor_learns_in_two_processes']),
    ('a clip travels with its frames', 'clips', 'if isinstance(state[name], np.memmap):', 'if False:', ['tests/test_team.py::test_batches_made_ahead_by_other_processes_are_the_same']),
    ('the loader goes on where it was', 'training', '            if self.next != step:', '            if self.coming is None:', ['tests/test_team.py::test_batches_made_ahead_by_other_processes_are_the_same']),
    ("the rasteriser resets torch's threads", 'core', '    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))', '    pass', ['tests/test_jobs.py::test_a_rendered_flow_leaves_the_threads_as_they_were']),
    ('the paper warms up', 'training', '            warm=1,\n', '', ['tests/test_training.py::test_the_paper_preset_is_the_supplement']),
    ('the paper keeps an average', 'training', '            ema=0.0,\n', '', ['tests/test_training.py::test_the_paper_preset_is_the_supplement']),
    ('the paper grows in half the steps', 'training', '            grow_share=0.8,\n', '', ['tests/test_training.py::test_the_paper_preset_is_the_supplement']),
    ("workers hear an interrupt", "training", "signal.signal(signal.SIGINT, signal.SIG_IGN)", "signal.signal(signal.SIGINT, signal.SIG_DFL)", ["tests/test_team.py::test_an_interrupt_of_the_whole_group_is_saved"]),
    ("a worker has all threads", "training", "    set_threads(1)\n    signal", "    signal", ["tests/test_team.py::test_a_worker_has_one_thread"]),
    ("what is collapsed is saved", "training", 'return self.done < 100 or self.log[-1]["spread"] >= 0.05', "return True", ["tests/test_loop.py::test_a_generator_of_one_colour_stops_and_leaves_the_last_good_checkpoint"]),
    ("a growing run may become longer", "training", 'self.free = ("test_pairs",) if fixed else', 'self.free = ("steps", "test_pairs") if fixed else', ["tests/test_loop.py::test_a_growing_run_cannot_be_made_longer"]),
    ("readings that are deaf to the flow", "generator", 'if self.goes_on == "h_dec" and (', 'if False and (', ["tests/test_growing.py::test_every_allowed_reading_hears_the_flow"]),
    ("a small picture in a large encoder", "generator", 'if self.cfg.seen == "whole" and level:', "if False:", ["tests/test_growing.py::test_the_whole_picture_is_also_what_the_perceptual_loss_looks_at"]),
    ("the critic never steps", "training", "for _ in range(self.cfg.critic_steps if judged else 0):", "for _ in range(0):", ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step', 'tests/test_training.py::test_critic_steps_as_often_as_it_is_told']),
    ("one critic step", "training", "for _ in range(self.cfg.critic_steps if judged else 0):", "for _ in range(1 if judged else 0):", ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step', 'tests/test_training.py::test_critic_steps_as_often_as_it_is_told']),
    ("one critic step by default", "training", "critic_steps: int = 2", "critic_steps: int = 1", ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step', 'tests/test_training.py::test_critic_steps_as_often_as_it_is_told']),
    ("no perceptual loss", "systems", 'terms["perceptual"] = w.perceptual *', 'terms["perceptual"] = 0.0 *', ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step']),
    ("no adversarial term", "systems", 'terms["adversarial"] = w.adversarial *', 'terms["adversarial"] = 0.0 *', ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step']),
    ("all pixel weights one", "systems", 'weighted_pixel_loss(fake, target, batch["weight"], batch["valid"])', 'weighted_pixel_loss(fake, target, 1.0, batch["valid"])', ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step']),
    ('no mask penalty', 'systems', 'terms["mask"] = w.pixel * w.mask * (out["paint"]', 'terms["mask"] = 0 * w.mask * (out["paint"]', ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step[t_warp]']),
    ('the moved photo may be anything', 'systems', 'terms["moved"] = w.pixel * w.moved * moved', 'terms["moved"] = 0 * moved', ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step[t_warp]']),
    ('corrections cost nothing', 'systems', 'terms["residual"] = w.pixel * w.residual', 'terms["residual"] = 0 * w.residual', ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step[t_warp]']),
    ('the mask penalty everywhere', 'systems', '(out["paint"] * out["seen"] * valid)', '(out["paint"] * valid)', ['tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step[t_warp]']),
    ("a constant learning rate", "training", 'lr = lr_of(self.cfg, step)', 'lr = self.cfg.lr', ['tests/test_training.py::test_learning_rate_and_average_follow_their_formulas']),
    ("the average is a copy", "loop", "average[n].lerp_(v, 1 - decay)", "average[n].copy_(v)", ['tests/test_training.py::test_learning_rate_and_average_follow_their_formulas']),
    ("the average does not follow faster at the start", "loop", "decay = min(decay, (step + 1) / (step + 10))", "decay = decay", ['tests/test_training.py::test_learning_rate_and_average_follow_their_formulas']),
    ("the last weights are used, not their average", "training", "system.generator.load_state_dict(self.average)", "system.generator.load_state_dict(self.net.generator.state_dict())", ['tests/test_training.py::test_learning_rate_and_average_follow_their_formulas']),
    ("`still` is ignored", "training", "pairs[same, 2] = pairs[same, 1]", "pass", ['tests/test_training.py::test_share_of_pairs_that_stay_still']),
    ("a step does not ask for still pairs", "training", "pairs[same, 2] = pairs[same, 1]", "pairs[same, 2] = pairs[same, 2]", ['tests/test_training.py::test_share_of_pairs_that_stay_still']),
    ("flows are not shuffled", "evaluation", 'batch["condition"].roll(1, 0)', 'batch["condition"]', ['tests/test_training.py::test_shuffled_means_the_condition_of_another_pair']),
    ("figures are measured on training frames", "evaluation", "sample_pairs(splits, which, n, seed=(seed, k))", 'sample_pairs(splits, "train", n, seed=(seed, k))', ['tests/test_training.py::test_figures_are_measured_on_held_out_frames']),
    ("Eq. 11 with the wrong sign for the generator", "losses", "return -fake.mean()", "return fake.mean()", ['tests/test_training.py::test_signs_of_eq_11', 'tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step']),
    ("Eq. 11 with the wrong sign for the critic", "losses", "F.relu(1 - real).mean() + F.relu(1 + fake).mean()", "F.relu(1 + real).mean() + F.relu(1 - fake).mean()", ['tests/test_training.py::test_signs_of_eq_11', 'tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step', 'tests/test_training.py::test_the_critic_learns_to_tell_and_the_generator_to_please_it']),
    ("Eq. 10's boxes upside down", "losses", "x, y = centre[None, None, :], -centre[None, :, None]", "x, y = centre[None, None, :], centre[None, :, None]", ['tests/test_training.py::test_boxes_of_eq_10_are_the_right_way_up']),
    ("T_enc is not held in the perceptual loss", "losses", "fixed = {name: p.detach() for", "fixed = {name: p for", ['tests/test_training.py::test_eq_12_hears_every_scale_and_holds_the_encoder', 'tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step']),
    ("the perceptual loss at the finest scale only", "losses", "for x, y in zip(seen, wanted)) / len(seen)", "for x, y in zip(seen[:1], wanted[:1]))", ['tests/test_training.py::test_eq_12_hears_every_scale_and_holds_the_encoder', 'tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step']),
    ("λ4 is ten", "systems", "pixel: float = 100.0", "pixel: float = 10.0", ['tests/test_training.py::test_weights_of_eq_13', 'tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step']),
    ("the weight of Eq. 10 is outside the boxes", "losses", "w = torch.where(across & down, torch.full_like(w, inside), w)", "w = torch.where(across & down, w, torch.full_like(w, inside))", ['tests/test_training.py::test_boxes_of_eq_10_are_the_right_way_up']),
    ("Eq. 10 squares", "losses", "error = weight * (fake - real).abs()", "error = weight * (fake - real).square()", ['tests/test_training.py::test_eq_10_is_the_weighted_mean', 'tests/test_training.py::test_every_term_of_eq_13_acts_in_the_step']),
    ("no cosine", "loop", "cosine = (1 + np.cos(np.pi * step / max(1, steps))) / 2", "cosine = 1.0", ['tests/test_training.py::test_learning_rate_and_average_follow_their_formulas']),
    ("no warm-up of the learning rate", "training", "cosine_rate(step, cfg.steps, cfg.lr, cfg.final_lr, cfg.warm)", "cosine_rate(step, cfg.steps, cfg.lr, cfg.final_lr)", ['tests/test_training.py::test_learning_rate_and_average_follow_their_formulas']),
    ("the second leg's average begins with the untrained weights", "training", "trainer.average = copy_weights(new.generator)", "pass", ['tests/test_training.py::test_a_run_begins_with_the_weights_it_is_given']),
    ("the second leg begins untrained", "training", "new.generator.load_state_dict(old.generator.state_dict())", "pass", ['tests/test_training.py::test_a_run_begins_with_the_weights_it_is_given', 'tests/test_training.py::test_init_from_the_command_line']),
    ("the average is not in the resumed run", "loop", '        self.average = {name: value.to(self.average[name].device) for name, value in state["average"].items()}\n', '', ['tests/test_training.py::test_a_critic_that_has_stepped_is_restored', 'tests/test_loop.py::test_interrupted_at_a_random_moment_and_resumed_is_the_same_run']),
    ("no motion is measured against the next frame", "evaluation", "pairs = np.stack([0 * frames, frames, frames], 1)", "pairs = np.stack([0 * frames, frames, (frames + 1) % len(clip)], 1)", ['tests/test_training.py::test_no_motion_is_measured_against_the_picture_itself']),
    ("the generator's optimiser steps on a loss that is no number", "loop", "if not torch.isfinite(loss):", "if False:", ['tests/test_loop.py::test_a_diverged_run_keeps_its_last_good_checkpoint']),
    ("the critic's optimiser steps on a loss that is no number", "loop", "        check_loss(total[0], self.done)", "        pass", ['tests/test_loop.py::test_a_diverged_run_keeps_its_last_good_checkpoint']),
    ("a state that is not finite is saved", "loop", "broken = [name for name, value in state.items() if not all_finite(value)]", "broken = []", ['tests/test_loop.py::test_a_diverged_run_keeps_its_last_good_checkpoint']),
    ("an infinite number passes for finite", "loop", "bool(torch.isfinite(state).all())", "not bool(torch.isnan(state).any())", ['tests/test_loop.py::test_finite_is_looked_for_at_every_depth', 'tests/test_loop.py::test_a_diverged_run_keeps_its_last_good_checkpoint']),
    ("the checkpoint before the last is not kept", "loop", "        if newest.exists():", "        if False:", ['tests/test_loop.py::test_one_of_the_two_checkpoints_is_there_at_every_moment']),
    ("only checkpoint.pt is looked for", "loop", 'for name in ("checkpoint.pt", "checkpoint-previous.pt"):', 'for name in ("checkpoint.pt",):', ['tests/test_loop.py::test_one_of_the_two_checkpoints_is_there_at_every_moment']),
    ("resume accepts other clips", "loop", "    if clips != here:", "    if False:", ['tests/test_loop.py::test_resume_refuses_other_clips']),
    ("only the sha256 of a clip is compared", "loop", 'recipes.append({k: v for k, v in c.meta.items() if k != "source"})', 'recipes.append(dict(sha256=c.meta["sha256"]))', ['tests/test_loop.py::test_resume_refuses_other_clips']),
    ("resume accepts other labelled faces", "loop", 'if old.get("faces") != new.get("faces"):', "if False:", ['tests/test_loop.py::test_resume_of_a_regressor_refuses_other_faces_and_clips']),
    ("resume accepts other first weights", "loop", '"faces": meta, "init": init}', '"faces": meta, "init": None}', ['tests/test_loop.py::test_resume_refuses_other_first_weights_and_settings']),
    ("a second leg does not say what it began with", "training", "    trainer.init = sha256(path)", "    pass", ['tests/test_training.py::test_a_run_begins_with_the_weights_it_is_given', 'tests/test_training.py::test_init_from_the_command_line']),
    ("a finished run cannot be made longer", "training", 'else ("steps", "test_pairs")', 'else ("test_pairs",)', ['tests/test_loop.py::test_a_finished_run_can_be_made_longer', 'tests/test_training.py::test_interrupted_and_resumed_is_the_same_run']),
    ("test_pairs belong to a run", "training", 'else ("steps", "test_pairs")', 'else ("steps",)', ['tests/test_loop.py::test_a_finished_run_can_be_made_longer']),
    ("the regressor's warm-up may change after it", "regressor", "if warm < self.done and warm != self.cfg.steps:", "if False:", ['tests/test_loop.py::test_resume_of_a_regressor_refuses_other_faces_and_clips']),
    ("Ctrl-C interrupts a step", "loop", "        asked.append(number)", "        raise KeyboardInterrupt", ['tests/test_loop.py::test_interrupted_at_a_random_moment_and_resumed_is_the_same_run', 'tests/test_loop.py::test_a_signal_ends_the_loop_after_the_step_with_a_sentence']),
    ("the loop does not hear the flag", "loop", "stop = team.any(bool(asked or late))", "stop = team.any(bool(late))", ['tests/test_loop.py::test_a_signal_ends_the_loop_after_the_step_with_a_sentence']),
    ("an interrupted loop goes on to the measuring", "loop", "    if asked:\n        raise Interrupted(asked[0])", "    if False:\n        raise Interrupted(asked[0])", ['tests/test_loop.py::test_a_signal_ends_the_loop_after_the_step_with_a_sentence']),
    ("handlers are not restored", "loop", "            signal.signal(number, handler)", "            pass", ['tests/test_loop.py::test_a_signal_ends_the_loop_after_the_step_with_a_sentence']),
    ("handlers are set off the main thread", "loop", "if threading.current_thread() is threading.main_thread():", "if True:", ['tests/test_loop.py::test_training_works_off_the_main_thread']),
    ("an ignored signal is heard", "loop", "if signal.getsignal(number) not in (signal.SIG_IGN, None):", "if True:", ['tests/test_loop.py::test_a_signal_that_was_ignored_stays_ignored']),
    ("a second Ctrl-C is noted only", "loop", "        if asked:\n            raise Interrupted(number)", "        if False:\n            raise Interrupted(number)", ['tests/test_loop.py::test_a_second_interrupt_stops_at_once_and_saves_nothing']),
    ("a killed worker is not said in a sentence", "core", "except BrokenProcessPool as e:", "except ZeroDivisionError as e:", ['tests/test_jobs.py::test_a_killed_worker_is_said_in_a_sentence']),
    ("results in the order of the jobs", "core", 'return_as="generator_unordered"', 'return_as="generator"', ['tests/test_jobs.py::test_results_come_as_they_are_ready_each_from_one_thread']),
    ("workers with threads of their own number", "core", 'os.environ.update(dict.fromkeys(names, "1"))', "pass", ['tests/test_jobs.py::test_results_come_as_they_are_ready_each_from_one_thread']),
    ("processes are never renewed", "core", "share = workers * renew", "share = len(jobs)", ['tests/test_jobs.py::test_processes_are_renewed']),
    ("work in this process takes all threads", "core", "    torch.set_num_threads(1)", "    pass", ['tests/test_jobs.py::test_one_worker_is_this_process_with_one_thread']),
    ("hyper-threads count as cores", "core", "cores.add(shared.read_text().strip() if shared.exists() else str(n))", "cores.add(str(n))", ['tests/test_jobs.py::test_threads_are_cores_that_may_be_used']),
    ("cores that this process may not use are counted", "core", "cpus = os.sched_getaffinity(0)", "cpus, limit = range(os.cpu_count()), os.cpu_count()", ['tests/test_jobs.py::test_threads_are_cores_that_may_be_used']),
    # clips, landmarks, animation, demo
    ("a target that is no clip is replaced", "clips", "    if clip_meta(target) is None:\n        raise", "    if False:\n        raise", ['tests/test_prepare.py::test_a_folder_of_photos_is_not_replaced']),
    ("any meta.json is a marker", "clips", "return meta if ours else None", "return meta", ['tests/test_prepare.py::test_an_empty_folder_and_a_foreign_meta_are_not_replaced']),
    ("a marker needs no fingerprint", "clips", '{"source", "sha256", "fit_error"} <= set(meta)', '{"source"} <= set(meta) | {"source"}', ['tests/test_prepare.py::test_an_empty_folder_and_a_foreign_meta_are_not_replaced']),
    ("a user's file inside a clip is deleted with it", "clips", "    if foreign:", "    if False:", ['tests/test_prepare.py::test_a_clip_with_something_else_in_it_is_not_replaced']),
    ("a target inside the source is allowed", "clips", "(_inside(target, source) or _inside(source, target))", "_inside(source, target)", ['tests/test_prepare.py::test_the_frames_themselves_are_not_replaced']),
    ("a target that holds the source is allowed", "clips", "(_inside(target, source) or _inside(source, target))", "_inside(target, source)", ['tests/test_prepare.py::test_a_target_that_holds_the_source_is_refused_even_where_it_is_a_clip']),
    ("links are not followed", "clips", "path, folder = Path(path).resolve(), Path(folder).resolve()\n    above = [p for p in (path, *path.parents) if p.exists()]", "path, folder = Path(path), Path(folder)\n    above = []", ['tests/test_prepare.py::test_links_are_seen_through']),
    ("a link is replaced", "clips", "if target.is_symlink() or not target.is_dir():", "if not target.is_dir():", ['tests/test_prepare.py::test_links_are_seen_through']),
    ("a file in the way is not noticed", "clips", "if target.is_symlink() or not target.is_dir():", "if False:", ['tests/test_prepare.py::test_a_file_in_the_place_of_the_clip']),
    ("a data set may be its own output", "prepare", 'if dataset != "rendered" and Path(root).resolve() == Path(out).resolve():', "if False:", ['tests/test_prepare.py::test_a_data_set_is_not_its_own_output']),
    ("a foreign manifest is replaced", "prepare", '    if not isinstance(m, dict) or not {"dataset", "shard", "counts", "items"} <= set(m):', "    if False:", ['tests/test_prepare.py::test_a_foreign_manifest_is_not_replaced']),
    ("the sweep ignores whose a temporary is", "prepare", "if clip in names:", "if clip:", ['tests/test_prepare.py::test_sweep_removes_only_marked_temporaries']),
    ("the sweep removes by name", "prepare", "clip = _part_of(p) if p.name.startswith(PART) else None", "clip = next((n for n in names if p.name.startswith(f'.{n}')), None)", ['tests/test_prepare.py::test_sweep_removes_only_marked_temporaries']),
    ("the command does not sweep", "prepare", "        _sweep(out, [t.name for t in targets])\n", "", ['tests/test_prepare.py::test_commands_leave_no_temporaries']),
    ("the old clip is deleted first", "clips", '            os.rename(self.path, self.part / "old")', "            shutil.rmtree(self.path)", ['tests/test_prepare.py::test_killed_between_two_steps_one_clip_is_left[1]', 'tests/test_prepare.py::test_the_old_clip_comes_back_where_the_new_one_cannot_be_put']),
    ("the old clip is not put back", "clips", "    if old.exists() and not os.path.lexists(target):", "    if False:", ['tests/test_prepare.py::test_killed_between_two_steps_one_clip_is_left[1]', 'tests/test_prepare.py::test_the_old_clip_comes_back_where_the_new_one_cannot_be_put']),
    ("the new clip is renamed onto the old one", "clips", "        if self.path.exists():\n            os.rename", "        if False:\n            os.rename", ['tests/test_prepare.py::test_a_folder_is_never_renamed_onto_another']),
    ("the target is not looked at again", "clips", "                check_target(self.path)\n                self.put_in_place()", "                self.put_in_place()", ['tests/test_prepare.py::test_what_comes_into_the_way_while_a_clip_is_made_stays']),
    ("temporary folders stay", "clips", "    shutil.rmtree(folder, ignore_errors=True)", "    pass", ['tests/test_prepare.py::test_equal_names_get_a_folder_each']),
    ("twins share a folder", "prepare", "        twins = sum(stem == name.casefold() for stem, _ in places) > 1", "        twins = False", ['tests/test_prepare.py::test_equal_names_get_a_folder_each']),
    ("capitals tell folders apart", "prepare", "places = {(_stem(v).casefold(), os.path.abspath(v)) for v in videos}", "places = {(_stem(v), os.path.abspath(v)) for v in videos}", ['tests/test_prepare.py::test_names_by_other_rules']),
    ("a later video takes the place of another", "prepare", 'if twins or there["sha256"] != sha:', "if twins:", ['tests/test_prepare.py::test_a_second_video_of_the_same_name_does_not_replace_the_first', 'tests/test_animation.py::test_two_driving_videos_of_one_name']),
    ("'.' has no name", "prepare", "return Path(os.path.abspath(video)).stem", "return Path(video).stem", ['tests/test_prepare.py::test_names_by_other_rules']),
    ("empty folders stay", "clips", "                p.rmdir()", "                pass", ['tests/test_prepare.py::test_an_unreadable_video_leaves_no_folder', 'tests/test_animation.py::test_a_driving_video_that_is_none_leaves_nothing']),
    ("folders that were there are removed", "clips", "new = [p for p in (path, *path.parents) if not os.path.lexists(p)]", "new = [path]", ['tests/test_prepare.py::test_an_empty_folder_that_was_there_stays']),
    ("own landmarks are no part of the recipe", "prepare", "landmarks=landmarks_fingerprint(landmarks),", 'landmarks="tracked",', ['tests/test_prepare.py::test_own_landmarks_are_used_where_the_video_is_prepared_already', 'tests/test_prepare.py::test_each_part_of_the_recipe_counts']),
    ("the name of the landmarks' file counts, not its content", "prepare", 'f"{p.name} {sha256(p)}\\n" for p in files', 'f"{p.name}\\n" for p in files', ['tests/test_prepare.py::test_each_part_of_the_recipe_counts']),
    ("points of a Track do not count", "prepare", "data = np.asarray(landmarks.landmarks, np.float64).tobytes() + ", "data = ", ['tests/test_prepare.py::test_each_part_of_the_recipe_counts']),
    ("the model is no part of the recipe", "prepare", "face_model=model_fingerprint(face_model),\n        split=split", "face_model=open_model().name,\n        split=split", ['tests/test_prepare.py::test_each_part_of_the_recipe_counts']),
    ("the size of a rendered clip does not count", "prepare", "rendered_recipe(number, frames, seed, size, fps, natural)", "rendered_recipe(number, frames, seed, 128, fps, natural)", ['tests/test_prepare.py::test_rendered_people_of_other_settings_are_drawn_again']),
    ("rendered people are kept whatever they are", "prepare", "    clip = made_clip(out, recipe)\n    if clip is not None:\n        return clip\n    check_target(out)\n    pictures", '    if (out / "meta.json").exists():\n        return load_clip(out)\n    check_target(out)\n    pictures', ['tests/test_prepare.py::test_rendered_people_of_other_settings_are_drawn_again']),
    ("rendered people are always drawn", "prepare", "    clip = made_clip(out, recipe)\n    if clip is not None:\n        return clip\n    check_target(out)\n    pictures", "    check_target(out)\n    pictures", ['tests/test_prepare.py::test_rendered_people_of_other_settings_are_drawn_again']),
    ("the rate of a rendered clip does not count", "prepare", '        fps=float(fps),\n        size=size,\n        param_source="exact",', '        size=size,\n        param_source="exact",', ['tests/test_prepare.py::test_rendered_people_of_other_settings_are_drawn_again']),
    ("only the hash of the recipe is compared", "prepare", "same = all(k in clip.meta and clip.meta[k] == value for k, value in recipe.items())", 'same = clip.meta.get("recipe") == recipe_hash(recipe)', ['tests/test_prepare.py::test_a_meta_that_says_otherwise_is_another_clip[sha256]']),
    ("photos that changed are kept", "prepare", "sha256=_photos_sha(mats),", "sha256='photos',", ['tests/test_datasets.py::test_labelled_photos_in_pieces']),
    ("blocks lie elsewhere", "pairs", "BLOCKS = ((0.5, 0.6), (0.9, 1.0))", "BLOCKS = ((0.4, 0.5), (0.9, 1.0))", ['tests/test_prepare.py::test_blocks_are_the_stretches_that_the_lesson_names']),
    ("blocks are trained on", "pairs", "rest = np.flatnonzero(~np.any(blocks, 0) & ok)", "rest = np.flatnonzero(ok)", ['tests/test_prepare.py::test_blocks_are_the_stretches_that_the_lesson_names']),
    ("random frames are the first ones", "pairs", "order = np.random.default_rng(seed).permutation(rest)", "order = rest", ['tests/test_prepare.py::test_blocks_are_the_stretches_that_the_lesson_names']),
    ("random frames are trained on", "pairs", "train=np.setdiff1d(rest, held)", "train=rest", ['tests/test_prepare.py::test_blocks_are_the_stretches_that_the_lesson_names']),
    ("lost frames are trained on", "pairs", "ok = np.ones(T, bool) if found is None else np.asarray(found, bool)", "ok = np.ones(T, bool)", ['tests/test_prepare.py::test_short_clips_have_no_blocks_and_lost_frames_take_no_part']),
    ("short clips have blocks", "pairs", "    if T >= 20:", "    if T >= 2:", ['tests/test_prepare.py::test_short_clips_have_no_blocks_and_lost_frames_take_no_part']),
    ("measured on training frames", "pairs", 'sources, targets = splits[k]["train"], splits[k][which]', 'sources, targets = splits[k]["train"], splits[k]["train"]', ['tests/test_prepare.py::test_pairs_take_sources_from_training_and_targets_from_where_it_is_said']),
    ("sources are held-out frames", "pairs", 'splits[k]["train"], splits[k][which]', "splits[k][which], splits[k][which]", ['tests/test_prepare.py::test_pairs_take_sources_from_training_and_targets_from_where_it_is_said']),
    ("a frame is its own source", "pairs", "i = np.where(same, (i + 1) % len(sources), i)", "i = np.where(same, i, i)", ['tests/test_prepare.py::test_pairs_take_sources_from_training_and_targets_from_where_it_is_said']),
    ("every clip counts the same", "pairs", "n, p=size / size.sum())", "n)", ['tests/test_prepare.py::test_pairs_take_sources_from_training_and_targets_from_where_it_is_said']),
    ("pairs do not depend on the seed", "pairs", "rng = np.random.default_rng(seed)\n    size", "rng = np.random.default_rng(0)\n    size", ['tests/test_prepare.py::test_pairs_take_sources_from_training_and_targets_from_where_it_is_said']),
    ("source and target are neighbours", "pairs", "j = rng.integers(len(targets), size=len(mine))", "j = i % len(targets)", ['tests/test_prepare.py::test_pairs_take_sources_from_training_and_targets_from_where_it_is_said']),
    ("equal names in a data set replace each other", "prepare", "            if names.count(names[k]) > 1:", "            if False:", ['tests/test_prepare.py::test_equal_names_in_a_data_set']),
    ("no list of formats", "video", 'allowed = dict(format_whitelist=",".join(CONTAINERS), protocol_whitelist="file")', 'allowed = dict(protocol_whitelist="file")', ['tests/test_video.py::test_a_list_of_files_is_no_video']),
    ("the format is not looked at again", "video", 'if not set(c.format.name.split(",")) & set(CONTAINERS):', "if False:", ['tests/test_video.py::test_the_format_is_looked_at_again']),
    ("concat is allowed", "video", 'CONTAINERS = ("mov",', 'CONTAINERS = ("concat", "mov",', ['tests/test_video.py::test_a_list_of_files_is_no_video[concat.mp4]']),
    ("whatever FFmpeg opens is read", "video", "c = av.open(file_url(path), container_options=allowed)", "c = av.open(str(path))", ['tests/test_video.py::test_only_local_files_are_read']),
    ("names are addresses", "video", 'return f"file:{Path(path).absolute()}"', "return str(path)", ['tests/test_video.py::test_a_name_like_an_address_is_a_file']),
    ("sound comes from anything", "video", "src = open_media(path)", "import av; src = av.open(str(path))", ['tests/test_video.py::test_sound_is_taken_from_no_list']),
    ("a film is written to an address", "video", "av.open(file_url(tmp)", "av.open(tmp.name", ['tests/test_video.py::test_a_name_like_an_address_is_a_file']),
    ("Matroska is not read", "video", '"matroska", ', "", ['tests/test_video.py::test_every_usual_container_is_read[mkv-libx264]']),
    ("a photo's pattern is followed", "video", "return [path] if path.suffix.lower() in PICTURES else None", "return None", ['tests/test_video.py::test_pictures_are_videos_of_one_frame']),
    ("photos are not turned", "video", "im = ImageOps.exif_transpose(im)", "im = im.copy()", ['tests/test_video.py::test_a_photo_is_turned_as_its_note_says']),
    ("transparency becomes black", "video", 'Image.new("RGBA", im.size, "white")', 'Image.new("RGBA", im.size, "black")', ['tests/test_video.py::test_transparency_becomes_white_and_sixteen_bits_are_scaled']),
    ("16 bits are cut, not scaled", "video", ".astype(np.float64) / 257)", ".astype(np.float64) / 256)", ['tests/test_video.py::test_transparency_becomes_white_and_sixteen_bits_are_scaled']),
    ("frames by name, not by number", "video", "files = sorted(files, key=number)", "files = sorted(files)", ['tests/test_video.py::test_frames_of_a_folder_come_by_number']),
    ("the clock ticks on beyond the wanted frames", "video", "frames, max_frames or None)", "frames, None)", ['tests/test_video.py::test_no_more_frames_than_were_asked_for']),
    ("points lie half a pixel off in the crop", "landmarks", "np.asarray(points, np.float64) + 0.5 - [self.left, self.top]", "np.asarray(points, np.float64) - [self.left, self.top]", ['tests/test_video.py::test_points_go_where_their_pixels_go']),
    ("videos are turned the wrong way", "video", "np.rot90(frame, round(rotation / 90) % 4)", "np.rot90(frame, -round(rotation / 90) % 4)", ['tests/test_video.py::test_rotation_is_undone']),
    ("the frame before, not the nearest", "video", "while last is not None and clock <= (last[0] + t) / 2:", "while last is not None and clock <= t:", ['tests/test_video.py::test_variable_frame_rate_is_resampled_to_a_steady_clock']),
    ("no room for hair", "landmarks", "c = middle - [0, 0.12 * extent]", "c = middle + [0, 0.12 * extent]", ['tests/test_video.py::test_head_crop_of_a_still_face']),
    ("a smaller crop", "landmarks", "CROP_FACTOR = 2.1", "CROP_FACTOR = 2.0", ['tests/test_video.py::test_head_crop_of_a_still_face']),
    ("the crop does not know of travel", "landmarks", "side = max(CROP_FACTOR * extent, 1.1 * float(travel.max()) + 0.5 * extent)", "side = CROP_FACTOR * extent", ['tests/test_video.py::test_head_crop_of_a_face_that_travels']),
    ("one stray frame moves the crop", "landmarks", "travel = np.percentile(hi, 98, axis=0) - np.percentile(lo, 2, axis=0)", "travel = hi.max(0) - lo.min(0)", ['tests/test_video.py::test_head_crop_of_a_face_that_travels']),
    ("shrinking picks pixels", "landmarks", "Image.LANCZOS", "Image.NEAREST", ['tests/test_video.py::test_shrinking_averages']),
    ("the edge is not repeated", "landmarks", "rows, cols = np.arange(y0, y1).clip(0, h - 1), np.arange(x0, x1).clip(0, w - 1)", "rows, cols = np.arange(y0, y1) % h, np.arange(x0, x1) % w", ['tests/test_video.py::test_a_crop_over_the_edge_repeats_it']),
    ("an eye is left out", "landmarks", "[(37, 41), (38, 40), (43, 47), (44, 46)]", "[(37, 41), (38, 40)]", ['tests/test_video.py::test_openings_in_closed_form']),
    ("lips by other points", "landmarks", "[(61, 67), (62, 66), (63, 65)]", "[(61, 67), (62, 66)]", ['tests/test_video.py::test_openings_in_closed_form']),
    ("sharpness of the whole picture", "landmarks", "inside = detail[max(1, y0) : min(H - 1, y1 + 1), max(1, x0) : min(W - 1, x1 + 1)]", "inside = detail", ['tests/test_video.py::test_sharpness_is_measured_inside_the_face']),
    ("another filter than Laplace's", "landmarks", "[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]", "[[0.0, 1, 0], [1, -3, 1], [0, 1, 0]]", ['tests/test_video.py::test_sharpness_is_measured_inside_the_face']),
    ("the smallest face first", "landmarks", "sorted(best, key=_area, reverse=True)", "sorted(best, key=_area)", ['tests/test_video.py::test_the_largest_face_comes_first']),
    ("boxes in the reduced picture's pixels", "landmarks", "r.left() / zoom + x, r.top() / zoom + y, r.right() / zoom + x, r.bottom() / zoom + y", "r.left() + x, r.top() + y, r.right() + x, r.bottom() + y", ['tests/test_video.py::test_landmarks_grow_with_the_picture']),
    ("the predictor sees the face small", "landmarks", "zoom = 240 / max(right - left, 1)", "zoom = 30 / max(right - left, 1)", ['tests/test_video.py::test_landmarks_grow_with_the_picture']),
    ("always the largest face", "landmarks", "return max(boxes, key=weight)", "return max(boxes, key=_area)", ['tests/test_video.py::test_whom_the_tracker_follows']),
    ("whom it followed, whatever comes", "landmarks", "return _area(box) + max(w, 0) * max(h, 0)", "return _area(box) + 9 * max(w, 0) * max(h, 0)", ['tests/test_video.py::test_whom_the_tracker_follows']),
    ("endless patience", "landmarks", "if not seen and (self.box is None or self.lost > self.patience):", "if not seen and self.box is None:", ['tests/test_video.py::test_a_lost_face_is_followed_for_half_a_second']),
    ("patience is not renewed", "landmarks", "self.lost = 0 if seen else self.lost + 1", "self.lost = self.lost if seen else self.lost + 1", ['tests/test_video.py::test_a_face_found_again_is_followed_anew']),
    ("lost frames hold the first landmarks", "landmarks", "nearest = [good[np.abs(good - k).argmin()] for k in", "nearest = [good[0] for k in", ['tests/test_video.py::test_lost_frames_hold_the_nearest_landmarks']),
    ("implausible points are kept", "landmarks", "if not seen and not _plausible(points, self.box):\n        return None, False", "pass", ['tests/test_video.py::test_points_that_are_no_face_end_the_following']),
    ("a constant embedding", "landmarks", "return np.array(_recogniser().compute_face_descriptor(image, shape))", "return np.zeros(128)", ['tests/test_animation.py::test_embeddings_tell_people_apart', 'tests/test_video.py::test_the_crop_and_the_large_picture_are_one_person', 'tests/test_notebooks.py::test_notebook[05_landmarks]']),
    ("the embedding of another place", "landmarks", "q = (np.asarray(points) + 0.5) * z - 0.5", "q = np.asarray(points) * 1.0", ['tests/test_video.py::test_the_crop_and_the_large_picture_are_one_person']),
    ("faces too small are accepted", "prepare", "if eye < 12:", "if eye < 0:", ['tests/test_video.py::test_a_face_too_small_is_refused']),
    ('the line is for those who are known', 'animation', 'if not knows(system, face):', 'if knows(system, face):', ['tests/test_animation.py::test_anybody_is_painted_and_weights_of_one_person_say_whom_they_know']),
    ('no line for strangers', 'animation', 'if not knows(system, face):', 'if False:', ['tests/test_animation.py::test_anybody_is_painted_and_weights_of_one_person_say_whom_they_know']),
    ('--person does nothing', 'animation', 'weights = o.person or default_weights()', 'weights = default_weights()', ['tests/test_animation.py::test_anybody_is_painted_and_weights_of_one_person_say_whom_they_know']),
    ('rendered people teach nothing', 'animation', 'len(people) + system.info.get("rendered_clips", 0) > MANY', 'len(people) > MANY', ['tests/test_animation.py::test_many_people_teach_faces_in_general']),
    ("the farthest person counts", "animation", "nearest = np.linalg.norm(people - face.embedding, axis=1).min()", "nearest = np.linalg.norm(people - face.embedding, axis=1).max()", ['tests/test_animation.py::test_the_nearest_of_several_people_counts']),
    ('twenty people are people in general', 'animation', 'MANY = 20', 'MANY = 19', ['tests/test_animation.py::test_who_is_known', 'tests/test_animation.py::test_many_people_teach_faces_in_general']),
    ("another threshold", "landmarks", "KNOWN_DISTANCE = 0.6", "KNOWN_DISTANCE = 0.7", ['tests/test_animation.py::test_who_is_known']),
    ('relative and absolute driving exchanged (animation)', 'animation', 'relative=not (same_person or absolute))', 'relative=(same_person or absolute))', ['tests/test_animation.py::test_absolute_for_oneself_relative_for_another', 'tests/test_animation.py::test_follow_tells_oneself_from_another']),
    ('--absolute does nothing', 'animation', 'relative=not (same_person or absolute))', 'relative=not same_person)', ['tests/test_animation.py::test_absolute_for_oneself_relative_for_another']),
    ('always absolute', 'animation', 'driven(face.params, clip.params, same, absolute)', 'driven(face.params, clip.params, True)', ['tests/test_animation.py::test_follow_tells_oneself_from_another']),
    ('--absolute is not handed on', 'animation', 'driven(face.params, clip.params, same, absolute)', 'driven(face.params, clip.params, same)', ['tests/test_animation.py::test_driving_from_the_command_line']),
    ('always relative', 'animation', 'driven(face.params, clip.params, same, absolute)', 'driven(face.params, clip.params, False, absolute)', ['tests/test_animation.py::test_follow_tells_oneself_from_another', 'tests/test_animation.py::test_a_rendered_clip_drives_itself']),
    ("the same file is the same person", "animation", "same = same_file and np.linalg.norm(middle.embedding - face.embedding) < KNOWN_DISTANCE", "same = same_file", ['tests/test_animation.py::test_another_person_in_the_same_file_is_driven_by_changes']),
    ("the same person is the same picture", "animation", "same = same_file and np", "same = np", ['tests/test_animation.py::test_follow_tells_oneself_from_another']),
    ("--to takes the other's place", "animation", "reenact(face.params, other.params, translation=False)", "reenact(face.params, other.params)", ['tests/test_animation.py::test_towards_a_photo']),
    ("--to runs backwards", "animation", "torch.cat([torch.linspace(1, 0, round(fps)), torch.zeros(round(fps * 0.4))])", "torch.cat([torch.linspace(0, 1, round(fps)), torch.zeros(round(fps * 0.4))])", ['tests/test_animation.py::test_towards_a_photo']),
    ("--to does not stay there", "animation", "torch.zeros(round(fps * 0.4))", "torch.zeros(1)", ['tests/test_animation.py::test_towards_a_photo', 'tests/test_animation.py::test_to_from_the_command_line']),
    ("two motions at once", "animation", "if sum(x is not None for x in (driving, to, script)) > 1:", "if sum(x is not None for x in (driving, to, script)) > 2:", ['tests/test_animation.py::test_plan_motion']),
    ("the driving video's sound is lost", "animation", "sound = None if Path(driving).is_dir() else Path(driving)", "sound = None", ['tests/test_animation.py::test_driving_from_the_command_line[video]']),
    ("a rendered clip has no embedding", "animation", "embedding = face_embedding(np.asarray(clip.frames[frame]), clip.pixels(frame)[0])", "embedding = np.zeros(128)", ['tests/test_animation.py::test_embeddings_tell_people_apart', 'tests/test_animation.py::test_driving_from_the_command_line[rendered]']),
    ("landmarks upside down for the embedding", "clips", "return to_pixels(points, size, size)[..., :2].numpy()", "return size - to_pixels(points, size, size)[..., :2].numpy()", ['tests/test_animation.py::test_a_video_and_its_clip_are_the_same_face']),
    ("the first frame whatever is asked", "animation", "return face_of_clip(clip, min(frame or 0, len(clip) - 1))\n", "return face_of_clip(clip, 0)\n", ['tests/test_animation.py::test_the_frame_that_is_asked_for']),
    ("turning in radians", "animation", "torch.tensor(goal) * torch.pi / 180", "torch.tensor(goal) / 180", ['tests/test_animation.py::test_gestures']),
    ("a gesture takes a smile back", "animation", "e[:, k].clamp(min=value), a)", "torch.full_like(e[:, k], value), a)", ['tests/test_animation.py::test_gestures']),
    ("a blink lasts a second", "animation", 'seconds = 0.4 if word in ("blink", "wink") else 1.0', "seconds = 1.0", ['tests/test_animation.py::test_scripts']),
    ("films do not say what they are", "video", 'out.metadata.update(comment=SYNTHETIC, description=SYNTHETIC, synthetic="true")', "pass", ['tests/test_animation.py::test_films_say_that_they_are_synthetic']),
    ("GIFs do not say what they are", "video", "ims[0].save(\n            tmp,\n            save_all=True,\n            append_images=ims[1:],\n            duration=round(1000 / fps),\n            loop=0,\n            comment=SYNTHETIC.encode(),\n            optimize=False,\n        )", "ims[0].save(tmp, save_all=True, append_images=ims[1:], duration=round(1000 / fps), loop=0, optimize=False)", ['tests/test_animation.py::test_films_say_that_they_are_synthetic']),
    ("sound goes on after the pictures", "video", "if p.dts is None or p.pts * p.time_base > seconds:", "if p.dts is None:", ['tests/test_animation.py::test_sound_ends_with_the_pictures']),
    ("odd sizes are cut", "video", 'return np.pad(im, ((0, h % 2), (0, w % 2), (0, 0)), "edge")', "return im[:h - h % 2, :w - w % 2]", ['tests/test_animation.py::test_odd_sizes_and_the_order_of_frames']),
    ('rows of the contact sheet exchanged', 'animation', 'moved=made["moved"][moments], output=made["output"][moments])', 'moved=made["output"][moments], output=made["moved"][moments])', ['tests/test_animation.py::test_contact_sheet_rows_and_columns']),
    ('rows of the contact sheet have no names', 'animation', 'pen.text((left - 4, top', 'pen.text((-999, top', ['tests/test_animation.py::test_contact_sheet_rows_and_columns']),
    ('columns of the contact sheet have no names', 'animation', 'pen.text((left + (k + 0.5)', 'pen.text((-999 + (k + 0.5)', ['tests/test_animation.py::test_contact_sheet_rows_and_columns']),
    ('what is painted is warped', 'animation', 'made["output"], made["mesh"] = made["image"], ', 'made["output"], made["mesh"] = made["warped"], ', ['tests/test_animation.py::test_painting_differs_from_warping']),
    ('the whole photo is not moved', 'animation', 'head = warp_by_flow(source, way)', 'head = source', ['tests/test_animation.py::test_the_photo_moves_at_its_own_resolution']),
    ('what is painted is left out of the photo', 'animation', 'painted = made["output"][k : k + 1] - made["moved"][k : k + 1]', 'painted = 0 * made["output"][k : k + 1]', ['tests/test_animation.py::test_paint_is_added_inside_the_crop_and_fades_at_its_rim']),
    ('the crop has a hard rim in the photo', 'animation', 'mask = rim_mask(side)', 'mask = 0 * rim_mask(side) + 1', ['tests/test_animation.py::test_paint_is_added_inside_the_crop_and_fades_at_its_rim']),
    ('--face is not asked', 'animation', 'boxes[number - 1]', 'boxes[0]', ['tests/test_animation.py::test_which_of_several_faces']),
    ("the film shows training frames", "demo", "driving = np.arange(int(round(low * T)), int(round(high * T)), step)", "driving = np.arange(int(round(low * T)) - 4, int(round(high * T)) - 4, step)", ['tests/test_demo.py::test_the_film_shows_frames_that_training_never_saw']),
    ("parameters of other frames than the driving ones", "demo", "(p[torch.as_tensor(driving)], driving)", "(p[torch.as_tensor(driving) - 1], driving)", ['tests/test_demo.py::test_the_film_shows_frames_that_training_never_saw']),
    ("Eq. 3 the wrong way round", "demo", "torch.cat([torch.linspace(1, 0, 15), torch.linspace(0, 1, 15)])", "torch.cat([torch.linspace(0, 1, 15), torch.linspace(1, 0, 15)])", ['tests/test_demo.py::test_the_film_shows_frames_that_training_never_saw']),
    ("columns exchanged", "demo", "row = [face.image[0], pictures[i],", "row = [pictures[i], face.image[0],", ['tests/test_demo.py::test_columns_of_the_film']),
    ("a command calls another", "commands", 'return start("training", "f3a_train", argv)', 'return start("regressor", "f3a_train_regressor", argv)', ['tests/test_commands.py::test_train', 'tests/test_commands.py::test_help[f3a_train---system]']),
    ("the thread policy is not set", "commands", 'os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")', "pass", ['tests/test_commands.py::test_a_script_of_its_own_process']),
    # untrusted files
    ("Fortran order ignored", "morphable", 'order="F" if fortran else "C"', 'order="C"', ['tests/test_models.py::test_genuine_pickles_of_every_protocol[3]']),
    ("byte order ignored", "morphable", ".newbyteorder(dtype.order)", '.newbyteorder("<")', ['tests/test_models.py::test_genuine_pickles_of_every_protocol[4]']),
    ("a list that holds itself is let through", "morphable", "    _must(done[id(x)] is not None)", "    pass", ['tests/test_models.py::test_forged_pickles[holds_itself]']),
    ("bytes of any length on request", "morphable", 'if part.name == "bytes" and args == ():', 'if part.name == "bytes":', ['tests/test_models.py::test_forged_pickles[bytes_of_any_length]']),
    ("files of numpy 1 refused", "morphable", 'for p in ("numpy.core.", "numpy._core.")', 'for p in ("numpy._core.",)', ['tests/test_models.py::test_pickles_of_numpy_1_and_2[2]', 'tests/test_models.py::test_pickle_of_python_2']),
    ("unknown settings of a header let through", "core", "    if unknown:\n", "    if False:\n", ['tests/test_bad_input.py::test_forged_generator_config[unknown]']),
    ("infinite settings accepted", "core", "return math.isfinite(value) and allowed[0] <= value <= allowed[1]", "return value == value and allowed[0] <= value", ['tests/test_bad_input.py::test_forged_generator_config[infinite_scale]']),
    ("true counts as one", "core", "if isinstance(value, bool) or not isinstance(value, (int, float)", "if not isinstance(value, (int, float)", ['tests/test_bad_input.py::test_forged_generator_config[true_scale]']),
    ("shapes of weights not compared", "core", "    wrong = [k for k in want if k not in tensors or tensors[k].shape != want[k]] + [k for k in tensors if k not in want]\n    if wrong:", "    wrong = [k for k in want if k not in tensors or tensors[k].shape != want[k]] + [k for k in tensors if k not in want]\n    if False:", ['tests/test_bad_input.py::test_forged_generator_config[other]']),
    ("a model's vertex numbers not compared with its size", "morphable", "if len(x) == 0 or x.min() < least or x.max() >= end:", "if len(x) == 0 or x.min() < least:", ['tests/test_bad_input.py::test_forged_models[vertex_too_high]']),
    ("scale may be negative", "morphable", "if not (params.scale > 0).all():", "if (params.scale == 0).any():", ['tests/test_bad_input.py::test_forged_params[negative]']),
    ("scales of picture and flow may differ", "generator", "if len(self.channels) != len(self.flow_channels):", "if False:", ['tests/test_bad_input.py::test_forged_generator_config']),
    ("facts of a run not checked", "core", "    if not good:", "    if False:", ['tests/test_bad_input.py::test_forged_headers[generator-people]']),
    ("frames of any kind of number", "clips", "fits = frames.shape == (T, size, size, 3) and frames.dtype == np.uint8", "fits = frames.shape == (T, size, size, 3)", ['tests/test_bad_input.py::test_forged_clips[wide]']),
    ("frames need not be square", "clips", "fits = frames.shape == (T, size, size, 3) and frames.dtype == np.uint8", "fits = frames.shape[1] == size and frames.dtype == np.uint8", ['tests/test_bad_input.py::test_forged_clips[not_square]']),
    ("a manifest may name its parent", "clips", 'one = isinstance(name, str) and name not in ("", ".", "..")', 'one = isinstance(name, str) and name not in ("", ".")', ['tests/test_bad_input.py::test_forged_manifests[two_dots]']),
    ("a manifest may name any path", "clips", "PurePosixPath(name).name == name and PureWindowsPath(name).name == name", "True", ['tests/test_bad_input.py::test_forged_manifests[root]']),
    ("a clip's frame count not compared", "clips", 'if meta["frames"] != len(frames):', "if False:", ['tests/test_bad_input.py::test_forged_clips[frames_count]']),
    ("points of a photo not compared with its size", "datasets", "    check_points(a.points[:, :2], *im.shape[:2], mat.name)", "    pass", ['tests/test_datasets.py::test_one_bad_annotation_fails_alone']),
    ("an unforeseen error ends the run", "datasets", "        except Exception as e:  # whatever", "        except F3AError as e:  # whatever", ['tests/test_datasets.py::test_what_nobody_thought_of_fails_alone']),
    ("a bad frame is not left out", "datasets", "check_points(points, *picture, files[k + 1].name)", "pass", ['tests/test_datasets.py::test_an_outlier_is_one_bad_frame']),
    ("angles of an annotation not checked", "datasets", "if np.abs(q[:3]).max() > 2 * np.pi:", "if False:", ['tests/test_datasets.py::test_one_bad_annotation_fails_alone']),
    ("points counted from 1", "datasets", "p - [1, 1, 0])", "p)", ['tests/test_datasets.py']),
    ("face span of points not limited", "landmarks", "if extent.max() > 1.4 * side or extent.min() < 4:", "if extent.min() < 4:", ['tests/test_datasets.py::test_points_belong_to_their_picture']),
    ("points counted from 1 (landmarks)", "landmarks", "    return p - 1", "    return p", ['tests/test_datasets.py::test_an_outlier_is_one_bad_frame']),
    ("action units not divided by 5", "conditions", "astype(np.float32)) / 5).clamp(0, 1)", "astype(np.float32))).clamp(0, 1)", ['tests/test_datasets.py::test_openface_with_wrong_numbers']),
    ("frames without success are judged", "conditions", ")[ok].all():", ").all():", ['tests/test_datasets.py::test_openface_with_wrong_numbers']),
    ("pose of frames not bounded", "conditions", "-2 * np.pi, 2 * np.pi", "-np.inf, np.inf", ['tests/test_datasets.py::test_openface_with_wrong_numbers']),
    # results
    ("a spread without ddof", "results", "good.std(ddof=1)", "good.std()", ["tests/test_results.py::test_a_figures_spread_is_the_sample_standard_deviation"]),
    ("undefined repetitions are not counted", "results", "undefined=len(values) - len(good),", "undefined=0,", ["tests/test_results.py::test_a_figures_spread_is_the_sample_standard_deviation"]),
    ("the first record that fits is taken", "results", "if len(found) != 1:", "if not found:", ["tests/test_results.py::test_records_are_found_by_any_part_of_their_setting"]),
    ("the setting does not count", "results", "return [r for r in named if all(r.setting.get(k) == v for k, v in setting.items())]", "return named", ["tests/test_results.py::test_records_are_found_by_any_part_of_their_setting"]),
    ("MAE with two digits", "results", " mae=4,", " mae=2,", ["tests/test_results.py::test_a_figure_in_words"]),
    ("no spread is shown", "results", "text += f\" ± {value['sd'] * factor:.{digits}f}\"", 'text += ""', ["tests/test_results.py::test_a_figure_in_words"]),
    ("percentages not multiplied", "results", "factor = 100 if percent else 1", "factor = 1", ["tests/test_results.py::test_a_figure_in_words"]),
    ("another format of results is read", "results", 'if stored.get("format") != RESULTS_FORMAT or not isinstance(items, list):', "if not isinstance(items, list):", ["tests/test_results.py::test_a_file_that_holds_no_records"]),
    ("an entry without figures is a record", "results", "if not isinstance(item, dict) or not all(", "if not isinstance(item, dict) or not any(", ["tests/test_results.py::test_a_file_that_holds_no_records"]),
    ("the caller's command is not told", "results", 'command=command or " ".join(', 'command="python" or " ".join(', ["tests/test_results.py::test_records_come_back_as_they_were"]),
    # crops, valid pixels, fits without a leak
    ('held-out frames are fitted with the training frames', 'prepare', '    train = np.flatnonzero(mine)\n', '    train = np.flatnonzero(found)\n', ['tests/test_prepare.py::test_a_held_out_frame_has_no_say_in_any_other']),
    ('the unit of held-out frames is their own', 'prepare', 'identity=identity, unit=eyes, towards', 'identity=identity, towards', ['tests/test_prepare.py::test_held_out_frames_have_no_say_in_each_other']),
    ('held-out frames are smoothed', 'prepare', 'FitConfig(smooth_exp=0.0, smooth_pose=0.0)', 'FitConfig()', ['tests/test_prepare.py::test_a_held_out_frame_has_no_say_in_any_other']),
    ('held-out frames have an identity of their own', 'prepare', 'cfg=alone, identity=identity, unit', 'cfg=alone, unit', ['tests/test_prepare.py::test_held_out_frames_are_fitted_as_well', 'tests/test_prepare.py::test_a_held_out_frame_has_no_say_in_any_other']),
    ('the gap between training frames is not known', 'prepare', 'landmarks[train], frames=train, progress', 'landmarks[train], progress', ['tests/test_prepare.py::test_a_clip_fits_its_training_frames_with_their_numbers']),
    ('lost frames take the first training frame', 'prepare', '.argmin(1)  # (T,) the nearest', '.argmax(1)  # (T,) the nearest', ['tests/test_prepare.py::test_lost_frames_take_the_nearest_training_frame']),
    ("the regressor's identity is the mean of all frames", 'prepare', 'regress_clip(net, pictures, mine)', 'regress_clip(net, pictures, found)', ['tests/test_prepare.py::test_the_regressor_and_its_tuning_know_the_training_frames_only']),
    ('tuning sees all frames', 'prepare', 'finetune(net, pictures, landmarks, mine, progress', 'finetune(net, pictures, landmarks, found, progress', ['tests/test_prepare.py::test_the_regressor_and_its_tuning_know_the_training_frames_only']),
    ('a clip that has no training frames is fitted to nothing', 'prepare', 'return train if train.any() else found', 'return train', ['tests/test_prepare.py::test_a_clip_without_training_frames_is_fitted_as_a_whole']),
    ('the split is not part of the recipe', 'prepare', 'face_model=model_fingerprint(face_model),\n        split=split,', 'face_model=model_fingerprint(face_model),\n        split=0,', ['tests/test_prepare.py::test_each_part_of_the_recipe_counts', 'tests/test_prepare.py::test_all_frames_are_one_on_the_command_line']),
    ('a clip that is there is made again', 'prepare', '        return clip, False\n', '        pass\n', ['tests/test_prepare.py::test_a_clip_that_is_there_is_given_as_it_is']),
    ('smoothing counts by 1/gap', 'fitting', '1 / gap.float().square()', '1 / gap.float()', ['tests/test_prepare.py::test_smoothing_falls_with_the_square_of_the_gap']),
    ('expressions are smoothed over a gap', 'fitting', '(step["exp"].square() * near).sum()', 'step["exp"].square().sum()', ['tests/test_prepare.py::test_smoothing_falls_with_the_square_of_the_gap']),
    ('frame numbers may fall', 'fitting', 'or not (gap > 0).all()', 'or False', ['tests/test_prepare.py::test_smoothing_falls_with_the_square_of_the_gap']),
    ('rows and columns of the picture change places', 'prepare', 'picture=[crop.height, crop.width]', 'picture=[crop.width, crop.height]', ['tests/test_prepare.py::test_a_clip_knows_what_its_video_had']),
    ('every pixel of a clip is real', 'clips', 'return Crop(left, top, right - left, height, width, own).valid(size)', 'return torch.ones(1, size, size)', ['tests/test_prepare.py::test_a_clip_knows_what_its_video_had']),
    ("photos' masks are not written", 'prepare', 'face_model, np.stack(masks))', 'face_model)', ['tests/test_datasets.py::test_labelled_photos_in_pieces']),
    ('the mask of any photo is that of all', 'clips', 'self.masks.all(0) if frame is None else self.masks[frame]', 'self.masks.all(0)', ['tests/test_prepare.py::test_each_photo_has_a_mask_of_its_own']),
    ('format 1 is read', 'clips', 'if meta.get("format") != FORMAT:', 'if meta.get("format") not in (1, FORMAT):', ['tests/test_bad_input.py::test_a_clip_of_an_earlier_format_is_prepared_again']),
    ('a picture of no size is taken', 'clips', 'len(picture) != 2 or not all(_is(v, int) and 0 < v < 1e9 for v in picture)', 'len(picture) != 2', ['tests/test_bad_input.py::test_forged_clips[picture_empty]', 'tests/test_bad_input.py::test_forged_clips[picture_text]']),
    ('masks of another length are taken', 'clips', '    fits = fits and (masks is None or masks.shape == (T, size, size))\n', '', ['tests/test_bad_input.py::test_forged_clips[masks_short]']),
    ("the window's top is not taken off", 'landmarks', 'unit = (np.asarray(points, np.float64) + 0.5 - [self.left, self.top]) * 2', 'unit = (np.asarray(points, np.float64) + 0.5 - [self.left, 0]) * 2', ['tests/test_video.py::test_a_crop_takes_points_where_it_takes_pixels']),
    ('half a pixel is forgotten on the way back', 'landmarks', '+ [self.left, self.top] - 0.5\n', '+ [self.left, self.top]\n', ['tests/test_video.py::test_a_crop_takes_points_where_it_takes_pixels']),
    ('the border is repeated, not mirrored', 'landmarks', 'border, mode="symmetric")', 'border, mode="edge")', ['tests/test_video.py::test_soft_fill_continues_the_border']),
    ('what is outside is not blurred', 'landmarks', 'np.clip(distance / REACH, 0, 1)', 'np.clip(distance * 0, 0, 1)', ['tests/test_video.py::test_what_the_picture_has_is_cut_as_it_is']),
    ('the mask knows no right border', 'landmarks', '& (centre + self.left <= self.width)', '& True', ['tests/test_prepare.py::test_a_clip_knows_what_its_video_had']),
    # the regressor and rendered people
    ('light from behind the lamp (rendered, again)', 'rendered', 'first = key * lamp + rng.normal(0, 0.08, 3)', 'first = -key * lamp + rng.normal(0, 0.08, 3)', ['tests/test_geometry.py::test_light_comes_from_the_lamp']),
    ('the eyes squint (rendered, again)', 'rendered', 'e[at[("eyeLookOut" if right * sign > 0 else "eyeLookIn") + side]]', 'e[at[("eyeLookOut" if right > 0 else "eyeLookIn") + side]]', ['tests/test_geometry.py::test_poses_and_expressions_as_described']),
    ('the lower teeth hang on the skull (people, again)', 'people', 'for jaw, moved in zip(teeth, (0, chin)):', 'for jaw, moved in zip(teeth, (0, 0)):', ['tests/test_geometry.py::test_teeth_follow_skull_and_chin']),
    ('lipstick above a beard', 'people', 'lips=(natural if stubble else lips) * tint,', 'lips=lips * tint,', ['notebook 93_people']),
    ('another set in the folder is taken', 'rendered', 'if stored != what:', 'if False:', ['tests/test_regressor.py::test_another_set_in_the_folder']),
    ('Eq. 9 without its regulariser (regressor, again)', 'regressor', 'lm=landmark_loss(points, landmarks), reg=lambdas[2] *', 'lm=landmark_loss(points, landmarks), reg=0 *', ['tests/test_networks.py::test_eq_8_and_9_weigh_their_terms']),
    ('no hiding patches (regressor, again)', 'regressor', 'hidden = torch.nonzero(torch.rand(B, generator=rng) < 0.4 * strength)', 'hidden = torch.nonzero(torch.rand(B, generator=rng) < 0 * strength)', ['tests/test_networks.py::test_augmented_batches']),
    ('the mirror keeps left and right (regressor, again)', 'regressor', 'return [names.index(name) for name in swapped]', 'return [names.index(name) for name in names]', ['tests/test_networks.py::test_the_mirrored_face']),
    ('folded forgets the second normalisation (regressor, again)', 'regressor', 'b.look = fuse_conv_bn_eval(b.look, b.n2)', 'pass', ['tests/test_networks.py::test_folded_says_the_same']),
    ("a clip's identity from frames without a face (regressor, again)", 'regressor', 'identity = p.id_coeff[seen].mean(0, keepdim=True)', 'identity = p.id_coeff.mean(0, keepdim=True)', ['tests/test_networks.py::test_a_clips_identity_is_the_mean_of_the_found_frames']),
    ('new channels hear nothing (regressor, again)', 'regressor', 'to[tuple(slice(n) for n in old.shape)] = old', 'to[:] = 0; to[tuple(slice(n) for n in old.shape)] = old', ['tests/test_networks.py::test_dead_units_wake_and_a_network_grows']),
    ('the first fully connected layer learns as fast as the rest', 'regressor', 'dict(params=first, factor=cfg.fc1_lr)', 'dict(params=first, factor=1.0)', ['tests/test_networks.py::test_a_training_step_by_hand']),
    ('the last norm learns its statistics', 'regressor', 'self.net.norm.eval()', 'self.net.norm.train()', ['tests/test_networks.py::test_a_training_step_by_hand']),
    ('the second phase learns at the full rate', 'regressor', 'k, n, top = step - cfg.steps, cfg.sub_steps, cfg.lr / 10', 'k, n, top = step - cfg.steps, cfg.sub_steps, cfg.lr', ['tests/test_networks.py::test_the_learning_rate_by_hand']),
    ("L_warm goes on in the second phase's place", 'regressor', '        if step < self.cfg.steps:\n            terms = warm_loss', '        if step <= self.cfg.steps:\n            terms = warm_loss', ['tests/test_networks.py::test_a_training_step_by_hand']),
    ('fewer warm-up steps than are done', 'regressor', 'if warm > self.cfg.steps:', 'if False:', ['tests/test_loop.py::test_resume_of_a_regressor_refuses_other_faces_and_clips']),
    ('clips without a second phase pass in silence', 'regressor', 'if o.clips and not o.config.sub_steps:', 'if False:', ['tests/test_regressor.py::test_clips_need_a_second_phase']),
    ('presets are forgotten', 'regressor', 'make = RegressorTraining.paper if preset == "paper" else RegressorTraining.lite', 'make = RegressorTraining.lite', ['tests/test_regressor.py::test_every_field_is_an_option_and_presets_give_the_defaults']),
    ('any weights are a regressor', 'regressor', 'if kind != "regressor":', 'if False:', ['tests/test_regressor.py::test_weights_of_something_else']),
    ('other heads for old weights', 'regressor', 'F.pad(t * 0.2, (0, 1))', 'F.pad(t * 0.21, (0, 1))', ['tests/test_weights.py::test_bundled_weights_give_what_they_gave[regressor]', 'tests/test_networks.py::test_what_the_heads_say']),
    # lessons, metrics, animation
    ('landmarks are not handed on', 'animation', 'points = None if landmarks is None else landmarks[now]', 'points = None', ['tests/test_animation.py::test_a_system_is_told_what_it_asks_for']),
    ('driving pictures are not handed on', 'animation', 'seen = None if pictures is None else pictures[now]', 'seen = None', ['tests/test_animation.py::test_a_system_is_told_what_it_asks_for']),
    ('the anchor of the system is forgotten', 'animation', 'targets, size, system.cfg.anchor)', 'targets, size)', ['tests/test_animation.py::test_a_system_is_told_what_it_asks_for']),
    ('a frame from the held-out block is animated', 'animation', 'BUNDLED_FRAME = 233', 'BUNDLED_FRAME = 255', ['tests/test_animation.py::test_the_bundled_source_is_a_training_frame', 'tests/test_demo.py::test_the_source_of_the_film_is_a_training_frame']),
    ('films are not cut to what is real', 'animation', 'film = cut_to_real(face, made["output"])', 'film = made["output"]', ['tests/test_animation.py::test_only_what_is_real_is_shown']),
    ('the contact sheet is not cut', 'animation', 'cells = cut_to_real(face, torch.cat(list(rows.values())))', 'cells = torch.cat(list(rows.values()))', ['tests/test_animation.py::test_only_what_is_real_is_shown']),
    ("another face's landmarks are taken", 'animation', 'clip.landmarks if same else None', 'clip.landmarks', ['tests/test_animation.py::test_follow_tells_oneself_from_another']),
    ('the mask is ignored in differences', 'metrics', 'return (x * real).sum((1, 2, 3)) / (real.sum((1, 2, 3)) * x.shape[1])', 'return x.mean((1, 2, 3))', ['tests/test_networks.py::test_what_no_picture_had_counts_in_no_metric']),
    ('SSIM windows that see the outside count', 'metrics', 'whole = 1 - F.max_pool2d(1 - real, 11, 1)', 'whole = real[:, :, 5:-5, 5:-5]', ['tests/test_networks.py::test_what_no_picture_had_counts_in_no_metric']),
    ('one mask for the whole batch', 'metrics', 'return torch.where(real > 0, a, zero), torch.where(real > 0, b, zero), real', 'return torch.where(real > 0, a, zero), torch.where(real > 0, b, zero), real[:1].expand_as(real)', ['tests/test_networks.py::test_each_picture_has_its_own_valid_pixels']),
    ('a face is kept for a picture without one', 'metrics', '        if boxes:', '        boxes = last = boxes or (last if k else boxes)\n        if boxes:', ['tests/test_networks.py::test_a_picture_is_not_helped_by_the_one_before']),
    ('the film drives with seen frames', 'demo', 'np.arange(int(round(low * T)), int(round(high * T)), step)', 'np.arange(int(round(low * T)) - 1, int(round(high * T)), step)', ['tests/test_demo.py::test_the_film_shows_frames_that_training_never_saw']),
    ("demo's film is not cut", 'demo', 'cells = cut_to_real(face, torch.stack(row))', 'cells = torch.stack(row)', ['tests/test_demo.py::test_columns_of_the_film']),
    ("distances among the splits of the demo's table", 'demo', 'for (split, _), r in found.items() if split == which]', 'for r in found.values()]', ['tests/test_demo.py::test_methods_are_measured_split_by_split_and_the_untrained_ones_once']),
    ('unknown backends run as torch', 'flow', 'if backend not in ("compiled", "torch"):', 'if False:', ['tests/test_geometry.py::test_an_unknown_backend_is_refused']),
    ('the last blur to see the mesh wins', 'flow', '* (1 - known)  # where', '  # where', ['tests/test_geometry.py::test_a_flow_continued_beyond_the_mesh']),
    ('warp_along warps without the continued flow', 'flow', 'way = extend_flow(flow, mask)\n    return flow', 'way = flow\n    return flow', ['tests/test_geometry.py::test_the_walk_from_two_faces_to_a_warped_photo']),
    ('tracked landmarks are ignored', 'conditions', 'if self.landmarks is None else self.landmarks', '', ['tests/test_networks.py::test_conditions_are_functions_of_two_frames']),
    ('tiles keep their border', 'core', 'sheet[pad : len(sheet) - pad, pad : sheet.shape[1] - pad]', 'sheet', ['tests/test_animation.py::test_tiles_lie_side_by_side']),
    ('words given to a command are ignored', 'commands', 'name)(argv)', 'name)()', ['tests/test_commands.py::test_words_may_be_given']),
    # names, places, contract
    ('names that collide keep their path only', 'prepare', 'for rename in (_by_path, _by_fingerprint):', 'for rename in (_by_path,):', ['tests/test_prepare.py::test_names_that_still_collide_get_a_fingerprint']),
    ('names that differ in case are distinct', 'prepare', 'return unicodedata.normalize("NFC", name).casefold()', 'return unicodedata.normalize("NFC", name)', ['tests/test_prepare.py::test_names_that_still_collide_get_a_fingerprint']),
    ('a data set replaces the clips of another', 'prepare', 'there["sha256"] != recipe["sha256"] and not replace_others', 'False', ['tests/test_prepare.py::test_a_data_set_does_not_replace_the_clips_of_another']),
    ("a command's clip replaces the user's", 'prepare', 'if clip_meta(folder) is None or made_clip(folder, recipe) is not None:', 'if True:', ['tests/test_prepare.py::test_a_clip_of_another_recipe_is_not_in_the_place']),
    ('a model counts by its name only', 'prepare', 'return f"{face_model.name} {print_of.hexdigest()[:16]}"', 'return face_model.name', ['tests/test_prepare.py::test_a_model_counts_by_its_numbers']),
    ('the sweep does not ask who is at work', 'clips', 'if not isinstance(note, dict) or _at_work(note):', 'if not isinstance(note, dict):', ['tests/test_prepare.py::test_sweep_leaves_what_somebody_is_at_work_on']),
    ("another machine's work is swept", 'clips', '    if machine != platform.node():\n        return True', '    if machine != platform.node():\n        return False', ['tests/test_prepare.py::test_sweep_leaves_what_somebody_is_at_work_on']),
    ('a film is written over the photo', 'animation', 'os.path.samefile(read, target)', 'False', ['tests/test_animation.py::test_what_is_read_is_not_written_over[me-not written over]']),
    ('output names may lead elsewhere', 'animation', 'if Path(o.name).name != o.name or o.name in ("", ".", ".."):', 'if False:', ['tests/test_animation.py::test_what_is_read_is_not_written_over']),
    ('filling counts in the losses', 'systems', 'return image * valid + target * (1 - valid)', 'return image', ['tests/test_training.py::test_pixels_that_the_picture_never_had_count_in_no_term']),
    ('a condition of the config is ignored', 'training', 'make_batch(self.clips, p, stage.size, g.condition,', "make_batch(self.clips, p, stage.size, 'flow',", ['tests/test_training.py::test_every_condition_is_one_field_of_the_config[aus]']),
    ('a recipe is not read', 'training', 'return TrainOptions(recipe=recipe, config=load_recipe(recipe))', 'return TrainOptions(recipe=recipe)', ['tests/test_training.py::test_a_recipe_is_a_stored_config']),
    ("the paper's preset is the lite one", 'training', 'return TrainOptions(preset=preset, config=getattr(TrainConfig, preset)(system))', 'return TrainOptions(preset=preset)', ['tests/test_training.py::test_every_field_of_the_config_can_be_set']),
    ('the split of the fit is ignored', 'pairs', 'splits.append(split_frames(len(clip), seed or 0, found=clip.found))', 'splits.append(split_frames(len(clip), 0, found=clip.found))', ['tests/test_training.py::test_a_clip_that_was_fitted_as_one_is_not_measured']),
    ('a fit without held-out frames is measured', 'pairs', 'if seed is None and clip.meta.get("param_source") != "exact":', 'if False:', ['tests/test_training.py::test_a_clip_that_was_fitted_as_one_is_not_measured']),
    ('the mask costs where the picture never was', 'systems', '(out["paint"] * out["seen"] * valid)', '(out["paint"] * out["seen"])', ['tests/test_training.py::test_the_mask_costs_nothing_where_the_picture_never_was']),
    ('T_warp takes any condition', 'warp_generator', 'if cfg.condition != "warp_maps" or cfg.anchor != "target":', 'if False:', ['tests/test_training.py::test_t_warp_says_what_it_needs']),
    ('the driving video has two crops', 'animation', 'if o.driving is not None and source.is_file() and', 'if False and source.is_file() and', ['tests/test_animation.py::test_the_driving_video_itself_is_seen_through_one_crop']),
    ("gaze is fitted to noise", "fitting", 'u["exp"][:, gaze] = looks\n    with torch.no_grad():\n        return', 'pass\n    with torch.no_grad():\n        return', ["tests/test_blendshapes.py::test_gaze_stays_at_rest_without_a_tracker"]),
    ("the tracker's gaze is not taken", "fitting", "looks = 0.0 if towards is None else towards[:, gaze]", "looks = 0.0", ["tests/test_blendshapes.py::test_the_fit_takes_the_gaze_and_is_drawn_to_the_rest"]),
    ("the tracker does not pull", "fitting", "loss = loss + cfg.pull *", "loss = loss + 0 *", ["tests/test_blendshapes.py::test_the_fit_takes_the_gaze_and_is_drawn_to_the_rest"]),
    ("held-out frames hear of all units", "prepare", "towards=seen(held)", "towards=seen(train[: len(held)])", ["tests/test_blendshapes.py::test_each_frame_hears_of_its_own_units"]),
    ("the tracker looks at the wrong place", "prepare", "points = (track.landmarks + 0.5 - [crop.left, crop.top])", "points = (track.landmarks + 0.5)", ["tests/test_blendshapes.py::test_a_prepared_clip_with_a_tracker"]),
    ("the tracker is no part of the recipe", "prepare", "tracker=None if tracker is None else sha256(find_bundle(tracker))", "tracker=None", ["tests/test_blendshapes.py::test_a_prepared_clip_with_a_tracker"]),
    ("another file of the package is taken", "blendshapes", "if sha256(found) != BUNDLE_SHA:", "if False:", ["tests/test_blendshapes.py::test_where_the_tracker_comes_from"]),
    ("the square is not turned", "blendshapes", "angle = float(np.arctan2(right[1] - left[1], right[0] - left[0]))", "angle = 0.0", ["tests/test_blendshapes.py::test_the_square_turns_with_the_face"]),
    ("--init alone trains the paper's generator", "training", "if init and not peek_option", "if False and not peek_option", ["tests/test_training.py::test_init_alone_is_a_fine_tuning_of_what_the_file_holds"]),
    ("a GIF's colours are the skin's", "video", "quantize(256, method=Image.Quantize.FASTOCTREE)", "quantize(64, dither=Image.Dither.NONE)", ["tests/test_animation.py::test_a_flow_beside_photos_keeps_its_colours_in_a_gif"]),
    ('the root of the covariances is left out', 'metrics', '- 2 * root))', '- 0 * root))', ['tests/test_metrics.py::test_frechet_against_scipy']),
    ('means count once', 'metrics', 'gap @ gap +', 'abs(gap).sum() +', ['tests/test_metrics.py::test_frechet_of_known_gaussians']),
    ('every Fréchet distance is an FID', 'metrics', '"fd_effnet" if inception is None else "fid"', '"fid" if inception is None else "fid"', ['tests/test_metrics.py::test_features_of_pictures']),
    ('identity is not centred', 'metrics', '- (0 if mean is None else mean)', '- 0', ['tests/test_metrics.py::test_csim_against_scipy']),
    ('a turn of 360° is an error', 'metrics', 'gap = (np.asarray(a, np.float64) - b + 180) % 360 - 180', 'gap = np.asarray(a, np.float64) - b', ['tests/test_metrics.py::test_prmse_by_hand']),
    ('angles are averaged as they are', 'metrics', 'np.sqrt((gap**2).mean(-1))', 'np.abs(gap).mean(-1)', ['tests/test_metrics.py::test_prmse_by_hand']),
    ('only units that are there agree', 'metrics', 'same = ((a >= threshold) == (b >= threshold)).mean(-1)', 'same = ((a >= threshold) & (b >= threshold)).mean(-1)', ['tests/test_metrics.py::test_aucon_by_hand']),
    ('a face that is missing agrees', 'metrics', 'np.where(np.isfinite(a).all(-1) & np.isfinite(b).all(-1), same, np.nan)', 'same', ['tests/test_metrics.py::test_aucon_by_hand']),
    ('landmarks in pixels', 'metrics', '.mean((-2, -1)) / size', '.mean((-2, -1))', ['tests/test_metrics.py::test_lmae_by_hand']),
    ('pose in radian', 'metrics', 'pose[seen] = fit.rotation.numpy() * 180 / np.pi', 'pose[seen] = fit.rotation.numpy()', ['tests/test_metrics.py::test_pose_and_units_of_known_faces']),
    ('wide pictures are squeezed', 'metrics', '- [size[1], size[0]]) / max(size)', '- [size[1], size[0]]) / [size[1], size[0]]', ['tests/test_metrics.py::test_pose_and_units_of_known_faces']),
    ("the source's identity does not count", 'metrics', 'who = real.identity if source is None else source.identity', 'who = real.identity', ['tests/test_metrics.py::test_whose_identity_counts']),
    ('sets of different length are cut', 'evaluation', 'itertools.zip_longest(ours, theirs)', 'zip(ours, theirs)', ['tests/test_metrics.py::test_sets_that_do_not_belong_together']),
    ('pixels are compared across people', 'evaluation', 'if not self.cross:', 'if True:', ['tests/test_metrics.py::test_two_videos_and_a_cross_reenactment']),
    ('the last batch is lost', 'evaluation', '    if parts[0]:\n', '    if False:\n', ['tests/test_metrics.py::test_batches_do_not_change_the_figures', 'tests/test_metrics.py::test_two_folders_from_the_command_line']),
    ('failed rows of OpenFace count', 'evaluation', 'bad = ~table["success"].numpy()', 'bad = 0 * table["success"].numpy() > 0', ['tests/test_metrics.py::test_openface_in_the_place_of_our_tracker']),
    ('photos are prepared with a tracker', 'prepare', 'if tracker is not None and dataset in ("300w3d", "rendered"):', 'if False:', ['tests/test_blendshapes.py::test_a_tracker_for_a_data_set']),
    ('a tracker for any model', 'prepare', '(face_model or open_model()) is not open_model()', 'False', ['tests/test_blendshapes.py::test_a_prepared_clip_with_a_tracker']),
    ('--face is passed over for a clip', 'animation', '        if number is not None:\n            raise', '        if False:\n            raise', ['tests/test_animation.py::test_which_of_several_faces']),
    ("rendered people drown the real ones", "training", "weights[kind] = share / frames[kind].sum()", "weights[kind] = 1.0", ["tests/test_training.py::test_the_share_of_rendered_people"]),
    ("the shares are exchanged", "training", "((rendered, cfg.people_share), (~rendered, 1 - cfg.people_share))", "((~rendered, cfg.people_share), (rendered, 1 - cfg.people_share))", ["tests/test_training.py::test_the_share_of_rendered_people"]),
    ("each frame has a background of its own", "rendered", "shoot=False) for k in range(len(p))])", "shoot=False) for k in range(len(p)) for scene in [(*scene[:2], drawn(rng, size * 3 // 2))]])", ["tests/test_prepare.py::test_people_as_a_camera_takes_them"]),
    ('distances count splits, not pairs', 'evaluation', 'mine = [part for k, part in parts if k == sample]', 'mine = [part for k, part in parts if k == sample][:1]', ['tests/test_training.py::test_distances_to_the_training_frames']),
    # compared systems and tables
    ('X2Face paints', 'baselines', 'return dict(image=warp_by_flow(embedded, read), embedded=embedded, laid=laid, read=read)', 'return dict(image=warp_by_flow(condition, read), embedded=embedded, laid=laid, read=read)', ['tests/test_baselines.py::test_x2face_reads_and_never_paints']),
    ('X2Face reads the source itself', 'baselines', 'embedded = warp_by_flow(source, laid)  # (B,3,H,W)', 'embedded = source + 0 * warp_by_flow(source, laid)  # (B,3,H,W)', ['tests/test_baselines.py::test_every_weight_hears_from_the_terms']),
    ("X2Face's offsets are not bounded to begin with", 'baselines', 'nn.init.normal_(self.up[0].weight, std=0.01)', 'nn.init.normal_(self.up[0].weight, std=0.0)', ['tests/test_baselines.py::test_every_weight_hears_from_the_terms']),
    ('feature matching looks at the verdicts', 'baselines', 'zip(f[:-1], r[:-1])', 'zip(f[-1:], r[-1:])', ['tests/test_baselines.py::test_feature_matching_and_squares_by_hand', 'tests/test_baselines.py::test_feature_matching_is_part_of_the_step']),
    ('both critics at one scale', 'baselines', 'x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)', 'x = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)', ['tests/test_baselines.py::test_pix2pixhd_has_critics_at_two_scales']),
    ('the mask is turned over', 'baselines', 'image=attention * source + (1 - attention) * colour', 'image=attention * colour + (1 - attention) * source', ['tests/test_baselines.py::test_ganimation_mixes_photo_and_colour_by_its_mask', 'tests/test_baselines.py::test_attention_of_one_is_the_photo']),
    ('the way back with the wanted units', 'baselines', 'again = self.generator(out["image"], batch["condition"][:, UNITS:])', 'again = self.generator(out["image"], batch["condition"][:, :UNITS])', ['tests/test_baselines.py::test_ganimation_finds_its_way_back_with_the_sources_units']),
    ('the way back ends at the target', 'baselines', '(again["image"] - batch["source"]).abs().mean()', '(again["image"] - batch["target"]).abs().mean()', ['tests/test_baselines.py::test_ganimation_does_not_look_at_the_target']),
    ('the critic learns the wanted units', 'baselines', 'READ * F.mse_loss(read, self.units(batch)[1])', 'READ * F.mse_loss(read, self.units(batch)[0])', ['tests/test_baselines.py::test_the_unit_critic_is_taught_by_true_photos']),
    ("the mask's edges across only", 'baselines', 'return (across + down) / len(mask)', 'return (across + across) / len(mask)', ['tests/test_baselines.py::test_unevenness_by_hand']),
    ('the memory forgets', 'baselines', 'cell = torch.sigmoid(forget + 1) * cell + torch.sigmoid(take) * torch.tanh(new)', 'cell = torch.sigmoid(take) * torch.tanh(new)', ['tests/test_baselines.py::test_the_memory_is_an_lstm']),
    ('the memory is not added', 'baselines', 'self.body.blocks(e[:, -1] + hidden)', 'self.body.blocks(e[:, -1] + 0 * hidden)', ['tests/test_baselines.py::test_motiongan_remembers_the_order_of_the_frames']),
    ('the film begins with the frame itself', 'conditions', 'return torch.cat([before, now], 1)', 'return torch.cat([now, before], 1)', ['tests/test_baselines.py::test_the_film_is_the_frames_before']),
    ('the frames after', 'conditions', 'at = torch.arange(len(points))[:, None] - torch.arange(FILM - 1, 0, -1)  # (T,FILM-1)', 'at = torch.arange(len(points))[:, None] - torch.arange(1, FILM)  # (T,FILM-1)', ['tests/test_animation.py::test_a_system_that_watches_a_film_sees_the_frames_before']),
    ("the source's units first", 'conditions', 'for frames in (target, source)]', 'for frames in (source, target)]', ['tests/test_baselines.py::test_the_pair_of_units_is_target_then_source']),
    ('frames count, not clips', 'tables', 'means = np.array([np.nanmean(v) for v in values if np.isfinite(v).any()])', 'means = every[np.isfinite(every)]', ['tests/test_tables.py::test_means_over_clips', 'tests/test_tables.py::test_undefined_cases_are_counted']),
    ('undefined ones are not counted', 'tables', 'bad = int((~np.isfinite(every)).sum())', 'bad = 0', ['tests/test_tables.py::test_undefined_cases_are_counted']),
    ('sources from held-out frames', 'tables', 'mine = dict(train=split["train"], these=', 'mine = dict(train=np.arange(len(clip)), these=', ['tests/test_tables.py::test_targets_come_from_the_split_and_sources_from_training']),
    ("the driver's place too", 'tables', 'moved = source.params.replace(exp_coeff=driver.params.exp_coeff, rotation=driver.params.rotation)', 'moved = driver.params.replace(id_coeff=source.params.id_coeff)', ['tests/test_tables.py::test_across_people_the_driver_gives_expression_and_rotation_only']),
    ('somebody drives herself', 'tables', 'others = [c for c in clips if person_of(c, who) != person_of(clip, who)]', 'others = [c for c in clips if c is not clip]', ['tests/test_tables.py::test_across_people_the_driver_gives_expression_and_rotation_only']),
    ('people on both sides', 'tables', 'if (p in held) == out]', 'if (p in held) == out or p == people[0]]', ['tests/test_tables.py::test_whole_people_are_held_out']),
    ('noise on the source', 'tables', 'params = add_noise(target.params, noise, model, rng)', 'params = add_noise(part.source.params, noise, model, rng)', ['tests/test_tables.py::test_noise_is_on_the_targets_parameters']),
    ('jobs are done again', 'tables', 'return [job for job in self.all_jobs() if self.is_open(records, *job)]', 'return self.all_jobs()', ['tests/test_tables.py::test_jobs_that_are_done_are_not_done_again']),
    ('an interrupted training is measured', 'tables', 'if not run_training(trainer, cfg.steps, folder, desc=folder.name):', 'if run_training(trainer, cfg.steps, folder, desc=folder.name) is None:', ['tests/test_tables.py::test_an_interrupted_training_is_not_measured']),
    ('what others wrote is lost', 'tables', 'save_records(before + new, self.path)', 'save_records(new, self.path)', ['tests/test_tables.py::test_two_processes_write_one_file']),
    ('two processes write at once', 'tables', 'make_folder(self.path.parent)\n        with self.lock:\n', 'make_folder(self.path.parent)\n        if True:\n', ['tests/test_tables.py::test_two_processes_write_one_file']),
    ('records stand twice', 'tables', 'new = [r for r in records if not choose_records(before, r.name, **r.setting)]', 'new = records', ['tests/test_tables.py::test_two_processes_write_one_file']),
    ('a divergence is forgotten', 'tables', 'if broken.exists():', 'if False:', ['tests/test_tables.py::test_a_row_that_diverged_elsewhere_is_not_trained_here']),
    ('several people with one known identity', 'fitting', 'if any(v is not None for v in known):', 'if False:', ['tests/test_geometry.py::test_whose_frames_must_be_told']),
    ('weights of something else', 'tables', 'if system.info.get("run") != run:', 'if False:', ['tests/test_tables.py::test_train_here_and_measure_there']),
    ('only training measures too', 'tables', 'if self.team.first and (self.o.measure or not makers):', 'if self.team.first:', ['tests/test_tables.py::test_train_here_and_measure_there']),
    ('all processes write', 'tables', 'if self.team.first and (self.o.measure or not makers):', 'if self.o.measure or not makers:', ['tests/test_team.py::test_a_row_of_a_table_by_two_processes']),
    ('people share an identity', 'fitting', 'identity.expand(T, -1) if group is None else identity[group]', 'identity[:1].expand(T, -1)', ['tests/test_geometry.py::test_several_people_are_fitted_as_each_alone']),
    ('large people count more', 'fitting', '(total * 2).clamp(min=1)[group]', '(total * 2).sum()', ['tests/test_geometry.py::test_several_people_are_fitted_as_each_alone']),
    ('one unit for all people', 'fitting', 'unit = own[group][:, None, None]', 'unit = own.mean()', ['tests/test_geometry.py::test_several_people_are_fitted_as_each_alone']),
    ('gaps among people', 'fitting', 'or (group.bincount() == 0).any()', 'or False', ['tests/test_geometry.py::test_whose_frames_must_be_told']),
    ('all parts are one person', 'metrics', 'whose = None if people is None else', 'whose = None if people is not None else', ['tests/test_tables.py::test_the_parts_are_fitted_each_for_itself']),
    ('every order agrees', 'tables', 'answers.append((row, metric, paper == (pair[0] < pair[1])))', 'answers.append((row, metric, True))', ['tests/test_tables.py::test_the_order_is_compared_metric_by_metric']),
    ('many drivers in one part', 'tables', 'drivers = [others[rng.integers(len(others))]]', 'drivers = others', ['tests/test_tables.py::test_one_driver_a_part']),
    ('landmarks without noise', 'tables', 'landmarks=target.points(model) + away', 'landmarks=target.points(model)', ['tests/test_tables.py::test_noise_is_on_the_targets_parameters']),
    ('the same noise in every part', 'tables', 'rng = torch.Generator().manual_seed(part.number)', 'rng = torch.Generator().manual_seed(0)', ['tests/test_tables.py::test_noise_is_on_the_targets_parameters']),
    ('budgets mix', 'tables', 'if r.name in BASE or r.setting["pictures"] == seen]', 'if r.name in BASE or r.setting["pictures"]]', ['tests/test_tables.py::test_budgets_and_data_sets_do_not_mix']),
    ('a job forgets its clips', 'tables', 'group=group.name, clips=group.mark(), row=row', 'group=group.name, clips="", row=row', ['tests/test_tables.py::test_jobs_that_are_done_are_not_done_again']),
    ('painting costs, keeping is free', 'baselines', 'masks = [out["attention"], again["attention"]]', 'masks = [1 - out["attention"], 1 - again["attention"]]', ['tests/test_baselines.py::test_keeping_the_photo_costs']),
    ('a compared system takes any condition', 'baselines', 'if cfg.condition != self.told or cfg.grows:', 'if cfg.grows:', ['tests/test_baselines.py::test_a_wrong_condition_is_one_sentence']),
    ('another result counts as another code', 'results', '":(top,exclude)results"', '":(top,exclude)nothing"', ['tests/test_results.py::test_the_commit_of_a_result']),
]


def exported_cells(root):
    "Exported cells of all notebooks: (notebook's path, index of the cell, source)."
    for path in sorted((root / "nbs").glob("*.ipynb")):
        for k, c in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            s = "".join(c["source"])
            if c["cell_type"] == "code" and re.match(r"#\|\s*export[si]?\b", s):
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


def all_tests(root):
    "The ids of all tests, parameters included."
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "tests"]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True).stdout
    return {line for line in said.splitlines() if "::" in line}


def missing_tests(root, tests, there):
    "Those of the named tests that do not exist; `there`: the ids of those that do. A name without its parameters is all of them."
    missing = []
    for test in tests:
        if test.startswith("notebook "):
            exists = (root / "nbs" / f"{test.split()[1]}.ipynb").exists()
        else:
            exists = test in there or any(t.startswith((f"{test}[", f"{test}::")) for t in there)
        if not exists:
            missing.append(test)
    return missing


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
    killers = [line.split()[1].split("::")[-1] for line in r.stdout.splitlines() if line.startswith("FAILED")]
    return killers, time.time() - t0


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("words", nargs="*")
    ap.add_argument("--list", action="store_true")
    args = ap.parse_args()
    chosen = [m for m in MUTANTS if not args.words or any(w.lower() in " ".join([m[0], m[1], *m[4]]).lower() for w in args.words)]
    bad, there = {}, all_tests(ROOT)
    for name, module, old, _, tests in chosen:
        place, lost = find(ROOT, module, old), missing_tests(ROOT, tests, there)
        if isinstance(place, str):
            bad[name] = place
        elif lost:
            bad[name] = f"there is no {', '.join(lost)}"
    names = [m[0] for m in MUTANTS]
    bad.update({n: "this name is used twice" for n in names if names.count(n) > 1})
    changes = [tuple(m[1:4]) for m in MUTANTS]
    bad.update({m[0]: "another mutant makes this very change" for m in MUTANTS if changes.count(tuple(m[1:4])) > 1})
    if args.list:
        for name, module, *_ in chosen:
            print(f"{module:<15} {name}" + (f"   CANNOT BE APPLIED: {bad[name]}" if name in bad else ""))
    else:
        for name, why in bad.items():
            print(f"cannot be applied: {name}: {why}")
    print(f"{len(chosen) - len(bad)} of {len(chosen)} mutants can be applied")
    if args.list:
        raise SystemExit(2 if bad else 0)
    chosen = [m for m in chosen if m[0] not in bad]
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
    raise SystemExit(1 if survivors else 2 if bad else 0)


if __name__ == "__main__":
    main()
