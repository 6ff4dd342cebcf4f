"""Calibration and evaluation inputs of the peer comparison, preprocessed as each model expects.

Calibration and evaluation never share a picture. The splits are fixed: every fifth ImageNet sample calibrates and the
others evaluate; the first 256 CIFAR-10 training records calibrate and the whole test file evaluates.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
STD = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
CIFAR_RECORD = 1 + 3 * 32 * 32
CIFAR_CALIBRATION = 256

# model name -> (data set, side of the square input)
MODELS = {
    "squeezenet1.1": ("imagenet-samples", 224),
    "mcunet-320kb": ("imagenet-samples", 176),
    "cifar10-resnet20": ("cifar10", 32),
    "cifar10-resnet56": ("cifar10", 32),
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
    data_set, side = MODELS[model]
    if data_set == "cifar10":
        return load_cifar(shared / "data" / data_set)
    return load_imagenet(shared / "data" / data_set, side)


def normalise(pixels: np.ndarray) -> np.ndarray:
    return (pixels.astype(np.float32) / 255 - MEAN) / STD


def load_cifar(folder: Path) -> Samples:
    calib, _ = read_cifar(folder / "train-20000.bin", CIFAR_CALIBRATION)
    images, labels = read_cifar(folder / "test-5000.bin")
    return Samples(calib, images, labels, source="cifar10: train[0:256], test-5000")


def read_cifar(path: Path, count: int = -1) -> tuple[np.ndarray, np.ndarray]:
    size = count * CIFAR_RECORD if count > 0 else -1
    records = np.fromfile(path, np.uint8, size).reshape(-1, CIFAR_RECORD)
    return normalise(records[:, 1:].reshape(-1, 3, 32, 32)), records[:, 0].astype(np.int64)


def load_imagenet(folder: Path, side: int) -> Samples:
    index = json.loads((folder / "index.json").read_text())
    images = np.stack([read_picture(folder / row["file"], side) for row in index])
    labels = np.array([row["class"] for row in index], np.int64)
    calibrates = np.arange(len(index)) % 5 == 0
    source = "imagenet-samples: calibrate on index % 5 == 0, evaluate on the rest"
    return Samples(images[calibrates], images[~calibrates], labels[~calibrates], source)


def read_picture(path: Path, side: int) -> np.ndarray:
    """Shorter side to side / 0.875 (bilinear), centre crop, RGB / 255, ImageNet mean and standard deviation."""
    picture = Image.open(path).convert("RGB")
    shorter = round(side / 0.875)
    if min(picture.size) != shorter:
        scale = shorter / min(picture.size)
        picture = picture.resize([round(extent * scale) for extent in picture.size], Image.Resampling.BILINEAR)
    left, top = ((extent - side) // 2 for extent in picture.size)
    picture = picture.crop((left, top, left + side, top + side))
    return normalise(np.asarray(picture).transpose(2, 0, 1))
