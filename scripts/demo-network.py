"""Trains the network of `lithe demo` and writes it as ONNX with its BatchNormalization nodes.

  npm run build
  node scripts/export-glyphs.mjs train 40000 /tmp/glyphs-train.bin
  node scripts/export-glyphs.mjs test 5000 /tmp/glyphs-test.bin
  python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.13.0 onnx==1.23.2 onnxruntime==1.30.0
  /tmp/venv/bin/python scripts/demo-network.py /tmp/glyphs-train.bin /tmp/glyphs-test.bin assets/demo/glyph-net.onnx
"""

import argparse
import json
import time

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

CLASSES = 10
STAGES = ((32, 1), (64, 2), (96, 2))
BLOCKS = 2


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016, arXiv:1512.03385)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.project = stride != 1 or inputs != outputs
        if self.project:
            self.conv3 = nn.Conv2d(inputs, outputs, 1, stride, 0, bias=False)
            self.norm3 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return F.relu(y + (self.norm3(self.conv3(x)) if self.project else x))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        width = STAGES[0][0]
        self.stem = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        blocks = []
        for outputs, stride in STAGES:
            for index in range(BLOCKS):
                blocks.append(Block(width, outputs, stride if index == 0 else 1))
                width = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


def read_records(path):
    records = np.fromfile(path, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 127.5 - 1)
    images = images.contiguous(memory_format=torch.channels_last)
    return images, torch.from_numpy(records[:, 0].astype(np.int64))


def train(network, images, labels, epochs, batch, rate):
    steps = epochs * (len(images) // batch)
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.2)
    network.train()
    for epoch in range(epochs):
        order = torch.randperm(len(images))
        total = 0.0
        for start in range(0, len(images) - batch + 1, batch):
            rows = order[start : start + batch]
            loss = F.cross_entropy(network(images[rows]), labels[rows], label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / (len(images) // batch):.4f}", flush=True)


def to_onnx(network):
    """The graph written node by node, so that names are readable and nothing is fused."""
    nodes, weights = [], []

    def weight(name, value):
        weights.append(numpy_helper.from_array(value.detach().contiguous().numpy().copy(), name))
        return name

    def node(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def conv_norm(x, name, conv, norm):
        size, stride, pad = conv.kernel_size, conv.stride, conv.padding
        y = node("Conv", [x, weight(f"{name}.weight", conv.weight)], f"{name}.conv",
                 kernel_shape=size, strides=stride, pads=pad + pad)
        parts = {"scale": norm.weight, "bias": norm.bias, "mean": norm.running_mean, "var": norm.running_var}
        inputs = [weight(f"{name}.norm.{key}", value) for key, value in parts.items()]
        return node("BatchNormalization", [y, *inputs], f"{name}.norm", epsilon=norm.eps)

    x = conv_norm("image", "stem", network.stem, network.norm)
    x = node("Relu", [x], "stem.relu")
    x = node("MaxPool", [x], "stem.pool", kernel_shape=[2, 2], strides=[2, 2])
    for index, block in enumerate(network.blocks):
        name = f"block{index + 1}"
        y = node("Relu", [conv_norm(x, f"{name}.1", block.conv1, block.norm1)], f"{name}.1.relu")
        y = conv_norm(y, f"{name}.2", block.conv2, block.norm2)
        shortcut = conv_norm(x, f"{name}.shortcut", block.conv3, block.norm3) if block.project else x
        x = node("Relu", [node("Add", [y, shortcut], f"{name}.add")], f"{name}.relu")
    x = node("Flatten", [node("GlobalAveragePool", [x], "pool")], "features", axis=1)
    head = [weight("head.weight", network.head.weight), weight("head.bias", network.head.bias)]
    node("Gemm", [x, *head], "logits", transB=1)
    graph = helper.make_graph(
        nodes,
        "glyph-net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        weights,
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8, producer_name="lithe demo-network.py")
    onnx.checker.check_model(model, full_check=True)
    return model


def evaluate(path, images, labels):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    logits = np.concatenate([session.run(None, {"image": part.contiguous().numpy()})[0] for part in images.split(100)])
    right = logits.argmax(1) == labels.numpy()
    per_class = [round(float(right[labels.numpy() == index].mean()), 4) for index in range(CLASSES)]
    return logits, float(right.mean()), per_class


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    images, labels = read_records(options.train)
    network = Network().to(memory_format=torch.channels_last)
    started = time.process_time()
    train(network, images, labels, options.epochs, options.batch, options.rate)
    seconds = time.process_time() - started

    network.eval()
    onnx.save(to_onnx(network), options.out)
    images, labels = read_records(options.test)
    logits, accuracy, per_class = evaluate(options.out, images, labels)
    with torch.no_grad():
        difference = np.abs(logits - torch.cat([network(part) for part in images.split(100)]).numpy()).max()
    print(json.dumps({
        "parameters": sum(value.numel() for value in network.parameters()),
        "accuracy": round(accuracy, 4),
        "perClass": per_class,
        "samples": len(labels),
        "largestDifferenceToTorch": float(difference),
        "cpuSeconds": round(seconds),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "options": {key: value for key, value in vars(options).items() if key not in ("train", "test", "out")},
    }))


if __name__ == "__main__":
    main()
