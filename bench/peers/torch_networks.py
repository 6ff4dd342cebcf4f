"""The networks of src/models in plain PyTorch, and how weights and batches of a safetensors file get into them."""

import json
import re
import struct
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

DTYPES = {"F32": np.float32, "I64": np.int64}


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    return {name: tensor_of(data, 8 + length, entry) for name, entry in header.items() if name != "__metadata__"}


def tensor_of(data: bytes, base: int, entry: dict) -> torch.Tensor:
    begin, end = (base + offset for offset in entry["data_offsets"])
    array = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return torch.from_numpy(array.copy())


class Mlp(nn.Module):
    def __init__(self, input, hidden, classes):
        super().__init__()
        widths = [*input, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x):
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.head(x)


class ConvNorm(nn.Module):
    def __init__(self, inner, outer, kernel, stride):
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outer)

    def forward(self, x):
        return self.norm(self.conv(x))


class ResidualBlock(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.first = ConvNorm(inner, outer, 3, stride)
        self.second = ConvNorm(outer, outer, 3, 1)
        self.shortcut = nn.Identity() if stride == 1 else ConvNorm(inner, outer, 1, stride)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class Resnet(nn.Module):
    def __init__(self, depth, width, channels, classes, size):
        super().__init__()
        self.stem = ConvNorm(channels, width, 3, 1)
        self.stages = nn.ModuleList()
        inner = width
        for stage in range(3):
            blocks = nn.ModuleList()
            for i in range((depth - 2) // 6):
                blocks.append(ResidualBlock(inner, width * 2**stage, 2 if stage > 0 and i == 0 else 1))
                inner = width * 2**stage
            self.stages.append(blocks)
        self.head = nn.Linear(inner, classes)

    def forward(self, x):
        x = F.relu(self.stem(x))
        for blocks in self.stages:
            for block in blocks:
                x = block(x)
        return self.head(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        batch, time, width = x.shape
        parts = self.qkv(x).view(batch, time, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*parts, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).reshape(batch, time, width))


class Block(nn.Module):
    def __init__(self, width, heads, hidden, causal):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal)
        self.inner, self.outer = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.outer(F.gelu(self.inner(self.norm2(x))))


class Vit(nn.Module):
    def __init__(self, channels, size, patch, width, depth, heads, expansion, classes):
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.positions = nn.Parameter(torch.empty((size // patch) ** 2, width))
        self.blocks = nn.ModuleList(Block(width, heads, expansion * width, False) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


class Gpt(nn.Module):
    def __init__(self, vocabulary, context, width, depth, heads):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.empty(context, width))
        self.blocks = nn.ModuleList(Block(width, heads, 4 * width, True) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight).flatten(0, 1)


NETWORKS = {"mlp": Mlp, "resnet": Resnet, "vit": Vit, "gpt": Gpt}

OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def source_name(name: str) -> str:
    """Where the file keeps what PyTorch calls `name`."""
    for pattern, ours in LISTS:
        name = re.sub(pattern, ours, name)
    *path, leaf = name.split(".")
    kind = path[-1] if path else ""
    parts = [PATHS.get(part, part) for part in (path[:-1] if kind in ("conv", "norm") and len(path) > 1 else path)]
    leaf = NORM_LEAVES.get(leaf, leaf) if kind.startswith("norm") else leaf
    return "/".join([*parts, "table" if kind == "tokens" else leaf])


LISTS = (
    (r"^stages\.(\d+)\.(\d+)", r"stage\1.block\2"),
    (r"^hidden\.(\d+)", r"hidden\1"),
    (r"^blocks\.(\d+)", r"block\1"),
)
PATHS = {"first": "1", "second": "2", "inner": "mlp/in", "outer": "mlp/out"}
NORM_LEAVES = {"weight": "scale", "running_mean": "mean", "running_var": "variance"}


def network(name: str, options: dict, weights: dict[str, torch.Tensor], dtype=torch.float32) -> nn.Module:
    """The network with these weights; every one of them is used exactly once."""
    module = NETWORKS[name](**options)
    transposed = {f"{path}.weight" for path, part in module.named_modules() if isinstance(part, nn.Linear)}
    taken = set()
    state = {}
    for key in module.state_dict():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(0)
            continue
        source = source_name(key)
        taken.add(source)
        state[key] = weights[source].T if key in transposed else weights[source]
    if taken != set(weights):
        raise SystemExit(f"weights that no layer takes: {sorted(set(weights) - taken)}")
    module.load_state_dict(state)
    return module.to(dtype).train()


def step_of(module: nn.Module, optimizer: torch.optim.Optimizer):
    """One training step under cross-entropy, as users write it; returns the loss as a number."""

    def step(x: torch.Tensor, labels: torch.Tensor) -> float:
        loss = F.cross_entropy(module(x), labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
