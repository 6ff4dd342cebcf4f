"""Training steps of PyTorch on request, so that another process can take turns with them.

    python bench/peers/train_speed.py TASK.json WEIGHTS.safetensors --threads 2

Says `{"ready": …}` once it has warmed up. Every line on stdin is a number of steps; each is answered by
`{"ms": milliseconds per step, "cpu": the processor's milliseconds per step, "peak": peak resident bytes, "loss": the last
loss}`. Ends with stdin.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from torch_networks import OPTIMIZERS, network, read_safetensors, step_of

WARM_UP = 2


def peak_bytes() -> int:
    """The largest resident memory so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def say(message: dict) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    start = peak_bytes()
    task = json.loads(args.task.read_text())
    tensors = read_safetensors(args.weights)
    x, labels = tensors.pop("input")[0], tensors.pop("labels")[0]
    module = network(task["network"], task["options"], tensors)
    optimizer = task["optimizer"]
    step = step_of(module, OPTIMIZERS[optimizer["name"]](module.parameters(), **optimizer["settings"]))
    for _ in range(WARM_UP):
        step(x, labels)
    say({"ready": True, "torch": torch.__version__, "start": start})
    for line in sys.stdin:
        count = int(line)
        begin, used = time.perf_counter(), time.process_time()
        for _ in range(count):
            loss = step(x, labels)
        ms, cpu = 1e3 * (time.perf_counter() - begin) / count, 1e3 * (time.process_time() - used) / count
        say({"ms": ms, "cpu": cpu, "peak": peak_bytes(), "loss": loss})


if __name__ == "__main__":
    main()
