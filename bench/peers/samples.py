"""Calibration and evaluation inputs of the peer comparison, preprocessed as each model expects.

Calibration and evaluation never share a picture. The splits are fixed: every fifth ImageNet sample calibrates and the
others evaluate; the first 256 CIFAR-10 training records calibrate and the whole test file evaluates.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CIFAR_CALIBRATION = 256

# model name -> (data set, side of the square input, mean and standard deviation of RGB / 255)
# MCUNet was trained and is evaluated by its authors with 0.5 and 0.5; ImageNet's constants cost it 20 points here.
MODELS = {
    "squeezenet1.1": ("imagenet-samples", 224, IMAGENET),
    "mcunet-320kb": ("imagenet-samples", 176, HALVES),
    "cifar10-resnet20": ("cifar10", 32, IMAGENET),
    "cifar10-resnet56": ("cifar10", 32, IMAGENET),
}


@dataclass
class Samples:
    calib: np.ndarray
    eval: np.ndarray
    labels: np.ndarray
    source: str


def load_samples(model: str, shared: Path, tensors: Path | None) -> Samples:
    """Inputs for `model`: from `tensors`/<model>/{calib,eval,labels}.npy when given, else preprocessed here."""
    if tensors is not None:
        folder = tensors / model
        arrays = [np.load(folder / f"{part}.npy") for part in ("calib", "eval", "labels")]
        return Samples(*arrays, source="npy")
    data_set, side, constants = MODELS[model]
    load = load_cifar if data_set == "cifar10" else load_imagenet
    samples = load(shared / "data" / data_set, side)
    samples.calib = normalise(samples.calib, *constants)
    samples.eval = normalise(samples.eval, *constants)
    return samples


def normalise(pixels: np.ndarray, mean: tuple, std: tuple) -> np.ndarray:
    mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in (mean, std))
    return (pixels.astype(np.float32) / 255 - mean) / std


def load_cifar(folder: Path, side: int) -> Samples:
    calib, _ = read_cifar(folder / "train-20000.bin", side, CIFAR_CALIBRATION)
    images, labels = read_cifar(folder / "test-5000.bin", side)
    return Samples(calib, images, labels, source="cifar10: train[0:256], test-5000")


def read_cifar(path: Path, side: int, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    records = np.fromfile(path, np.uint8).reshape(-1, 1 + 3 * side * side)[:count]
    return records[:, 1:].reshape(-1, 3, side, side), records[:, 0].astype(np.int64)


def load_imagenet(folder: Path, side: int) -> Samples:
    index = json.loads((folder / "index.json").read_text())
    images = np.stack([read_picture(folder / row["file"], side) for row in index])
    labels = np.array([row["class"] for row in index], np.int64)
    calibrates = np.arange(len(index)) % 5 == 0
    source = "imagenet-samples: calibrate on index % 5 == 0, evaluate on the rest"
    return Samples(images[calibrates], images[~calibrates], labels[~calibrates], source)


def read_picture(path: Path, side: int) -> np.ndarray:
    """RGB planes of a picture with its shorter side scaled to side / 0.875 (bilinear), then cropped at the centre."""
    picture = Image.open(path).convert("RGB")
    shorter = round(side / 0.875)
    if min(picture.size) != shorter:
        scale = shorter / min(picture.size)
        picture = picture.resize([round(extent * scale) for extent in picture.size], Image.Resampling.BILINEAR)
    left, top = ((extent - side) // 2 for extent in picture.size)
    picture = picture.crop((left, top, left + side, top + side))
    return np.asarray(picture).transpose(2, 0, 1)
