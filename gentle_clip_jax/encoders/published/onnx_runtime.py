"""EfficientNet-Lite0 by ONNX Runtime: on CPUs its convolutions take half as long as XLA's."""

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.encoders.efficientnet_lite import EfficientNetLite0, blocks

_OPSET, _IR = 18, 9  # of ONNX: what ONNX Runtime reads since 1.16


def runs(model: Any) -> bool:
    """Return whether `program` can run a model: EfficientNet-Lite0, with the packages installed."""
    is_there = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
    return isinstance(model, EfficientNetLite0) and is_there


def program(
    model: Any, params: Mapping[str, Any], threads: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from uint8 images [b, 224, 224, 3] to features, by a model that `runs`.

    It computes in float32, on the CPU.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait would turn on the cores that decode the next images.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    graph = _graph(model, params)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(None, {"images": images})[0])


def _graph(model: EfficientNetLite0, params: Mapping[str, Any]) -> bytes:
    """Return `EfficientNetLite0.__call__` as an ONNX graph, with channels first."""
    graph, stages = _Graph(), {}
    pixels = graph.add("Cast", graph.add("Transpose", "images", perm=[0, 3, 1, 2]), to=1)
    x = graph.add("Div", graph.add("Sub", pixels, np.float32(127)), np.float32(128))
    x = filtered = graph.relu6(graph.convolve(x, params["stem"], stride=2))
    width = 32
    for i, (features, _, stride, expansion) in enumerate(blocks()):
        block, h = params[f"block_{i}"], x
        if expansion > 1:
            h = graph.relu6(graph.convolve(h, block["expand"]))
        filtered = graph.relu6(graph.convolve(h, block["depthwise"], stride))
        h = graph.convolve(filtered, block["project"])
        x = graph.add("Add", x, h) if (stride, features) == (1, width) else h
        stages[features], width = x, features
    head = graph.mean(graph.relu6(graph.convolve(x, params["head"])))
    if not model.rich:
        return graph.returning(head)
    parts = [head, graph.mean(filtered), *graph.spread(stages[192]), *graph.spread(stages[320])]
    return graph.returning(graph.add("Concat", *parts, axis=1))


class _Graph:
    """An ONNX graph under construction; each node is referred to by its name."""

    def __init__(self) -> None:
        self._nodes, self._constants = [], []

    def add(self, operator: str, *inputs: str | np.ndarray | np.generic, **attributes: Any) -> str:
        """Add an operator on named nodes or constants; return its name."""
        from onnx import helper, numpy_helper

        names, output = [], f"{operator}_{len(self._nodes)}"
        for value in inputs:
            if not isinstance(value, str):
                name = f"constant_{len(self._constants)}"
                self._constants.append(numpy_helper.from_array(np.asarray(value), name))
                value = name
            names.append(value)
        self._nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def convolve(self, x: str, layer: Mapping[str, Any], stride: int = 1) -> str:
        """Add a `ConvNorm`, BatchNorm folded into the kernel; [k, k, 1, c] is depthwise."""
        kernel, scale, bias, mean, variance = (
            np.asarray(layer[name]) for name in ("kernel", "scale", "bias", "mean", "variance")
        )
        factor = scale / np.sqrt(variance + 1e-3)
        return self.add(
            "Conv",
            x,
            np.ascontiguousarray((kernel * factor).transpose(3, 2, 0, 1)),
            bias - mean * factor,
            auto_pad="SAME_UPPER",
            strides=[stride, stride],
            group=len(factor) if kernel.shape[2] == 1 else 1,
        )

    def relu6(self, x: str) -> str:
        return self.add("Clip", x, np.float32(0), np.float32(6))

    def mean(self, x: str, *, keepdims: bool = False) -> str:
        """Add the mean over all places."""
        return self.add("ReduceMean", x, np.array([2, 3]), keepdims=int(keepdims))

    def spread(self, x: str) -> tuple[str, str]:
        """Add the mean and deviation over all places."""
        centred = self.add("Sub", x, self.mean(x, keepdims=True))
        variance = self.mean(self.add("Mul", centred, centred))
        return self.mean(x), self.add("Sqrt", variance)

    def returning(self, output: str) -> bytes:
        """Return the graph as the bytes of an ONNX file."""
        from onnx import TensorProto, helper

        images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["b", 224, 224, 3])
        features = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["b", None])
        graph = helper.make_graph(self._nodes, "encoder", [images], [features], self._constants)
        opset = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=_IR).SerializeToString()
