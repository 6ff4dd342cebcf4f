"""Float model, ONNX Runtime's quantizer and lithe in one run: agreement, accuracy and interleaved latency of all three.

    npm run experiment ptq -- --keep OURS
    python bench/peers/ort_quantize.py --out PEERS
    python bench/peers/versus.py --ours OURS --peers PEERS --results bench/peers/results/versus.json
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from measure import environment, predict, share, single_thread_run
from samples import MODELS, load_samples

REPO = Path(__file__).resolve().parents[2]
CALIBRATIONS = ("minmax", "entropy", "percentile99.99", "percentile99.999")
WARM_UP = 30


def best_peer(folder: Path, model: str, bits: int, expected: np.ndarray, images: np.ndarray) -> tuple[Path, np.ndarray]:
    """The peer's file with the highest agreement, which favours the peer: it is chosen on the evaluation pictures."""
    files = [folder / f"{model}.ort-{name}-w{bits}.onnx" for name in CALIBRATIONS]
    answers = {path: predict(path, images) for path in files if path.exists()}
    return max(answers.items(), key=lambda item: float((item[1] == expected).mean()))


def interleaved(paths: list[Path], image: np.ndarray, rounds: int) -> np.ndarray:
    """Milliseconds, a row per round; who goes first rotates."""
    runs = [single_thread_run(path, image) for path in paths]
    for run in runs * WARM_UP:
        run()
    times = np.empty((rounds, len(runs)))
    for index in range(rounds):
        for offset in range(len(runs)):
            which = (index + offset) % len(runs)
            begin = time.perf_counter()
            runs[which]()
            times[index, which] = (time.perf_counter() - begin) * 1e3
    return times


def quartiles(ratios: np.ndarray) -> dict:
    low, median, high = np.percentile(ratios, [25, 50, 75])
    return {"ratio": round(median, 3), "p25": round(low, 3), "p75": round(high, 3)}


def row(model: str, bits: int, args: argparse.Namespace) -> dict:
    samples = load_samples(model, args.shared, args.tensors)
    float_path = args.shared / "models" / f"{model}.onnx"
    ours = args.ours / f"{model}.lithe-w{bits}.onnx"
    expected = predict(float_path, samples.eval)
    peer, peer_answers = best_peer(args.peers, model, bits, expected, samples.eval)
    our_answers = predict(ours, samples.eval)
    times = interleaved([float_path, peer, ours], samples.eval[:1], args.rounds)
    return {
        "model": model,
        "weightBits": bits,
        "evaluated": len(samples.eval),
        "peerFile": peer.name,
        "accuracyFp32": share(expected == samples.labels),
        "peer": {"agreement": share(peer_answers == expected), "accuracy": share(peer_answers == samples.labels),
                 "bytes": peer.stat().st_size, "latency": quartiles(times[:, 0] / times[:, 1])},
        "ours": {"agreement": share(our_answers == expected), "accuracy": share(our_answers == samples.labels),
                 "bytes": ours.stat().st_size, "latency": quartiles(times[:, 0] / times[:, 2])},
        "peerOverOurs": quartiles(times[:, 1] / times[:, 2]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--shared", type=Path, default=REPO.parent / "shared")
    parser.add_argument("--tensors", type=Path)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--results", type=Path)
    args = parser.parse_args()
    rows = []
    for model in MODELS:
        for bits in (8, 7):
            rows.append(row(model, bits, args))
            print(json.dumps(rows[-1]), flush=True)
    if args.results:
        args.results.write_text(json.dumps({"environment": environment(), "results": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
