"""Compare two ONNX files on the same inputs: agreement, accuracy, size and interleaved latency."""

import os
import platform
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from samples import Samples

EVALUATION_BATCH = 50
WARM_UP = 20


def compare(reference: Path, candidate: Path, samples: Samples, rounds: int) -> dict:
    """Figures of `candidate` against `reference`; both run with default session options except the thread count."""
    expected, got = (predict(path, samples.eval) for path in (reference, candidate))
    return {
        "evaluated": len(samples.eval),
        "agreement": share(expected == got),
        "accuracyFp32": share(expected == samples.labels),
        "accuracyInt8": share(got == samples.labels),
        "sizeRatio": round(reference.stat().st_size / candidate.stat().st_size, 3),
        "latency": latency_ratio(reference, candidate, samples.eval[:1], rounds),
    }


def share(hits: np.ndarray) -> float:
    return round(float(hits.mean()), 4)


def predict(path: Path, images: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    starts = range(0, len(images), EVALUATION_BATCH)
    logits = [session.run(None, {name: images[at : at + EVALUATION_BATCH]})[0] for at in starts]
    return np.concatenate(logits).argmax(1)


def latency_ratio(reference: Path, candidate: Path, image: np.ndarray, rounds: int) -> dict:
    """Time of reference / time of candidate, one thread, both timed in every round and in alternating order."""
    runs = [single_thread_run(path, image) for path in (reference, candidate)]
    for run in runs * WARM_UP:
        run()
    times = np.empty((rounds, 2))
    for index in range(rounds):
        for which in (0, 1) if index % 2 == 0 else (1, 0):
            begin = time.perf_counter()
            runs[which]()
            times[index, which] = time.perf_counter() - begin
    low, median, high = np.percentile(times[:, 0] / times[:, 1], [25, 50, 75])
    fp32, int8 = np.median(times, axis=0) * 1e3
    return {
        "ratio": round(median, 3),
        "p25": round(low, 3),
        "p75": round(high, 3),
        "minimumRatio": round(times[:, 0].min() / times[:, 1].min(), 3),
        "fp32Ms": round(fp32, 3),
        "int8Ms": round(int8, 3),
        "rounds": rounds,
    }


def single_thread_run(path: Path, image: np.ndarray):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: image}
    return lambda: session.run(None, feeds)


def environment() -> dict:
    first_core = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    info = dict(map(str.strip, line.split(":", 1)) for line in first_core.splitlines())
    flags = info["flags"].split()
    return {
        "cpu": info["model name"],
        "cores": os.cpu_count(),
        "flags": {flag: flag in flags for flag in ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8")},
        "versions": {"python": platform.python_version(), "onnxruntime": ort.__version__, "numpy": np.__version__},
        "provider": "CPUExecutionProvider",
        "sessionOptions": "default; intra_op_num_threads=1 for latency",
        "batch": {"latency": 1, "evaluation": EVALUATION_BATCH},
    }
