"""DINO-WM: a predictor of the patch tokens of a frozen DINOv2, given the arm's state and action.

Paper: DINO-WM (arXiv 2411.04983). Upstream: gaoyuezhou/dino_wm, MIT; encoder: facebookresearch/dinov2 (arXiv
2304.07193), Apache-2.0. The parameters keep their upstream names.

A latent is the image's patch tokens alone. Upstream's latent also holds an embedding of the arm's state and one of the
action, the same for each patch; here the predictor adds them itself, from the states and actions of the window.

**One deliberate difference from upstream.** There, the state's embedding in an imagined frame is the one that the
network predicted along with the patches. Here a rollout knows the state exactly, by integrating the actions, and its
embedding is computed anew. So the first predicted frame is upstream's to the last digit, and later ones differ by what
the network gets wrong about the state. Consequently a goal is compared by its patches alone: upstream's cost with
``alpha = 0`` for proprioception, its mean squared error being the energy "l2" of a bundle.

Weights may be float32, bfloat16 or float16; inputs and outputs are float32 in any case.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_core.errors import ConfigError

from ..action_map import ActionMap, ProprioMap
from ..layers.actions import ActionAdapter, ProprioAdapter
from .base import Architecture
from .lewm import Attention, FeedForward, Transformer, pointwise

#: Of all layer norms of DINOv2.
ENCODER_EPS = 1e-6
#: Added to the number of patches when DINOv2 stretches its position embedding; its published models rely on it.
INTERPOLATE_OFFSET = 0.1


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are the published ones: DINOv2 ViT-S/14 at 196 px, 14 x 14 patches of 384 numbers.

    ``image_px`` is height and width of the input, ``patch_px`` those of a patch. The encoder is a transformer of
    ``encoder_width``, ``.._hidden`` being the width inside its MLPs. The predictor's tokens are as wide as a patch and
    the embeddings of state and action together. ``history`` is the longest window of frames. ``actions`` and
    ``proprio`` say what the model was trained to see of an action and of the arm's state.
    """

    image_px: int = 196
    patch_px: int = 14
    encoder_width: int = 384
    encoder_depth: int = 12
    encoder_heads: int = 6
    encoder_hidden: int = 1536
    proprio_embedding: int = 10
    action_embedding: int = 10
    predictor_depth: int = 6
    predictor_heads: int = 16
    predictor_head_dim: int = 64
    predictor_hidden: int = 2048
    history: int = 3
    actions: ActionMap = field(default_factory=lambda: ActionMap(frameskip=5))
    proprio: ProprioMap = field(default_factory=ProprioMap)

    def __post_init__(self) -> None:
        sizes = {name: value for name, value in vars(self).items() if type(value) is int}
        if wrong := [name for name, value in sizes.items() if value < 1]:
            raise ConfigError(f"{wrong[0]} = {sizes[wrong[0]]} must be at least 1")
        if self.image_px % self.patch_px:
            raise ConfigError(f"image_px = {self.image_px} must be a multiple of patch_px = {self.patch_px}")
        if self.encoder_width % self.encoder_heads:
            raise ConfigError(
                f"encoder_width = {self.encoder_width} must be a multiple of encoder_heads = {self.encoder_heads}"
            )

    @property
    def grid(self) -> int:
        """Patches along each side of the image."""
        return self.image_px // self.patch_px

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(tokens, channels) of a latent."""
        return self.grid**2, self.encoder_width

    @property
    def predictor_width(self) -> int:
        """Channels of the predictor's tokens: patch, state, action."""
        return self.encoder_width + self.proprio_embedding + self.action_embedding


def encoder(config: Config) -> Encoder:
    """An image encoder with fresh weights."""
    return Encoder(config)


def predictor(config: Config) -> Predictor:
    """An action-conditioned predictor with fresh weights."""
    return Predictor(config)


def energy(latents: Tensor, goal: Tensor) -> Tensor:
    """Mean squared difference of latents (..., P, Dv) to a goal (P, Dv): (...). Upstream's cost at alpha = 0."""
    return (latents - goal).square().mean((-2, -1))


def stretch_positions(table: Tensor, grid: int, offset: float = INTERPOLATE_OFFSET) -> Tensor:
    """DINOv2's position embedding (1, 1 + side * side, C) for another image size: (1, 1 + grid * grid, C).

    Bicubic, the CLS token's row apart, on a raster that ``offset`` makes a little finer than the patches, as the
    published models do it at run time; 0 stretches exactly. A table of the right size comes back as it is.
    """
    side = math.isqrt(table.shape[1] - 1)
    if side == grid:
        return table
    rows = table[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2).float()
    if offset:
        rows = F.interpolate(rows, scale_factor=(grid + offset) / side, mode="bicubic")
    else:
        rows = F.interpolate(rows, size=(grid, grid), mode="bicubic")
    return torch.cat([table[:, :1], rows.flatten(2).transpose(1, 2).to(table.dtype)], 1)


class LayerScale(nn.Module):
    """A factor for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class ImageAttention(nn.Module):
    """Self-attention of DINOv2 over x (B, N, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (t.transpose(1, 2) for t in self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2))
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class ImageBlock(nn.Module):
    """A pre-norm transformer block of DINOv2, whose branches are scaled channel by channel."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, hidden = config.encoder_width, config.encoder_hidden
        self.norm1 = nn.LayerNorm(width, ENCODER_EPS)
        self.attn = ImageAttention(width, config.encoder_heads)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, ENCODER_EPS)
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(width, hidden), act=nn.GELU(), fc2=nn.Linear(hidden, width)))
        self.ls2 = LayerScale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class Encoder(nn.Module):
    """DINOv2: image (B, 3, image_px, image_px), normalised, to latent (B, P, Dv): one token per patch, row by row.

    ``pos_embed`` is that of this image size, see :func:`stretch_positions`; ``mask_token`` is upstream's, for training.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.encoder_width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.grid**2, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))
        stem = nn.Conv2d(3, width, config.patch_px, stride=config.patch_px)
        self.patch_embed = nn.Sequential(OrderedDict(proj=stem))
        self.blocks = nn.ModuleList([ImageBlock(config) for _ in range(config.encoder_depth)])
        self.norm = nn.LayerNorm(width, ENCODER_EPS)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, image: Tensor) -> Tensor:
        patches = self.patch_embed(image.to(self.norm.weight.dtype)).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(patches.shape[0], -1, -1), patches], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, 1:]).float()


class Embedder(nn.Module):
    """Numbers (..., inputs) to their embedding (..., outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.patch_embed = nn.Conv1d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return pointwise(self.patch_embed, x)


class Block(nn.ModuleList):
    """A pre-norm transformer block; upstream keeps its two branches in a list."""

    def __init__(self, config: Config) -> None:
        width = config.predictor_width
        super().__init__(
            [
                Attention(width, config.predictor_heads, config.predictor_head_dim),
                FeedForward(width, config.predictor_hidden),
            ]
        )

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self[0](x, mask)
        return x + self[1](x)


class FramePredictor(nn.Module):
    """Fused latents (B, K, P, D), K = 1..history, to as many: entry k follows frame k, and looks at frames 0..k."""

    causal: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.history, width = config.history, config.predictor_width
        self.pos_embedding = nn.Parameter(torch.zeros(1, config.history * config.grid**2, width))
        nn.init.trunc_normal_(self.pos_embedding, std=0.02)
        self.transformer = Transformer(width, [Block(config) for _ in range(config.predictor_depth)])
        self.register_buffer("causal", torch.from_numpy(np.tri(config.history, dtype=bool)), persistent=False)

    def forward(self, fused: Tensor) -> Tensor:
        frames, tokens = fused.shape[1:3]
        if frames > self.history:
            raise ValueError(f"a window of {frames} frames is longer than the model's history of {self.history}")
        x = fused.flatten(1, 2) + self.pos_embedding[:, : frames * tokens]
        # Attention kernels are faster without a mask.
        mask = self.mask(frames, tokens) if frames != 1 else None
        return self.transformer(x, mask).unflatten(1, (-1, tokens))

    def mask(self, frames: int, tokens: int) -> Tensor:
        """Who may look at whom in a window of ``tokens`` a frame: all of one's own frame and of those before it."""
        each = self.causal[:frames, None, :frames, None].expand(-1, tokens, -1, tokens)
        return each.reshape(frames * tokens, frames * tokens)


class Predictor(nn.Module):
    """What follows the last frame of a window of K = 1..history frames.

    Latents (B, K, P, Dv), states (B, K, 7), actions (B, K, 7), in SI units as in :mod:`wm_core.pose` -> next latent
    (B, P, Dv). Action k leaves frame k. Raises ValueError on a longer window.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.proprio_adapter = ProprioAdapter(config.proprio)
        self.action_adapter = ActionAdapter(config.actions)
        self.proprio_encoder = Embedder(config.proprio.size, config.proprio_embedding)
        self.action_encoder = Embedder(config.actions.size, config.action_embedding)
        self.predictor = FramePredictor(config)

    def forward(self, latents: Tensor, states: Tensor, actions: Tensor) -> Tensor:
        fused = self.fuse(latents, self.proprio_adapter(states), self.action_adapter(actions))
        return self.predictor(fused)[:, -1, :, : latents.shape[-1]].float()

    def fuse(self, latents: Tensor, proprio: Tensor, actions: Tensor) -> Tensor:
        """Upstream's latent (B, K, P, D): patches, and on each the embeddings of the model's own state and action."""
        embeddings = [self.proprio_encoder(proprio), self.action_encoder(actions)]
        each = [e[:, :, None].expand(-1, -1, latents.shape[2], -1) for e in embeddings]
        return torch.cat([latents.to(embeddings[0].dtype), *each], -1)


KIND = Architecture(Config, {"encoder": encoder, "predictor": predictor})
