"""Checkpoints of LeWorldModel: ``weights.pt`` and the ``config.json`` beside it, as stable-worldmodel writes them.

Sizes are read from the shapes of the weights, and from ``config.json`` what no shape tells: the number of attention
heads and the dropout. Neither file holds the mean and standard deviation of the actions, which upstream computes from
its data set: they are options.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_core import config as configuration
from wm_core.errors import BundleError, ConfigError

from ..bundle import PreprocessSpec
from ..state_dicts import depth, entry, fit, read_checkpoint, shapes_of, size, strip
from .base import ActionOptions, Imported, Reader, action_map, action_notes, action_range

if TYPE_CHECKING:
    from torch import Tensor

    from ..architectures.lewm import Config

SOURCE = """\
LeWorldModel (arXiv 2603.19312), lucas-maes/le-wm, MIT licence, 72 MB each; take weights.pt and config.json:
  https://huggingface.co/quentinll/lewm-pusht
  https://huggingface.co/quentinll/lewm-cube
  https://huggingface.co/quentinll/lewm-tworooms
  https://huggingface.co/quentinll/lewm-reacher
Say with options what the files do not: action_dims (which of x y z roll pitch yaw gripper, as 0..6, the model's actions
are), action_mean and action_std (of the training data, in m, rad and gripper closedness), frameskip, step_period_s.
"""

#: What wrappers put before the name of each parameter.
PREFIXES = ("module.", "model.", "_orig_mod.")
#: Names of the encoder under transformers 4 -> under transformers 5.
RENAMED = {
    r"^encoder\.encoder\.layer\.": "encoder.layers.",
    r"\.attention\.attention\.query\.": ".attention.q_proj.",
    r"\.attention\.attention\.key\.": ".attention.k_proj.",
    r"\.attention\.attention\.value\.": ".attention.v_proj.",
    r"\.attention\.output\.dense\.": ".attention.o_proj.",
    r"(?<=^encoder)(\.layers\.\d+)\.intermediate\.dense\.": r"\1.mlp.fc1.",
    r"(?<=^encoder)(\.layers\.\d+)\.output\.dense\.": r"\1.mlp.fc2.",
}
#: Width of a ViT -> its attention heads: tiny, small, base, large, huge.
_HEADS = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16}


@dataclass(frozen=True)
class Options(ActionOptions):
    """What the files do not say; mean and deviation of the actions may also stand in ``config.json``, so named.

    ``config``: the file ``config.json``, if it does not lie beside the weights. ``frameskip``: actions in one step of
    the model; 5, as in training, if neither this nor ``config.json`` says so. ``encoder_heads``: attention heads of the
    encoder, if its width is not that of a usual ViT.
    """

    config: str | None = None
    frameskip: int | None = None
    encoder_heads: int | None = None


def read(path: str | Path, options: Options) -> Imported:
    """Read ``weights.pt``, or the folder that it lies in; see :class:`Reader`."""
    from ..architectures import lewm

    path = Path(path)
    weights = path / "weights.pt" if path.is_dir() else path
    state = _official_names(weights)
    settings = _settings(weights.with_name("config.json") if options.config is None else Path(options.config))

    # The shapes of the weights are looked at first: a file of another model needs no options.
    action_size = size(state, "action_encoder.patch_embed.weight", 1, lewm.Config().actions.size)
    model = _config(state, settings, action_size, options.encoder_heads, weights)
    parts = {"encoder": lewm.encoder, "predictor": lewm.predictor}
    shapes = {part: shapes_of(build, model) for part, build in parts.items()}
    fitted = fit(shapes["encoder"] | shapes["predictor"], state, where=str(weights))
    actions = action_map(
        action_size,
        options.action_dims,
        settings.get("action_mean") if options.action_mean is None else options.action_mean,
        settings.get("action_std") if options.action_std is None else options.action_std,
        (settings.get("frameskip") or 5) if options.frameskip is None else options.frameskip,
        weights,
    )
    return Imported(
        architecture="lewm",
        config=dataclasses.replace(model, actions=actions),
        parts={part: {name: fitted[name] for name in shapes[part]} for part in parts},
        # Upstream shrinks its square frames with smoothing.
        preprocess=PreprocessSpec(model.image_px, model.image_px, 1.0, 1.0, "area"),
        step_period_s=options.step_period_s,
        action=action_range(actions, options.action_low, options.action_high),
        pose_frame=options.pose_frame,
        energy="l2",
        history=model.history,
        licence="MIT",
        notes="Upstream's goal cost is the sum of squares where the energy here is their mean. "
        "The model does not look at the arm's state. " + action_notes(actions),
    )


def _official_names(weights: Path) -> dict[str, Tensor]:
    """The state dict under the names of today, whichever of its layouts the file has."""
    checkpoint = read_checkpoint(weights)
    nested = isinstance(checkpoint.get("state_dict"), Mapping)
    state = entry(checkpoint if nested else {"state_dict": checkpoint}, "state_dict", weights)
    state = strip(state, PREFIXES)
    for old, new in {r"\b_orig_mod\.": "", **RENAMED}.items():
        state = {re.sub(old, new, key): value for key, value in state.items()}
    return state


def _settings(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise BundleError(
            f"there is no {path}, which says how many attention heads the model has; download it with the weights, or "
            "give it as the option 'config'"
        ) from None
    except ValueError:
        raise BundleError(f"{path} is not valid JSON; download it again") from None
    for part in ("encoder", "predictor"):
        if not isinstance(found, dict) or not isinstance(found.get(part), dict):
            raise BundleError(f"{path} does not describe a LeWorldModel, it has no '{part}'; give its own config.json")
    return found


def _config(
    state: Mapping[str, Tensor], settings: dict[str, Any], action_size: int, heads: int | None, where: Path
) -> Config:
    """All but the meaning of the actions."""
    from ..architectures.lewm import Config

    full, image, step = Config(), settings["encoder"], settings["predictor"]
    width = size(state, "encoder.embeddings.cls_token", 2, full.encoder_width)
    heads = heads or image.get("num_attention_heads") or _HEADS.get(width)
    if heads is None:
        raise BundleError(f"{where}: a ViT of width {width} is none of the usual; give the option encoder_heads")
    patch = size(state, "encoder.embeddings.patch_embeddings.projection.weight", 2, full.patch_px)
    patches = size(state, "encoder.embeddings.position_embeddings", 1, 1 + full.image_px**2 // full.patch_px**2) - 1
    predictor_heads = step.get("heads", full.predictor_heads)
    inner = size(state, "predictor.transformer.layers.0.attn.to_qkv.weight", 0, 3 * predictor_heads * 64) // 3
    if type(predictor_heads) is not int or predictor_heads < 1 or inner % predictor_heads:
        raise BundleError(
            f"{where}: {predictor_heads} attention heads cannot share the {inner} channels of the predictor; "
            "give the config.json of these weights"
        )
    values = {
        "image_px": round(patches**0.5) * patch,
        "patch_px": patch,
        "encoder_width": width,
        "encoder_depth": depth(state, "encoder.layers", full.encoder_depth),
        "encoder_heads": heads,
        "encoder_hidden": size(state, "encoder.layers.0.mlp.fc1.weight", 0, full.encoder_hidden),
        "norm_eps": image.get("layer_norm_eps", full.norm_eps),
        "latent_dim": size(state, "projector.net.3.weight", 0, full.latent_dim),
        "projector_hidden": size(state, "projector.net.0.weight", 0, full.projector_hidden),
        "predictor_depth": depth(state, "predictor.transformer.layers", full.predictor_depth),
        "predictor_heads": predictor_heads,
        "predictor_head_dim": inner // predictor_heads,
        "predictor_hidden": size(state, "predictor.transformer.layers.0.mlp.net.1.weight", 0, full.predictor_hidden),
        "history": size(state, "predictor.pos_embedding", 1, full.history),
        "smoothed_dim": size(state, "action_encoder.patch_embed.weight", 0, full.smoothed_dim),
        "action_hidden": size(state, "action_encoder.embed.0.weight", 0, full.action_hidden),
        "dropout": step.get("dropout", full.dropout),
        "embedding_dropout": step.get("emb_dropout", full.embedding_dropout),
        "actions": {"dims": [0], "frameskip": action_size, "mean": [0.0], "std": [1.0]},
    }
    try:
        return configuration.from_dict(Config, values, "its sizes")
    except ConfigError as error:
        raise BundleError(f"{where} is not a LeWorldModel: {error}; give the files of one") from None


KIND = Reader(SOURCE, Options, read)
