"""ONNX Runtime's own static quantizer on pretrained models: the peer that lithe's int8 is measured against.

Prints one JSON object per (model, method). With --evaluate it measures a given pair of files by the same code instead.
"""

import argparse
import contextlib
import json
import logging
import sys
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import create_calibrator, save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process

from measure import compare, environment
from samples import MODELS, Samples, load_samples

REPO = Path(__file__).resolve().parents[2]
CALIBRATION_BATCH = 4

# Entropy: with the tool's default of 128 bins there is one candidate threshold, the full range; 2048 bins give 961.
CALIBRATIONS = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "entropy": (CalibrationMethod.Entropy, {"num_bins": 2048}),
    "percentile99.99": (CalibrationMethod.Percentile, {"percentile": 99.99}),
    "percentile99.999": (CalibrationMethod.Percentile, {"percentile": 99.999}),
}
WEIGHT_BITS = (8, 7)


class BatchReader(CalibrationDataReader):
    def __init__(self, name, images):
        starts = range(0, len(images), CALIBRATION_BATCH)
        self.batches = iter([{name: images[at : at + CALIBRATION_BATCH]} for at in starts])

    def get_next(self):
        return next(self.batches, None)


def calibrate(prepared: Path, calibration: str, samples: Samples, cache: Path) -> None:
    """Collect activation ranges once; quantize_static then reads them for every weight width."""
    method, options = CALIBRATIONS[calibration]
    calibrator = create_calibrator(
        prepared,
        augmented_model_path=str(cache.with_suffix(".onnx")),
        calibrate_method=method,
        extra_options=options,
    )
    calibrator.collect_data(BatchReader(onnx.load(prepared).graph.input[0].name, samples.calib))
    save_tensors_data(calibrator.compute_data(), cache)


def quantize(prepared: Path, out: Path, calibration: str, bits: int, cache: Path) -> None:
    quantize_static(
        prepared,
        out,
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=bits == 7,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CALIBRATIONS[calibration][0],
        calibration_cache_path=cache,
    )


def run_model(model: str, calibrations: list[str], args: argparse.Namespace):
    """Yield the figures of every method on `model`."""
    reference = args.shared / "models" / f"{model}.onnx"
    samples = load_samples(model, args.shared, args.tensors)
    prepared = args.out / f"{model}.prepared.onnx"
    quant_pre_process(str(reference), str(prepared))
    for calibration in calibrations:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            cache = Path(folder) / "ranges.json"
            calibrate(prepared, calibration, samples, cache)
            outs = {bits: args.out / f"{model}.ort-{calibration}-w{bits}.onnx" for bits in WEIGHT_BITS}
            for bits, out in outs.items():
                quantize(prepared, out, calibration, bits, cache)
        for bits, out in outs.items():
            method = {"calibration": calibration, "options": CALIBRATIONS[calibration][1], "weightBits": bits}
            yield {"model": model, **method, "samples": samples.source, **compare(reference, out, samples, args.rounds)}


def evaluate_pair(args: argparse.Namespace):
    reference, candidate = args.evaluate
    (model,) = args.models
    samples = load_samples(model, args.shared, args.tensors)
    files = {"reference": reference.name, "candidate": candidate.name}
    yield {"model": model, **files, "samples": samples.source, **compare(reference, candidate, samples, args.rounds)}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--calibrations", nargs="+", choices=CALIBRATIONS, default=list(CALIBRATIONS))
    parser.add_argument("--shared", type=Path, default=REPO.parent / "shared", help="folder with models/ and data/")
    parser.add_argument("--tensors", type=Path, help="folder with <model>/{calib,eval,labels}.npy to use as inputs")
    parser.add_argument("--out", type=Path, help="folder for the quantized files, outside the repository")
    parser.add_argument("--evaluate", nargs=2, type=Path, metavar=("FP32", "QUANTIZED"), help="only compare two files")
    parser.add_argument("--rounds", type=int, default=200, help="timed rounds, each with one run of both files")
    parser.add_argument("--results", type=Path, help="also write all figures to this JSON file")
    args = parser.parse_args()
    if args.evaluate and len(args.models) != 1:
        parser.error("--evaluate needs --models with the one model whose inputs to use")
    if not args.evaluate and (args.out is None or args.out.resolve().is_relative_to(REPO)):
        parser.error("--out must name a folder outside the repository")
    return args


def main() -> None:
    logging.disable(logging.WARNING)
    args = parse()
    if args.evaluate:
        rows = evaluate_pair(args)
    else:
        args.out.mkdir(parents=True, exist_ok=True)
        rows = (row for model in args.models for row in run_model(model, args.calibrations, args))
    where = environment()
    results = []
    for row in rows:
        print(json.dumps({**row, "environment": where}), flush=True)
        results.append(row)
    if args.results:
        text = json.dumps({"environment": where, "results": results}, indent=1)
        args.results.write_text(text + "\n")


if __name__ == "__main__":
    main()
