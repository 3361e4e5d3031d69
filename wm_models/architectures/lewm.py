"""LeWorldModel: a small image encoder and an action-conditioned predictor of its one embedding, trained end to end.

Paper: LeWorldModel (arXiv 2603.19312). Upstream: lucas-maes/le-wm and galilai-group/stable-worldmodel, MIT. The
parameters keep their upstream names (those of transformers 5 in the encoder). The model takes no arm state.

Upstream's goal cost is the sum of squared differences of embeddings; the energy "l2" of a bundle is their mean: the
same order of candidates, a constant factor of ``latent_dim`` apart.

Both heads hold a BatchNorm over all that they are given: in training, hand over many frames at a time
(:meth:`Predictor.predictions`).

Weights may be float32, bfloat16 or float16; inputs and outputs are float32 in any case.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_core.errors import ConfigError

from ..action_map import ActionMap
from ..layers.actions import ActionAdapter
from ..layers.proposal import Proposal
from .base import Architecture

#: Of the norms that are modulated by the action.
MODULATED_EPS = 1e-6


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are the published ones: ViT-tiny/14 at 224 px, 18.0 M parameters.

    ``image_px`` is height and width of the input, ``patch_px`` those of a patch. The encoder is a transformer of
    ``encoder_width``, ``.._hidden`` being the width inside its MLPs; ``latent_dim`` is the width of the embedding and
    of the predictor. ``history`` is the longest window of frames. ``dropout`` and ``embedding_dropout`` act in the
    predictor, in training only. ``actions`` says what the model was trained to see of an action.
    """

    image_px: int = 224
    patch_px: int = 14
    encoder_width: int = 192
    encoder_depth: int = 12
    encoder_heads: int = 3
    encoder_hidden: int = 768
    norm_eps: float = 1e-12
    latent_dim: int = 192
    projector_hidden: int = 2048
    predictor_depth: int = 6
    predictor_heads: int = 16
    predictor_head_dim: int = 64
    predictor_hidden: int = 2048
    history: int = 3
    smoothed_dim: int = 10
    action_hidden: int = 768
    dropout: float = 0.1
    embedding_dropout: float = 0.0
    actions: ActionMap = field(default_factory=lambda: ActionMap(frameskip=5))

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
        if not (0.0 <= self.dropout < 1.0 and 0.0 <= self.embedding_dropout < 1.0 and self.norm_eps > 0.0):
            raise ConfigError(
                f"dropout = {self.dropout} and embedding_dropout = {self.embedding_dropout} must be in [0, 1), "
                f"norm_eps = {self.norm_eps} positive"
            )

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(tokens, channels) of a latent."""
        return 1, self.latent_dim


def encoder(config: Config) -> Encoder:
    """An image encoder with fresh weights."""
    return Encoder(config)


def predictor(config: Config) -> Predictor:
    """An action-conditioned predictor with fresh weights."""
    return Predictor(config)


def proposal(config: Config) -> Proposal:
    """A fresh proposal for this model's latents."""
    return Proposal(config.latent_dim)


def energy(latents: Tensor, goal: Tensor) -> Tensor:
    """Mean squared difference of latents (..., 1, D) to a goal (1, D): (...). Upstream's cost is D times that."""
    return (latents - goal).square().mean((-2, -1))


class SelfAttention(nn.Module):
    """Attention of the image encoder over x (B, N, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        projected = (layer(x) for layer in (self.q_proj, self.k_proj, self.v_proj))
        query, key, value = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in projected)
        return self.o_proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class EncoderBlock(nn.Module):
    """A pre-norm transformer block of the image encoder."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, hidden = config.encoder_width, config.encoder_hidden
        self.attention = SelfAttention(width, config.encoder_heads)
        self.layernorm_before = nn.LayerNorm(width, config.norm_eps)
        self.layernorm_after = nn.LayerNorm(width, config.norm_eps)
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(width, hidden), act=nn.GELU(), fc2=nn.Linear(hidden, width)))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.layernorm_before(x))
        return x + self.mlp(self.layernorm_after(x))


class Embeddings(nn.Module):
    """Image (B, 3, px, px) to tokens (B, 1 + patches, width): the CLS token, then the patches row by row."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, patches = config.encoder_width, (config.image_px // config.patch_px) ** 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 1 + patches, width))
        stem = nn.Conv2d(3, width, config.patch_px, stride=config.patch_px)
        self.patch_embeddings = nn.Sequential(OrderedDict(projection=stem))

    def forward(self, image: Tensor) -> Tensor:
        patches = self.patch_embeddings(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(patches.shape[0], -1, -1), patches], 1)
        return tokens + self.position_embeddings


class VisionTransformer(nn.Module):
    """Image (B, 3, px, px) to its CLS token (B, width) under the last layer norm."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList([EncoderBlock(config) for _ in range(config.encoder_depth)])
        self.layernorm = nn.LayerNorm(config.encoder_width, config.norm_eps)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.embeddings.cls_token, std=0.02)
        nn.init.trunc_normal_(self.embeddings.position_embeddings, std=0.02)

    def forward(self, image: Tensor) -> Tensor:
        x = self.embeddings(image.to(self.layernorm.weight.dtype))
        for layer in self.layers:
            x = layer(x)
        return self.layernorm(x[:, 0])


class Projector(nn.Module):
    """(..., inputs) to (..., outputs) through one hidden layer under BatchNorm, over all leading axes at once."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.GELU(), nn.Linear(hidden, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)


class Encoder(nn.Module):
    """Image (B, 3, image_px, image_px), normalised, to latent (B, 1, D)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.encoder = VisionTransformer(config)
        self.projector = Projector(config.encoder_width, config.projector_hidden, config.latent_dim)

    def forward(self, image: Tensor) -> Tensor:
        return self.projector(self.encoder(image)).float().unsqueeze(1)


class Attention(nn.Module):
    """Self-attention over x (B, N, width) behind a layer norm of its own; heads need not share the width evenly."""

    def __init__(self, width: int, heads: int, head_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * heads * head_dim, bias=False)
        whole = heads == 1 and head_dim == width  # upstream then has no output projection
        out = nn.Sequential(nn.Linear(heads * head_dim, width), nn.Dropout(dropout))
        self.to_out = nn.Identity() if whole else out

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """``mask`` (N, N): true where a token may look; None: everywhere."""
        qkv = self.to_qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = (t.transpose(1, 2) for t in qkv.unbind(2))
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return self.to_out(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """An MLP over x (B, N, width) behind a layer norm of its own."""

    def __init__(self, width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class ConditionalBlock(nn.Module):
    """A transformer block that the action modulates (adaLN-zero): with fresh weights it hands x on as it is."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.latent_dim
        self.norm1 = nn.LayerNorm(width, MODULATED_EPS, elementwise_affine=False)
        self.attn = Attention(width, config.predictor_heads, config.predictor_head_dim, config.dropout)
        self.norm2 = nn.LayerNorm(width, MODULATED_EPS, elementwise_affine=False)
        self.mlp = FeedForward(width, config.predictor_hidden, config.dropout)
        modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(modulation.weight)
        nn.init.zeros_(modulation.bias)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), modulation)

    def forward(self, x: Tensor, condition: Tensor, mask: Tensor | None) -> Tensor:
        """x and condition (B, N, width): one condition for each token."""
        # Not chunk(): that becomes an ONNX sequence, which TensorRT does not read.
        six = self.adaLN_modulation(condition).unflatten(-1, (6, -1)).unbind(-2)
        shift1, scale1, gate1, shift2, scale2, gate2 = six
        x = x + gate1 * self.attn(self.norm1(x) * (1 + scale1) + shift1, mask)
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class Transformer(nn.Module):
    """Blocks one after the other, and a layer norm."""

    def __init__(self, width: int, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, *others: Tensor | None) -> Tensor:
        for block in self.layers:
            x = block(x, *others)
        return self.norm(x)


class ActionEncoder(nn.Module):
    """The model's action (..., A) to its embedding (..., D)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.patch_embed = nn.Conv1d(config.actions.size, config.smoothed_dim, 1)
        self.embed = nn.Sequential(
            nn.Linear(config.smoothed_dim, config.action_hidden),
            nn.SiLU(),
            nn.Linear(config.action_hidden, config.latent_dim),
        )

    def forward(self, actions: Tensor) -> Tensor:
        return self.embed(pointwise(self.patch_embed, actions))


def pointwise(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """A convolution of kernel size 1 over time, for x (..., channels): a linear map."""
    return F.linear(x.to(layer.weight.dtype), layer.weight[..., 0], layer.bias)


class CausalPredictor(nn.Module):
    """Embeddings and action embeddings (B, K, D), K = 1..history, to (B, K, D): entry k looks at frames 0..k."""

    causal: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.history = config.history
        self.pos_embedding = nn.Parameter(torch.zeros(1, config.history, config.latent_dim))
        nn.init.trunc_normal_(self.pos_embedding, std=0.02)
        self.dropout = nn.Dropout(config.embedding_dropout)
        self.transformer = Transformer(
            config.latent_dim, [ConditionalBlock(config) for _ in range(config.predictor_depth)]
        )
        self.register_buffer("causal", torch.from_numpy(np.tri(config.history, dtype=bool)), persistent=False)

    def forward(self, embeddings: Tensor, actions: Tensor) -> Tensor:
        frames = embeddings.shape[1]
        if frames > self.history:
            raise ValueError(f"a window of {frames} frames is longer than the model's history of {self.history}")
        x = self.dropout(embeddings + self.pos_embedding[:, :frames])
        return self.transformer(x, actions, self.causal[:frames, :frames])


class Predictor(nn.Module):
    """What follows the last frame of a window of K = 1..history frames.

    Latents (B, K, 1, D), states (B, K, 7), which are not looked at, and actions (B, K, 7) in SI units as in
    :mod:`wm_core.pose` -> next latent (B, 1, D). Action k leaves frame k. Raises ValueError on a longer window.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.adapter = ActionAdapter(config.actions)
        self.action_encoder = ActionEncoder(config)
        self.predictor = CausalPredictor(config)
        self.pred_proj = Projector(config.latent_dim, config.projector_hidden, config.latent_dim)

    def forward(self, latents: Tensor, states: Tensor, actions: Tensor) -> Tensor:
        return self.pred_proj(self._hidden(latents, actions)[:, -1:]).float()

    def predictions(self, latents: Tensor, actions: Tensor) -> Tensor:
        """What follows each frame, given it and those before it: (B, K, D), which BatchNorm sees all at once."""
        return self.pred_proj(self._hidden(latents, actions)).float()

    def _hidden(self, latents: Tensor, actions: Tensor) -> Tensor:
        embeddings = latents[:, :, 0].to(self.predictor.pos_embedding.dtype)
        return self.predictor(embeddings, self.action_encoder(self.adapter(actions)))


KIND = Architecture(Config, {"encoder": encoder, "predictor": predictor, "proposal": proposal})
