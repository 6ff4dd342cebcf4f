"""Losses of PyTorch over the steps of a task that experiments/train-parity.ts writes: one JSON object on stdout.

    python bench/peers/torch_losses.py FOLDER [--threads 2]

The folder holds tasks.json and a safetensors file per task: the initial weights, and `input` and `labels` of every step
stacked along a first axis. `float32` is the peer; `float64` tells how far rounding alone carries a float32 run.
"""

import argparse
import json
from pathlib import Path

import torch

from torch_networks import OPTIMIZERS, network, read_safetensors, step_of


def losses(task: dict, tensors: dict[str, torch.Tensor], optimizer: dict, dtype: torch.dtype) -> list[float]:
    weights = {name: value for name, value in tensors.items() if name not in ("input", "labels")}
    module = network(task["network"], task["options"], weights, dtype)
    step = step_of(module, OPTIMIZERS[optimizer["name"]](module.parameters(), **optimizer["settings"]))
    floating = tensors["input"].is_floating_point()
    inputs = tensors["input"].to(dtype) if floating else tensors["input"]
    return [step(x, labels) for x, labels in zip(inputs, tensors["labels"])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    results = []
    for task in json.loads((args.folder / "tasks.json").read_text()):
        tensors = read_safetensors(args.folder / f"{task['name']}.safetensors")
        for optimizer in task["optimizers"]:
            found = {str(dtype)[6:]: losses(task, tensors, optimizer, dtype) for dtype in (torch.float32, torch.float64)}
            results.append({"task": task["name"], "optimizer": optimizer["name"], **found})
    print(json.dumps({"torch": torch.__version__, "threads": args.threads, "results": results}))


if __name__ == "__main__":
    main()
