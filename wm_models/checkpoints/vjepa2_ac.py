"""Checkpoints of V-JEPA 2-AC: the official file, and the retrain of JEPA-WMs.

The official file is a training dict of 11.7 GB. It is mapped into memory, and only its ``encoder`` and ``predictor``
are touched. The files of JEPA-WMs hold the predictor alone; the encoder is that of the V-JEPA 2 file which it was
trained on. All sizes but the number of attention heads are read from the shapes of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wm_core.errors import BundleError

from ..bundle import ActionSpec, PreprocessSpec
from ..state_dicts import depth, entry, fit, read_checkpoint, size, strip
from .base import Imported, Reader

if TYPE_CHECKING:
    from torch import Tensor

    from ..architectures.vjepa2_ac import Config, Sizes

SOURCE = """\
V-JEPA 2-AC (arXiv 2506.09985), facebookresearch/vjepa2, MIT licence, 11.7 GB:
  https://dl.fbaipublicfiles.com/vjepa2/vjepa2-ac-vitg.pt
Its training had a bug in the rollout loss (fixed upstream on 2025-06-20): plan one step ahead with it.

A retrain without that bug, by JEPA-WMs (arXiv 2512.24497), facebookresearch/jepa-wms, CC-BY-NC 4.0 (not for commercial
use). It holds the predictor only; give the encoder's file with the option encoder=PATH:
  https://huggingface.co/facebook/jepa-wms/blob/main/vjepa2_ac_droid.pth.tar
  https://dl.fbaipublicfiles.com/vjepa2/vitg.pt
"""

#: Wrappers of the training code, before the name of each parameter.
PREFIXES = ("module.", "backbone.")
_PATCH = "patch_embed.proj.weight"
#: Channels of an attention head, but for ViT-H.
_HEAD_DIM = 64


@dataclass(frozen=True)
class Options:
    """What the files do not say.

    ``encoder``: the file with the encoder (its entry ``encoder``), for a checkpoint that has none. ``encoder_heads``,
    ``predictor_heads``: attention heads, which no shape tells; None: those of the published encoder of that width, else
    one head per 64 channels. ``image_px``: height and width of the input. ``step_period_s``: robot time between two
    frames. *Inferred*, not published: upstream's loader cuts DROID to 4 frames per second of its videos, whose headers
    say 60 frames per second for a robot that was recorded at 15 Hz; so a step is 15 records, 1.0 s, and not 0.25 s.
    """

    encoder: str | None = None
    encoder_heads: int | None = None
    predictor_heads: int | None = None
    image_px: int = 256
    step_period_s: float = 1.0


def read(path: str | Path, options: Options) -> Imported:
    """Read ``vjepa2-ac-vitg.pt``, a file of its trainer, or a predictor of JEPA-WMs; see :class:`Reader`."""
    from ..architectures.vjepa2_ac import Config, fold, official_shapes

    checkpoint = read_checkpoint(path)
    state = strip(entry(checkpoint, "predictor", path), PREFIXES)
    # JEPA-WMs' name for the same layer.
    state = {key.replace("proprio_encoder.", "state_encoder."): tensor for key, tensor in state.items()}
    official = options.encoder is None
    if official and "encoder" not in checkpoint:
        raise BundleError(f"{path} holds no encoder; give the file of its encoder, vitg.pt, as the option 'encoder'")
    source = path if options.encoder is None else options.encoder
    image_state = strip(entry(checkpoint if official else read_checkpoint(source), "encoder", source), PREFIXES)

    full = Config()
    config = Config(
        image_px=options.image_px,
        patch_px=size(image_state, _PATCH, 4, full.patch_px),
        encoder=_sizes(image_state, _PATCH, "blocks", full.encoder, options.encoder_heads),
        predictor=_sizes(state, "predictor_embed.weight", "predictor_blocks", full.predictor, options.predictor_heads),
        state_token="state_encoder.weight" in state,
        extrinsics_weight="extrinsics_encoder.weight" in state,
    )
    shapes = official_shapes(config)
    # Sine-cosine positions, which upstream saves with its encoders and the rotary model never reads.
    image_state = fit(shapes["encoder"], image_state, ignore=("pos_embed",), where=f"'encoder' of {source}")
    image_state[_PATCH] = fold(image_state[_PATCH])
    parts = {"encoder": image_state, "predictor": fit(shapes["predictor"], state, where=f"'predictor' of {path}")}

    # The retrain is the one that knows no state: its released planner moves up to 0.1 m and ranks by L2, and it was
    # trained on square crops.
    retrain = not config.state_token
    reach, aspects = (0.1, (1.0, 1.0)) if retrain else (0.075, (0.75, 1.35))
    return Imported(
        architecture="vjepa2_ac",
        config=config,
        parts=parts,
        preprocess=PreprocessSpec(options.image_px, options.image_px, *aspects),
        step_period_s=options.step_period_s,
        # Rotation is pinned, as in upstream's planner on the arm.
        action=ActionSpec((-reach,) * 3 + (0.0,) * 3 + (-0.75,), (reach,) * 3 + (0.0,) * 3 + (0.75,)),
        pose_frame="flange",
        energy="l2" if retrain else "l1",
        history=config.history,
        licence="MIT" if official else "CC-BY-NC-4.0",
        planner="vjepa2_ac",
        notes=_notes(config, options.step_period_s),
    )


def _sizes(state: Mapping[str, Tensor], width_key: str, blocks: str, official: Sizes, heads: int | None) -> Sizes:
    from ..architectures.vjepa2_ac import ENCODERS, Sizes

    width = size(state, width_key, 0, official.width)
    hidden = size(state, f"{blocks}.0.mlp.fc1.weight", 0, official.hidden)
    if width_key not in state:
        heads = official.heads
    elif heads is None:
        known = {sizes.width: sizes.heads for sizes in ENCODERS.values()}
        if width not in known and width % _HEAD_DIM:
            raise BundleError(
                f"{blocks} of width {width} do not say how many attention heads they have; "
                "give the options 'encoder_heads' and 'predictor_heads'"
            )
        heads = known.get(width, width // _HEAD_DIM)
    return Sizes(width, depth(state, blocks, official.depth), heads, hidden)


def _notes(config: Config, step_period_s: float) -> str:
    if config.state_token:
        advice = (
            "The public weights were trained with a bug in the rollout loss (fixed upstream on 2025-06-20): "
            "plan with a horizon of 1."
        )
    else:
        advice = "This model is not told the arm's state; its crops are square, and its authors plan 3 steps ahead."
    return f"{advice} That a step is {step_period_s:g} s is inferred from DROID's videos, not published."


KIND = Reader(SOURCE, Options, read)
