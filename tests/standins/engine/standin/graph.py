"""ONNX -> OM: shapes fixed, outputs chosen, types said; refusals carry ATC's codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, shape_inference

from standin.om import DTYPES, Om, TensorInfo

ELEMENTS = {helper.np_dtype_to_tensor_dtype(np.dtype(dtype)): name for name, dtype in DTYPES.items()}
FLOATS = ("FP32", "FP16", "DOUBLE")
OUTPUT_TYPES = ("FP32", "FP16", "UINT8", "INT8")


class RefusalError(Exception):
    """What ATC says no to: a code and its text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def invalid(value: object, parameter: str, reason: str) -> RefusalError:
    """The refusal of a value."""
    return RefusalError("E10001", f"Value [{value}] for parameter [{parameter}] is invalid. Reason: {reason}")


def build(flags: dict[str, str], soc: str, *, tuned: bool) -> Om:
    """The OM that these flags of ATC or AOE ask for."""
    model = parse(flags["model"])
    fix_inputs(model, flags.get("input_shape", ""))
    chosen = chosen_outputs(model, flags.get("out_nodes", ""))
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in chosen)
    outputs = infer(model, chosen)
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(out.name, element(out.type), out.shape) for out in outputs)
    typed = typed_outputs(model, outputs, flags.get("output_type", ""))
    return Om(soc, tuple(info(value) for value in inputs_of(model)), typed, tuned, model.SerializeToString())


def parse(path: str) -> onnx.ModelProto:
    """The model, without what shape inference said about it earlier."""
    try:
        model = onnx.load(path)
    except Exception as error:
        raise RefusalError("E19999", f"Parse of the model [{path}] failed") from error
    domains = [entry.domain for entry in model.opset_import]
    if not model.graph.node or not domains:
        raise RefusalError("E19999", f"Parse of the model [{path}] failed: there is no graph in it")
    if len(set(domains)) != len(domains):
        raise RefusalError("E16005", f"The model has {len(domains)} opset imports of one domain")
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise RefusalError("E19010", f"No parser is registered for Op [{node.name}, optype [{node.op_type}]]")
    del model.graph.value_info[:]
    return model


def inputs_of(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Inputs that somebody must feed."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def element(name: str) -> int:
    """The type's number in ONNX."""
    return next(number for number, word in ELEMENTS.items() if word == name)


def info(value: onnx.ValueInfoProto) -> TensorInfo:
    """The tensor that a value with a fixed shape is."""
    tensor = value.type.tensor_type
    return TensorInfo(value.name, tuple(dim.dim_value for dim in tensor.shape.dim), ELEMENTS[tensor.elem_type])


def shapes_of(text: str) -> dict[str, list[int]]:
    """`name:1,3,4,4;other:1,2` by name; a blank after the colon is no harm."""
    shapes = {}
    for part in filter(None, (entry.strip() for entry in text.split(";"))):
        name, colon, dims = part.rpartition(":")
        try:
            shapes[name.strip()] = [int(dim) for dim in dims.split(",")]
        except ValueError:
            colon = ""
        if not colon:
            raise RefusalError("E10002", f"Parameter [--input_shape] is [{text}], which is not name:dims;name:dims")
    return shapes


def fix_inputs(model: onnx.ModelProto, text: str) -> None:
    """Give inputs the shapes of `--input_shape`; none may be left open."""
    values = {value.name: value for value in inputs_of(model)}
    for name, dims in shapes_of(text).items():
        if name not in values:
            raise RefusalError("E10016", f"Opname [{name}] of parameter [--input_shape] is not in the model")
        shape = values[name].type.tensor_type.shape
        if len(dims) != len(shape.dim):
            raise invalid(dims, "--input_shape", f"the model has {len(shape.dim)} dimensions there")
        for dim, size in zip(shape.dim, dims, strict=True):
            dim.dim_value = size
    for name, value in values.items():
        if any(dim.dim_value <= 0 for dim in value.type.tensor_type.shape.dim):
            raise invalid(-1, "--input_shape", f"the shape of the input [{name}] is dynamic and is not given")


def tensor_of(model: onnx.ModelProto, text: str, parameter: str) -> str:
    """The tensor that `node:index` means."""
    name, _, index = text.strip().rpartition(":")
    node = next((node for node in model.graph.node if node.name == name and name), None)
    if node is None:
        raise RefusalError("E10016", f"Opname [{name or index}] of parameter [{parameter}] is not in the model")
    if not index.isdecimal() or int(index) >= len(node.output):
        raise invalid(text, parameter, f"the node has {len(node.output)} outputs")
    return node.output[int(index)]


def chosen_outputs(model: onnx.ModelProto, text: str) -> list[str]:
    """Names of the tensors that `--out_nodes` asks for, or else of the model's own outputs."""
    if not text:
        return [value.name for value in model.graph.output]
    return [tensor_of(model, part, "--out_nodes") for part in text.split(";") if part.strip()]


def infer(model: onnx.ModelProto, names: list[str]) -> list[TensorInfo]:
    """Shapes and types of these tensors: by inference, and by one run where that leaves something open."""
    try:
        known = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except shape_inference.InferenceError as error:
        raise RefusalError("E19999", f"Infershape failed: {error}") from error
    values = {value.name: value for value in (*known.input, *known.value_info, *known.output)}
    if all(is_fixed(values.get(name)) for name in names):
        return [info(values[name]) for name in names]
    return infer_by_run(model, names)


def is_fixed(value: onnx.ValueInfoProto | None) -> bool:
    """Whether type and every dimension are known."""
    if value is None or not value.type.tensor_type.HasField("shape"):
        return False
    tensor = value.type.tensor_type
    return tensor.elem_type != TensorProto.UNDEFINED and all(dim.dim_value > 0 for dim in tensor.shape.dim)


def infer_by_run(model: onnx.ModelProto, names: list[str]) -> list[TensorInfo]:
    """Shapes and types as ONNX Runtime makes them from zeros."""
    import onnxruntime  # noqa: PLC0415  # slow, and seldom needed

    feeds = {tensor.name: np.zeros(tensor.shape, DTYPES[tensor.type]) for tensor in map(info, inputs_of(model))}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        arrays = session.run(names, feeds)
    except Exception as error:
        raise RefusalError("E19999", f"Infershape failed: {error}") from error
    words = {np.dtype(dtype): word for word, dtype in DTYPES.items()}
    return [TensorInfo(name, array.shape, words[array.dtype]) for name, array in zip(names, arrays, strict=True)]


def typed_outputs(model: onnx.ModelProto, outputs: Iterable[TensorInfo], text: str) -> tuple[TensorInfo, ...]:
    """Outputs in the types of `--output_type`: one for every float output, or `node:index:TYPE` for some."""
    if not text:
        return tuple(outputs)
    if text in OUTPUT_TYPES:
        return tuple(replace(out, type=text) if out.type in FLOATS else out for out in outputs)
    types = {}
    for part in filter(None, text.split(";")):
        place, _, word = part.strip().rpartition(":")
        if word not in OUTPUT_TYPES or not place:
            raise invalid(text, "--output_type", f"only {', '.join(OUTPUT_TYPES)} and node:index:TYPE are legal")
        types[tensor_of(model, place, "--output_type")] = word
    return tuple(replace(out, type=types.get(out.name, out.type)) for out in outputs)
