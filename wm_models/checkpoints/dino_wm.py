"""Checkpoints of DINO-WM: a file of plain state dicts, and one with the weights of DINOv2.

Upstream saves whole pickled modules, which cannot be read without running code of the file, and its own; the error says
how to convert them where upstream is installed. All sizes but the attention heads are read from the shapes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wm_core import config as configuration
from wm_core.errors import BundleError, ConfigError

from ..action_map import ProprioMap
from ..bundle import PreprocessSpec
from ..state_dicts import depth, entry, fit, read_checkpoint, shapes_of, size, strip
from .base import ActionOptions, Imported, Reader, action_map, action_notes, action_range

if TYPE_CHECKING:
    from torch import Tensor

    from ..architectures.dino_wm import Config

#: What a checkpoint of DINO-WM holds.
MODULES = ("predictor", "action_encoder", "proprio_encoder")
#: Upstream's checkpoints hold pickled modules; this keeps their tensors.
RECIPE = f"""\
c = torch.load("model_latest.pth", map_location="cpu", weights_only=False)
torch.save({{k: c[k].state_dict() for k in {MODULES}}}, "dino_wm.pt")"""

SOURCE = f"""\
DINO-WM (arXiv 2411.04983), gaoyuezhou/dino_wm, MIT licence; its checkpoints are linked in the README:
  https://github.com/gaoyuezhou/dino_wm
They are pickled modules. Convert one where that repository is installed (it needs a GPU to load them):
  {RECIPE.replace(chr(10), chr(10) + "  ")}
and give the image encoder, DINOv2 (arXiv 2304.07193, Apache-2.0, 88 MB), with the option encoder=PATH:
  https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth
Say with options what the files do not: action_dims and proprio_dims (which of x y z roll pitch yaw gripper, as 0..6,
the model's actions and states are), action_mean, action_std, proprio_mean, proprio_std (of the training data, in m, rad
and gripper closedness), frameskip, step_period_s.
"""
#: What wrappers put before the name of each parameter; ``base_model`` is upstream's around DINOv2.
PREFIXES = ("module.", "_orig_mod.", "base_model.")
#: Channels of an attention head.
_HEAD_DIM = 64


@dataclass(frozen=True)
class Options(ActionOptions):
    """What the files do not say.

    ``encoder``: the file with the weights of DINOv2, if the first file has no entry ``encoder``. ``frameskip``: actions
    in one step of the model. ``proprio_dims``, ``proprio_mean``, ``proprio_std``: of its states as of its actions.
    ``image_px``: height and width of what DINOv2 sees; upstream makes 196 of 224, for 14 patches on each side.
    ``encoder_heads``, ``predictor_heads``: attention heads, which no shape tells; None: one per 64 channels.
    """

    encoder: str | None = None
    frameskip: int = 5
    proprio_dims: tuple[int, ...] | None = None
    proprio_mean: tuple[float, ...] | None = None
    proprio_std: tuple[float, ...] | None = None
    image_px: int = 196
    encoder_heads: int | None = None
    predictor_heads: int | None = None


def read(path: str | Path, options: Options) -> Imported:
    """Read ``{"predictor": .., "action_encoder": .., "proprio_encoder": ..}`` of state dicts; see :class:`Reader`."""
    from ..architectures import dino_wm

    o, px = options, options.image_px

    checkpoint = _read(path)
    state = {
        f"{module}.{name}": tensor
        for module in MODULES
        for name, tensor in strip(entry(checkpoint, module, path), PREFIXES).items()
    }
    image_state, source = _image_state(checkpoint, path, o.encoder)

    action_size = size(state, "action_encoder.patch_embed.weight", 1, dino_wm.Config().actions.size)
    proprio_size = size(state, "proprio_encoder.patch_embed.weight", 1, dino_wm.Config().proprio.size)
    model = _config(state, image_state, px, action_size, o.encoder_heads, o.predictor_heads, path)
    table = image_state.get("pos_embed")
    if table is not None and table.ndim == 3 and math.isqrt(table.shape[1] - 1) ** 2 == table.shape[1] - 1:
        image_state["pos_embed"] = dino_wm.stretch_positions(table, model.grid)
    # The shapes of the weights are looked at first: a file of another model needs no o. How many numbers a state
    # has does not follow from the sizes so far.
    shapes = shapes_of(dino_wm.predictor, model)
    outputs = shapes["proprio_encoder.patch_embed.weight"][0]
    shapes["proprio_encoder.patch_embed.weight"] = (outputs, proprio_size, 1)
    parts = {
        "encoder": fit(shapes_of(dino_wm.encoder, model), image_state, where=str(source)),
        "predictor": fit(shapes, state, where=str(path)),
    }
    actions = action_map(action_size, o.action_dims, o.action_mean, o.action_std, o.frameskip, path)
    proprio = _proprio_map(proprio_size, o.proprio_dims, o.proprio_mean, o.proprio_std, path)
    return Imported(
        architecture="dino_wm",
        config=dataclasses.replace(model, actions=actions, proprio=proprio),
        parts=parts,
        # Upstream's: not those of ImageNet, which DINOv2 was trained with. It shrinks with smoothing.
        preprocess=PreprocessSpec(px, px, 1.0, 1.0, "area", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        step_period_s=o.step_period_s,
        action=action_range(actions, o.action_low, o.action_high),
        pose_frame=o.pose_frame,
        energy="l2",
        history=model.history,
        licence="MIT, encoder Apache-2.0",
        notes="Goals are compared by their patches alone, and the arm's state is integrated, not predicted. "
        + action_notes(actions),
    )


def _read(path: str | Path) -> dict[str, object]:
    try:
        return read_checkpoint(path)
    except BundleError as error:
        if "pickled Python objects" not in str(error):
            raise
        recipe = "; ".join(RECIPE.splitlines())
        raise BundleError(
            f"{path} holds pickled modules, as DINO-WM saves them, and running those is not safe; convert it where "
            f"gaoyuezhou/dino_wm is installed: import torch; {recipe}"
        ) from None


def _image_state(
    checkpoint: Mapping[str, object], path: str | Path, encoder: str | Path | None
) -> tuple[dict[str, Tensor], str | Path]:
    """The weights of DINOv2 and the file that they are from."""
    if encoder is not None:
        return strip(entry({"encoder": read_checkpoint(encoder)}, "encoder", encoder), PREFIXES), encoder
    if "encoder" not in checkpoint:
        raise BundleError(
            f"{path} holds no image encoder; download dinov2_vits14_pretrain.pth and give it as the option 'encoder'"
        )
    return strip(entry(checkpoint, "encoder", path), PREFIXES), path


def _config(
    state: Mapping[str, Tensor],
    image_state: Mapping[str, Tensor],
    image_px: int,
    action_size: int,
    encoder_heads: int | None,
    predictor_heads: int | None,
    where: str | Path,
) -> Config:
    """All but the meaning of states and actions."""
    from ..architectures.dino_wm import Config

    full = Config()
    width = size(image_state, "cls_token", 2, full.encoder_width)
    patch = size(image_state, "patch_embed.proj.weight", 2, full.patch_px)
    patches = (image_px // patch) ** 2
    rows = size(state, "predictor.pos_embedding", 1, full.history * patches)
    if patches < 1 or rows % patches:
        raise BundleError(
            f"{where} has positions for {rows} tokens, no multiple of the {patches} patches of an image of "
            f"{image_px} px; give the option image_px that it was trained with"
        )
    inner = size(state, "predictor.transformer.layers.0.0.to_qkv.weight", 0, 3 * 1024) // 3
    predictor_heads = predictor_heads or max(1, inner // _HEAD_DIM)
    if inner % predictor_heads:
        raise BundleError(
            f"{where}: {predictor_heads} attention heads cannot share the {inner} channels of the predictor; "
            "give the option predictor_heads"
        )
    values = {
        "image_px": image_px,
        "patch_px": patch,
        "encoder_width": width,
        "encoder_depth": depth(image_state, "blocks", full.encoder_depth),
        "encoder_heads": encoder_heads or max(1, width // _HEAD_DIM),
        "encoder_hidden": size(image_state, "blocks.0.mlp.fc1.weight", 0, full.encoder_hidden),
        "proprio_embedding": size(state, "proprio_encoder.patch_embed.weight", 0, full.proprio_embedding),
        "action_embedding": size(state, "action_encoder.patch_embed.weight", 0, full.action_embedding),
        "predictor_depth": depth(state, "predictor.transformer.layers", full.predictor_depth),
        "predictor_heads": predictor_heads,
        "predictor_head_dim": inner // predictor_heads,
        "predictor_hidden": size(state, "predictor.transformer.layers.0.1.net.1.weight", 0, full.predictor_hidden),
        "history": rows // patches,
        "actions": {"dims": [0], "frameskip": action_size, "mean": [0.0], "std": [1.0]},
    }
    try:
        return configuration.from_dict(Config, values, "its sizes")
    except ConfigError as error:
        raise BundleError(f"{where} is not a DINO-WM of these options: {error}; give the files of one") from None


def _proprio_map(
    wanted: int,
    dims: Sequence[int] | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    where: str | Path,
) -> ProprioMap:
    if mean is None or std is None:
        raise BundleError(
            f"{where} does not say how its states were z-scored; give the options proprio_mean and proprio_std, one "
            "number for each of proprio_dims, in m, rad and gripper closedness"
        )
    values = {"dims": ProprioMap().dims if dims is None else dims, "mean": mean, "std": std}
    found = configuration.from_dict(ProprioMap, values, "the options of the state")
    if found.size != wanted:
        raise BundleError(
            f"{where} takes {wanted} numbers for one state, not {found.size}; "
            "give the option proprio_dims that it was trained with"
        )
    return found


KIND = Reader(SOURCE, Options, read)
