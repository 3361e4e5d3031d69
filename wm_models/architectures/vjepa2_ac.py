"""V-JEPA 2-AC: a frozen V-JEPA 2 image encoder and an action-conditioned predictor of its patch tokens.

Paper: V-JEPA 2 (arXiv 2506.09985). Upstream: facebookresearch/vjepa2, MIT. Also the retrain without a state token of
JEPA-WMs (arXiv 2512.24497, facebookresearch/jepa-wms, CC-BY-NC 4.0). The parameters keep their upstream names.

The encoder sees a frame as a clip of two equal frames, so its 3-D patch embedding is folded into a 2-D one
(:func:`fold`) and the network is a plain ViT. A latent is its output under :func:`feature_norm`. The sequence of the
predictor is, for each frame, ``[action, state, patches]``; a token attends to its own and to earlier frames. So a cache
of keys and values over the steps of a rollout is exact: :meth:`Predictor.step`.

Weights may be float32, bfloat16 or float16. Inputs and outputs are float32 in any case: hand them over unrounded.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_core.errors import ConfigError

from .base import Architecture

ACTION_DIM = STATE_DIM = 7
EXTRINSICS_DIM = 6
#: Frames under one token in upstream's video encoder; a single image is repeated that often.
TUBELET = 2
#: Of the parameter-free norm of latents, PyTorch's default.
FEATURE_EPS = 1e-5


@dataclass(frozen=True)
class Sizes:
    """A transformer: width of a token, number of blocks, attention heads, width of the hidden layer of each MLP."""

    width: int
    depth: int
    heads: int
    hidden: int

    def __post_init__(self) -> None:
        if min(self.width, self.depth, self.heads, self.hidden) < 1 or self.width % (2 * self.heads):
            raise ConfigError(f"{self} must be positive, and each head must get an even share of the width")


#: The encoders of V-JEPA 2. V-JEPA 2.1 has these sizes as well, but an image stem and norms of its own: not this file.
ENCODERS = {
    "vit_large": Sizes(1024, 24, 16, 4096),
    "vit_huge": Sizes(1280, 32, 16, 5120),
    "vit_giant": Sizes(1408, 40, 22, 6144),
}


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are those of ``vjepa2-ac-vitg.pt``.

    ``image_px`` is height and width of the input, ``patch_px`` those of a patch. ``state_token``: whether the predictor
    is told the arm's state. ``extrinsics_weight``: whether the weights hold upstream's unused camera encoder.
    ``history``: the longest window of frames; upstream trained on clips of 8, the last of which is only predicted.
    """

    image_px: int = 256
    patch_px: int = 16
    encoder: Sizes = ENCODERS["vit_giant"]
    predictor: Sizes = Sizes(1024, 24, 16, 4096)
    state_token: bool = True
    extrinsics_weight: bool = True
    history: int = 7
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        if self.patch_px < 1 or self.image_px < self.patch_px or self.image_px % self.patch_px:
            raise ConfigError(f"image_px = {self.image_px} must be a multiple of patch_px = {self.patch_px}")
        if self.history < 1 or not self.norm_eps > 0.0:
            raise ConfigError(f"history = {self.history} and norm_eps = {self.norm_eps} must be positive")

    @property
    def grid(self) -> int:
        """Patches along each side of the image."""
        return self.image_px // self.patch_px

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(tokens, channels) of a latent."""
        return self.grid**2, self.encoder.width


def encoder(config: Config) -> Encoder:
    """An image encoder with fresh weights."""
    return Encoder(config)


def predictor(config: Config) -> Predictor:
    """An action-conditioned predictor with fresh weights."""
    return Predictor(config)


def official_shapes(config: Config) -> dict[str, dict[str, tuple[int, ...]]]:
    """For each part, name -> shape of upstream's parameters, the patch embedding still being 3-D."""
    with torch.device("meta"):
        parts = {"encoder": encoder(config), "predictor": predictor(config)}
    shapes = {part: {key: tuple(t.shape) for key, t in module.state_dict().items()} for part, module in parts.items()}
    width, colours, height, breadth = shapes["encoder"]["patch_embed.proj.weight"]
    shapes["encoder"]["patch_embed.proj.weight"] = (width, colours, TUBELET, height, breadth)
    return shapes


def fold(kernel: Tensor) -> Tensor:
    """Upstream's patch kernel (width, 3, 2, p, p) as a 2-D one: on equal frames both taps see the same pixels."""
    return kernel.float().sum(2).to(kernel.dtype)


def feature_norm(tokens: Tensor) -> Tensor:
    """Each token (..., C) to zero mean and unit variance, in float32: encodings and predictions are compared so."""
    return F.layer_norm(tokens.float(), tokens.shape[-1:], eps=FEATURE_EPS)


def energy(latents: Tensor, goal: Tensor) -> Tensor:
    """Mean absolute difference of latents (..., T, C) to a goal (T, C): (...)."""
    return (latents - goal).abs().mean((-2, -1))


def integrate(state: Tensor, action: Tensor) -> Tensor:
    """:func:`wm_core.pose.integrate` on tensors (..., 7), without a word to the host: fit for a CUDA graph."""
    moved = state + action
    turning = (action[..., 3:6] != 0.0).any(-1, keepdim=True)
    # Not a matrix product: where those may run in TF32 it would cost three digits.
    turned = (_rotation(action[..., 3:6])[..., None] * _rotation(state[..., 3:6])[..., None, :, :]).sum(-2)
    euler = torch.where(turning, _euler(turned), state[..., 3:6])
    return torch.cat([moved[..., :3], euler, moved[..., 6:].clamp(0.0, 1.0)], -1)


def _rotation(euler: Tensor) -> Tensor:
    """Extrinsic xyz Euler angles (..., 3) in radians to matrices (..., 3, 3)."""
    (cr, cp, cy), (sr, sp, sy) = euler.cos().unbind(-1), euler.sin().unbind(-1)
    rows = [
        torch.stack([cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr], -1),
        torch.stack([sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr], -1),
        torch.stack([-sp, cp * sr, cp * cr], -1),
    ]
    return torch.stack(rows, -2)


def _euler(m: Tensor) -> Tensor:
    """Matrices (..., 3, 3) to extrinsic xyz Euler angles (..., 3); at pitch = +-pi/2 yaw is set to 0."""
    cos_pitch = torch.hypot(m[..., 0, 0], m[..., 1, 0])
    pitch = torch.atan2(-m[..., 2, 0], cos_pitch)
    locked = cos_pitch < 1e-6  # what float32 leaves of a zero
    roll = torch.where(
        locked,
        pitch.sign() * torch.atan2(m[..., 0, 1], m[..., 1, 1]),
        torch.atan2(m[..., 2, 1], m[..., 2, 2]),
    )
    yaw = torch.atan2(m[..., 1, 0], m[..., 0, 0]).masked_fill(locked, 0.0)
    return torch.stack([roll, pitch, yaw], -1)


def _rotary_table(frames: int, grid: int, head_dim: int) -> Tensor:
    """Cosines and signed sines of the rotary embedding: float32 (2, frames, grid * grid, head_dim).

    Three equal parts of a head turn with frame, row and column; what is left of it does not turn. Channels 2j and 2j+1
    are a pair, but the angles of a part are listed once and then again, so that a pair has two different angles: an
    upstream slip that the weights depend on.
    """
    part = 2 * (head_dim // 3 // 2)
    positions = np.stack(np.meshgrid(np.arange(frames), np.arange(grid), np.arange(grid), indexing="ij"), -1)
    angles = positions[..., None] * 10000.0 ** (-np.arange(part // 2) / max(part // 2, 1))
    angles = np.concatenate([angles, angles], -1).reshape(frames, grid * grid, 3 * part)
    angles = np.pad(angles, [(0, 0), (0, 0), (0, head_dim - 3 * part)])
    sines = np.sin(angles) * np.tile([-1.0, 1.0], head_dim // 2)
    # Not by a torch factory function: a module that is built on the meta device has its table all the same.
    return torch.from_numpy(np.stack([np.cos(angles), sines]).astype(np.float32))


def _rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn queries and keys (B, N, ..., head_dim), N being the tokens of ``table`` (2, N, head_dim)."""
    cos, sin = table.view(2, -1, *(1,) * (x.ndim - 3), table.shape[-1]).unbind()
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    return x * cos + torch.stack((odd, even), -1).flatten(-2) * sin


class Attention(nn.Module):
    """Self-attention with rotary positions over x (B, N, width)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.qkv = nn.Linear(sizes.width, 3 * sizes.width)
        self.proj = nn.Linear(sizes.width, sizes.width)

    def forward(self, x: Tensor, table: Tensor, mask: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        """``mask`` (N, N): true where a token may look. ``memory`` (2, B, M + N, heads, head_dim): keys and values of
        M earlier tokens, behind which those of x are written."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        query, key = _rotate(qkv[:, :, :2], table).unbind(2)
        value = qkv[:, :, 2]
        if memory is not None:
            memory[0, :, -x.shape[1] :] = key
            memory[1, :, -x.shape[1] :] = value
            key, value = memory.unbind()
        query, key, value = (t.transpose(1, 2) for t in (query, key, value))
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.proj(out.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, sizes: Sizes, eps: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.width, eps)
        self.attn = Attention(sizes)
        self.norm2 = nn.LayerNorm(sizes.width, eps)
        self.mlp = nn.Sequential(
            OrderedDict(
                fc1=nn.Linear(sizes.width, sizes.hidden), act=nn.GELU(), fc2=nn.Linear(sizes.hidden, sizes.width)
            )
        )

    def forward(self, x: Tensor, table: Tensor, mask: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        x = x + self.attn(self.norm1(x), table, mask, memory)
        return x + self.mlp(self.norm2(x))


class Encoder(nn.Module):
    """Image (B, 3, image_px, image_px), normalised, to latent (B, T, C): one token per patch, row by row."""

    table: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        sizes = config.encoder
        stem = nn.Conv2d(3, sizes.width, config.patch_px, stride=config.patch_px)
        self.patch_embed = nn.Sequential(OrderedDict(proj=stem))
        self.blocks = nn.ModuleList([Block(sizes, config.norm_eps) for _ in range(sizes.depth)])
        self.norm = nn.LayerNorm(sizes.width, config.norm_eps)
        table = _rotary_table(1, config.grid, sizes.width // sizes.heads)[:, 0]
        self.register_buffer("table", table, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return feature_norm(self.tokens(image))

    def tokens(self, image: Tensor) -> Tensor:
        """The last layer norm's output (B, T, C), before the feature norm."""
        x = self.patch_embed(image.to(self.norm.weight.dtype)).flatten(2).transpose(1, 2)
        table = self.table.to(x)
        for block in self.blocks:
            x = block(x, table)
        return self.norm(x)


class Cache(NamedTuple):
    """Keys and values of the frames that a rollout has behind it.

    ``memory`` is (layers, 2, B, capacity * tokens per frame, heads, head_dim), of which ``frames`` frames are written.
    """

    memory: Tensor
    frames: int = 0


class Predictor(nn.Module):
    """What follows the last frame of a window of K = 1..history frames.

    Latents (B, K, T, C), states (B, K, 7), actions (B, K, 7), in SI units as in :mod:`wm_core.pose` -> next latent
    (B, T, C). Action k leaves frame k. Raises ValueError on a longer window.
    """

    table: Tensor
    causal: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        sizes = config.predictor
        self.history = config.history
        self.predictor_embed = nn.Linear(config.encoder.width, sizes.width)
        self.action_encoder = nn.Linear(ACTION_DIM, sizes.width)
        self.state_encoder = nn.Linear(STATE_DIM, sizes.width) if config.state_token else None
        self.extrinsics_encoder = nn.Linear(EXTRINSICS_DIM, sizes.width) if config.extrinsics_weight else None
        self.predictor_blocks = nn.ModuleList([Block(sizes, config.norm_eps) for _ in range(sizes.depth)])
        self.predictor_norm = nn.LayerNorm(sizes.width, config.norm_eps)
        self.predictor_proj = nn.Linear(sizes.width, config.encoder.width)
        self.heads, self.head_dim = sizes.heads, sizes.width // sizes.heads
        self.register_buffer("table", _rotary_table(config.history, config.grid, self.head_dim), persistent=False)
        causal = torch.from_numpy(np.tri(config.history, dtype=bool))
        self.register_buffer("causal", causal, persistent=False)

    def forward(self, latents: Tensor, states: Tensor, actions: Tensor) -> Tensor:
        hidden = self.hidden(latents, self.conditions(states, actions))
        return feature_norm(self.head(hidden[:, -1]))

    def conditions(self, states: Tensor, actions: Tensor) -> Tensor:
        """States and actions (..., 7) as tokens (..., 1 or 2, width): action, state.

        Computed in float32 whatever the weights: in bfloat16 a position of half a metre would be 2 mm off.
        """
        rows = [_linear32(self.action_encoder, actions)]
        if self.state_encoder is not None:
            rows.append(_linear32(self.state_encoder, states))
        return torch.stack(rows, -2).to(self.predictor_norm.weight.dtype)

    def hidden(self, latents: Tensor, conditions: Tensor) -> Tensor:
        """Latents (B, K, T, C) and tokens (B, K, A, width) to the patches (B, K, T, width) after the last block."""
        frames, tokens = latents.shape[1], conditions.shape[2] + latents.shape[2]
        if frames > self.history:
            raise ValueError(f"a window of {frames} frames is longer than the model's history of {self.history}")
        x = torch.cat([conditions, self.predictor_embed(latents.to(conditions.dtype))], 2).flatten(1, 2)
        table = self._table(0, frames, conditions)
        # Attention kernels are faster without a mask.
        mask = self.mask(frames, tokens).to(x.device) if frames != 1 else None
        for block in self.predictor_blocks:
            x = block(x, table, mask)
        return x.unflatten(1, (-1, tokens))[:, :, conditions.shape[2] :]

    def mask(self, frames: int, tokens: int) -> Tensor:
        """Who may look at whom in a window of ``tokens`` a frame: all of one's own frame and of those before it."""
        each = self.causal[:frames, None, :frames, None].expand(-1, tokens, -1, tokens)
        return each.reshape(frames * tokens, frames * tokens)

    def head(self, hidden: Tensor) -> Tensor:
        """Patches after the last block (..., T, width) to tokens (..., T, C), before the feature norm."""
        return self.predictor_proj(self.predictor_norm(hidden))

    def cache(self, batch: int, frames: int) -> Cache:
        """An empty cache for ``frames`` steps. Two steps from one and the same cache overwrite each other."""
        tokens = self.table.shape[2] + 1 + (self.state_encoder is not None)
        shape = (len(self.predictor_blocks), 2, batch, frames * tokens, self.heads, self.head_dim)
        return Cache(self.predictor_norm.weight.new_empty(shape))

    @torch.no_grad()
    def step(
        self, latent: Tensor, state: Tensor, action: Tensor, cache: Cache | None = None
    ) -> tuple[Tensor, Cache | None]:
        """Append one frame to those in the cache and predict the next: equal to :meth:`forward` on the whole window.

        Args:
            latent: (B, T, C), or (1, T, C) if all samples share it.
            state, action: (B, 7).
            cache: the frames before; without one this frame is all the model sees, and nothing is kept.

        Returns the next latent (B, T, C) and the cache with this frame in it. Raises ValueError if the cache is full.
        """
        conditions = self.conditions(state, action)
        patches = self.predictor_embed(latent.to(conditions.dtype))
        x = torch.cat([conditions, patches.expand(len(action), -1, -1)], 1)
        past = cache.frames if cache is not None else 0
        end = (past + 1) * x.shape[1]
        if past >= self.history or (cache is not None and end > cache.memory.shape[3]):
            raise ValueError(f"there is no room for another frame after {past}; make a larger cache, up to the history")
        table = self._table(past, past + 1, conditions[:, None])
        for layer, block in enumerate(self.predictor_blocks):
            x = block(x, table, memory=None if cache is None else cache.memory[layer, :, :, :end])
        next_latent = feature_norm(self.head(x[:, conditions.shape[1] :]))
        return next_latent, None if cache is None else Cache(cache.memory, past + 1)

    @torch.no_grad()
    def rollout(self, latent: Tensor, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Imagine B sequences of H = 1..history actions, every prediction being fed back, poses being integrated.

        Args:
            latent: the first frame's (T, C), or (B, T, C).
            state: (7,), or (B, 7).
            actions: (B, H, 7).

        Returns latents (B, H, T, C) and states (B, H, 7) after each action. Nothing here waits for the device, so
        that the whole rollout can be captured in a CUDA graph. Raises ValueError if H exceeds the history.
        """
        batch, horizon = actions.shape[:2]
        if horizon > self.history:
            raise ValueError(f"a horizon of {horizon} is longer than the model's history of {self.history}")
        latent = latent[None] if latent.ndim == 2 else latent
        state = state.expand(batch, -1)
        cache = self.cache(batch, horizon) if horizon > 1 else None
        latents, states = [], []
        for action in actions.unbind(1):
            latent, cache = self.step(latent, state, action, cache)
            state = integrate(state, action)
            latents.append(latent)
            states.append(state)
        return torch.stack(latents, 1), torch.stack(states, 1)

    def _table(self, start: int, stop: int, conditions: Tensor) -> Tensor:
        """The rotary table of frames ``start`` to ``stop``: (2, frames * tokens, head_dim).

        A condition turns with its frame only; so does the first patch, being in row 0 and column 0.
        """
        patches = self.table[:, start:stop].to(conditions)
        first = patches[:, :, :1].expand(-1, -1, conditions.shape[2], -1)
        return torch.cat([first, patches], 2).flatten(1, 2)


def _linear32(layer: nn.Linear, x: Tensor) -> Tensor:
    return F.linear(x.float(), layer.weight.float(), layer.bias.float())


KIND = Architecture(Config, {"encoder": encoder, "predictor": predictor})
