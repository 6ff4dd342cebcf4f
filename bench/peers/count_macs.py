"""Reference counts of multiply-accumulates and parameters, for tests of lithe's own counter.

`macs` and `params` come from the PyPI package onnx-tool as it reports them. `convGemmMacs` follows from onnx shape
inference alone: the products of Conv, Gemm and MatMul, without bias additions. The two are checked against each other
per layer before anything is written. `floatParams` counts every float initializer element, scalars included;
`runningStatistics` is the part of it that is BatchNormalization means and variances.
"""

import argparse
import contextlib
import io
import json
from importlib.metadata import version
from math import prod
from pathlib import Path

import onnx
import onnx_tool

REPO = Path(__file__).resolve().parents[2]
INPUTS = {
    "squeezenet1.1": [1, 3, 224, 224],
    "cifar10-resnet20": [1, 3, 32, 32],
    "cifar10-resnet56": [1, 3, 32, 32],
    "mcunet-320kb": [1, 3, 176, 176],
    "yolox-nano": [1, 3, 416, 416],
}
FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16}

CONVENTION = (
    "onnx-tool counts arithmetic steps, not only multiply-accumulates. Conv, Gemm and MatMul: one per product, plus "
    "one per output element when there is a bias. BatchNormalization: 31 per element (sqrt 24, division 4, three "
    "others). Relu, Add, Mul: 1 per element; Clip 2; Sigmoid 32; MaxPool: kernel volume per output element; "
    "GlobalAveragePool: 1 per input element plus 4 per output. Data movement: 0. Parameters: elements of every "
    "initializer that a node reads, BatchNormalization running mean and variance and integer tensors included; "
    "scalars (rank 0) count as 0."
)

RESNET_SOURCE = (
    "macs: chenyaofo/pytorch-cifar-models, which adds two 1x1 shortcut convolutions that this model lacks; "
    "params: He et al. 2015, table 6, and akamaster/pytorch_resnet_cifar10"
)

# As their sources print them, in multiply-accumulates.
PUBLISHED = {
    "squeezenet1.1": {
        "macs": 0.349e9,
        "params": 1_235_496,
        "source": "torchvision SqueezeNet1_1_Weights: _ops 0.349 (one per multiply-accumulate), num_params",
    },
    "cifar10-resnet20": {
        "macs": 40.81e6,
        "params": 0.27e6,
        "source": RESNET_SOURCE,
    },
    "cifar10-resnet56": {
        "macs": 125.75e6,
        "params": 0.85e6,
        "source": RESNET_SOURCE,
    },
    "mcunet-320kb": {"macs": 81.8e6, "params": 0.74e6, "source": "mit-han-lab/mcunet README"},
    "yolox-nano": {
        "macs": 0.54e9,
        "params": 0.91e6,
        "source": "Megvii-BaseDetection/YOLOX README: 1.08 GFLOPs at 416, two per multiply-accumulate",
    },
}


def count(model: str, path: Path) -> dict:
    shape = INPUTS[model]
    proto = fixed_shapes(onnx.load(path), shape)
    layers = product_layers(proto)
    graph = profile(proto)
    check_against_tool(layers, graph)
    return {
        "input": shape,
        "macs": int(graph.macs[0]),
        "params": int(graph.params),
        "convGemmMacs": sum(layer["macs"] for layer in layers),
        "floatParams": sum(prod(tensor.dims) for tensor in proto.graph.initializer if tensor.data_type in FLOATS),
        "runningStatistics": running_statistics(proto),
        "tool": "onnx-tool",
        "version": version("onnx-tool"),
        "convention": CONVENTION,
        "published": PUBLISHED[model],
        "layers": layers,
    }


def fixed_shapes(proto: onnx.ModelProto, shape: list[int]) -> onnx.ModelProto:
    for dim, size in zip(proto.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dim.dim_value = size
    return onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)


def product_layers(proto: onnx.ModelProto) -> list[dict]:
    """Conv, Gemm and MatMul with their multiply-accumulates; `node` is the node's name, else its first output."""
    shapes = known_shapes(proto)
    return [
        {"node": node.name or node.output[0], "output": node.output[0], "op": node.op_type, "macs": macs}
        for node in proto.graph.node
        if (macs := products(node, shapes)) is not None
    ]


def known_shapes(proto: onnx.ModelProto) -> dict[str, list[int]]:
    values = [*proto.graph.input, *proto.graph.value_info, *proto.graph.output]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    return shapes | {tensor.name: list(tensor.dims) for tensor in proto.graph.initializer}


def products(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int | None:
    """Output elements times the length of the sum behind each of them."""
    if node.op_type == "Conv":
        return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
    if node.op_type == "MatMul":
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]
    return None


def running_statistics(proto: onnx.ModelProto) -> int:
    """Elements of BatchNormalization means and variances: float initializers that published counts leave out."""
    read = {name for node in proto.graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
    return sum(prod(tensor.dims) for tensor in proto.graph.initializer if tensor.name in read)


def profile(proto: onnx.ModelProto):
    with contextlib.redirect_stdout(io.StringIO()):
        graph = onnx_tool.Model(proto).graph
        graph.shape_infer()
        graph.profile()
    return graph


def check_against_tool(layers: list[dict], graph) -> None:
    """Each layer's products equal the tool's figure less one addition per output element where there is a bias."""
    by_output = {node.output[0]: node for node in graph.nodemap.values()}
    for layer in layers:
        node = by_output[layer["output"]]
        bias = prod(node.outshape) if len(node.input) == 3 else 0
        counted = node.macs[0] - bias
        if layer["macs"] != counted:
            raise ValueError(f"{layer['output']}: shape inference gives {layer['macs']}, onnx-tool {counted}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=REPO.parent / "shared", help="folder with models/")
    parser.add_argument("--out", type=Path, default=REPO / "test" / "fixtures" / "counts" / "counts.json")
    args = parser.parse_args()
    counts = {model: count(model, args.shared / "models" / f"{model}.onnx") for model in INPUTS}
    args.out.write_text(json.dumps(counts, indent=1) + "\n")
    for model, row in counts.items():
        print(model, {key: row[key] for key in ("macs", "params", "convGemmMacs", "floatParams", "runningStatistics")})


if __name__ == "__main__":
    main()
