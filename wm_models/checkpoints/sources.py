"""Where each family of checkpoints comes from, and its licence. Read without PyTorch: before anything is installed."""

from __future__ import annotations

#: What a checkpoint of DINO-WM holds.
DINO_WM_MODULES = ("predictor", "action_encoder", "proprio_encoder")
#: Upstream's checkpoints hold pickled modules; this keeps their tensors.
DINO_WM_RECIPE = f"""\
c = torch.load("model_latest.pth", map_location="cpu", weights_only=False)
torch.save({{k: c[k].state_dict() for k in {DINO_WM_MODULES}}}, "dino_wm.pt")"""

#: By the name of the reader.
SOURCES = {
    "vjepa2_ac": """\
V-JEPA 2-AC (arXiv 2506.09985), facebookresearch/vjepa2, MIT licence, 11.7 GB:
  https://dl.fbaipublicfiles.com/vjepa2/vjepa2-ac-vitg.pt
Its training had a bug in the rollout loss (fixed upstream on 2025-06-20): plan one step ahead with it.

A retrain without that bug, by JEPA-WMs (arXiv 2512.24497), facebookresearch/jepa-wms, CC-BY-NC 4.0 (not for commercial
use). It holds the predictor only; give the encoder's file with the option encoder=PATH:
  https://huggingface.co/facebook/jepa-wms/blob/main/vjepa2_ac_droid.pth.tar
  https://dl.fbaipublicfiles.com/vjepa2/vitg.pt
""",
    "lewm": """\
LeWorldModel (arXiv 2603.19312), lucas-maes/le-wm, MIT licence, 72 MB each; take weights.pt and config.json:
  https://huggingface.co/quentinll/lewm-pusht
  https://huggingface.co/quentinll/lewm-cube
  https://huggingface.co/quentinll/lewm-tworooms
  https://huggingface.co/quentinll/lewm-reacher
Say with options what the files do not: action_dims (which of x y z roll pitch yaw gripper, as 0..6, the model's actions
are), action_mean and action_std (of the training data, in m, rad and gripper closedness), frameskip, step_period_s.
""",
    "dino_wm": f"""\
DINO-WM (arXiv 2411.04983), gaoyuezhou/dino_wm, MIT licence; its checkpoints are linked in the README:
  https://github.com/gaoyuezhou/dino_wm
They are pickled modules. Convert one where that repository is installed (it needs a GPU to load them):
  {DINO_WM_RECIPE.replace(chr(10), chr(10) + "  ")}
and give the image encoder, DINOv2 (arXiv 2304.07193, Apache-2.0, 88 MB), with the option encoder=PATH:
  https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth
Say with options what the files do not: action_dims and proprio_dims (which of x y z roll pitch yaw gripper, as 0..6,
the model's actions and states are), action_mean, action_std, proprio_mean, proprio_std (of the training data, in m, rad
and gripper closedness), frameskip, step_period_s.
""",
}
