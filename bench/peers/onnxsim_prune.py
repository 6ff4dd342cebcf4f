"""onnxsim's structured pruning against lithe's on the same models and ratios, in one run: work, latency, accuracy before recovery.

    npm run experiment prune-rounding -- --keep OURS
    python bench/peers/onnxsim_prune.py --ours OURS --results bench/peers/results/onnxsim-prune.json

The original, onnxsim's result and lithe's take turns. A ratio that onnxsim leaves unchanged, or that lithe refused, is a row that says so.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxsim

from count_macs import fixed_shapes, product_layers
from measure import environment, predict, share
from samples import MODELS, Samples, load_samples
from versus import interleaved, quartiles

REPO = Path(__file__).resolve().parents[2]
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def work(path: Path, shape: tuple[int, ...]) -> int:
    """Products of Conv, Gemm and MatMul, as lithe counts multiply-accumulates."""
    layers = product_layers(fixed_shapes(onnx.load(path), [1, *shape[1:]]))
    return sum(layer["macs"] for layer in layers)


def pruned_by_peer(model: Path, ratio: float, folder: Path) -> tuple[Path | None, str]:
    """The peer's file, and what it said where there is none. It is simplified first: its matchers do not pass norms."""
    target = folder / f"{model.stem}.onnxsim-{ratio}.onnx"
    try:
        simple, _ = onnxsim.simplify(onnx.load(model))
        result = onnxsim.apply_structured_pruning(simple, sparsity=ratio)
        onnx.save(result, target)
    except Exception as error:  # noqa: BLE001  whatever the peer raises is its answer
        return None, f"{type(error).__name__}: {error}"[:200]
    return target, ""


def figures(path: Path, original: Path, samples: Samples, times: np.ndarray) -> dict:
    before, after = (work(each, samples.eval.shape) for each in (original, path))
    return {
        "macs": round(after / before, 4),
        "accuracy": share(predict(path, samples.eval) == samples.labels),
        "latency": quartiles(times),
    }


def row(model: str, ratio: float, samples: Samples, args: argparse.Namespace, folder: Path) -> dict:
    original = args.shared / "models" / f"{model}.onnx"
    ours = args.ours / f"{model}.lithe-{ratio}.onnx"
    peer, reason = pruned_by_peer(original, ratio, folder)
    found = {"onnxsim": peer, "lithe": ours if ours.exists() else None}
    present = {name: path for name, path in found.items() if path}
    times = interleaved([original, *present.values()], samples.eval[:1], args.rounds)
    results = {
        name: figures(path, original, samples, times[:, 0] / times[:, place + 1])
        for place, (name, path) in enumerate(present.items())
    }
    if peer is None:
        results["onnxsim"] = {"failed": reason}
    if "lithe" not in present:
        results["lithe"] = {"failed": "refused: see the experiment prune-rounding"}
    return {"model": model, "ratio": ratio, "evaluated": len(samples.eval), **results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--shared", type=Path, default=REPO.parent / "shared")
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--ratios", nargs="*", type=float, default=list(RATIOS))
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--results", type=Path)
    args = parser.parse_args()
    rows = []
    with TemporaryDirectory() as folder:
        for model in args.models:
            samples = load_samples(model, args.shared, None)
            samples = Samples(samples.calib, samples.eval[: args.samples], samples.labels[: args.samples], samples.source)
            original = args.shared / "models" / f"{model}.onnx"
            accuracy = share(predict(original, samples.eval) == samples.labels)
            for ratio in args.ratios:
                rows.append(row(model, ratio, samples, args, Path(folder)) | {"accuracyBefore": accuracy})
                print(json.dumps(rows[-1]), flush=True)
    if args.results:
        about = {"environment": environment(), "onnxsim": version("onnxsim"), "rounds": args.rounds, "rows": rows}
        args.results.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
