"""Every output format of resize_normalize, against NumPy and ONNX's QuantizeLinear."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from support.camera_images import camera_image

from tundish_kernels import ImageOutput, Quantization, Window, resize_normalize, resize_normalize_into

SCALE, MEAN, STD = 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE = (19, 300)
WINDOW = Window(17, 290, -1, -5)
PAD = (114, 7, 200)


def produced(output: ImageOutput, **arguments: Any) -> NDArray[Any]:
    normalization: dict[str, Any] = {"scale": SCALE, "mean": MEAN, "std": STD} | arguments
    image = camera_image("rgb", 40, 400)
    return resize_normalize(
        [image, image[::-1]],
        [WINDOW, Window.stretch(SIZE)],
        size=SIZE,
        filter="bilinear",
        pad=PAD,
        output=output,
        **normalization,
    )


def quantized_by_onnx(values: NDArray[np.float32], quantization: Quantization, dtype: str) -> NDArray[Any]:
    zero_point = np.array(quantization.zero_point, dtype)
    node = onnx.helper.make_node("QuantizeLinear", ["x", "scale", "zero_point"], ["y"])
    kinds = {"int8": onnx.TensorProto.INT8, "uint8": onnx.TensorProto.UINT8}
    graph = onnx.helper.make_graph(
        [node],
        "quantize",
        [
            onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, None),
            onnx.helper.make_tensor_value_info("scale", onnx.TensorProto.FLOAT, []),
            onnx.helper.make_tensor_value_info("zero_point", kinds[dtype], []),
        ],
        [onnx.helper.make_tensor_value_info("y", kinds[dtype], None)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    inputs = {"x": values, "scale": np.float32(quantization.scale), "zero_point": zero_point}
    results: Any = ReferenceEvaluator(model).run(None, inputs)
    return np.asarray(results[0])


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int8"])
@pytest.mark.parametrize("normalization", [{}, {"scale": 1.0, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}])
def test_layout_is_a_transposition(dtype: Any, normalization: dict[str, Any]) -> None:
    planar = produced(ImageOutput(dtype=dtype), **normalization)
    interleaved = produced(ImageOutput(dtype=dtype, layout="hwc"), **normalization)
    assert interleaved.shape == (2, *SIZE, 3)
    assert planar.dtype == interleaved.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(interleaved, planar.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("layout", ["chw", "hwc"])
def test_order_reverses_the_channels_but_not_their_parameters(layout: Any) -> None:
    axis = 1 if layout == "chw" else 3
    grey = {"mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2)}
    rgb = produced(ImageOutput(layout=layout, order="rgb"), **grey)
    bgr = produced(ImageOutput(layout=layout, order="bgr"), **grey)
    shown = (slice(1, 18), slice(5, 295))
    index = (0, slice(None), *shown) if layout == "chw" else (0, *shown, slice(None))
    np.testing.assert_array_equal(bgr[index], np.flip(rgb, axis)[index])

    by_channel = produced(ImageOutput(layout=layout, order="bgr"))
    first = np.take(by_channel, 0, axis)[1]  # blue, with the first mean and std
    blue = np.take(produced(ImageOutput(layout=layout), mean=MEAN[::-1], std=STD[::-1]), 2, axis)[1]
    np.testing.assert_array_equal(first, blue)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int8"])
@pytest.mark.parametrize("layout", ["chw", "hwc"])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_pad_is_a_colour_in_the_outputs_order(dtype: Any, layout: Any, order: Any) -> None:
    quantization = Quantization(0.03, 5) if dtype == "int8" else None
    output = ImageOutput(dtype=dtype, layout=layout, order=order, quantization=quantization)
    padding = produced(output)[0]
    corner = padding[:, 0, 0] if layout == "chw" else padding[0, 0]
    flat = np.array(PAD, np.uint8).reshape(1, 1, 3)
    if order == "bgr":
        flat = flat[..., ::-1].copy()
    expected = resize_normalize(
        [flat], [Window.stretch((1, 1))], size=(1, 1), filter="nearest", scale=SCALE, mean=MEAN, std=STD, output=output
    )
    np.testing.assert_array_equal(corner, expected.ravel())


def test_float16_is_the_float32_rounded() -> None:
    for scale in (SCALE, 1e-7, 3e-6, 30.0):  # subnormal, at the edge of normal, and large halves
        floats = produced(ImageOutput(), scale=scale)
        halves = produced(ImageOutput(dtype="float16"), scale=scale)
        np.testing.assert_array_equal(halves, floats.astype(np.float16))


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(["uint8", "int8"]),
    scale=st.one_of(st.floats(2**-12, 10.0, width=32), st.sampled_from([0.5, 2.0, 1 / 255, 1e-6, 1e30])),
    zero_point=st.integers(-128, 255),
    normalization=st.sampled_from([{}, {"scale": 1.0, "mean": (0.0, 1.0, 128.0), "std": (1.0, 1.0, 2.0)}]),
    layout=st.sampled_from(["chw", "hwc"]),
)
def test_integers_are_quantised_as_onnx_does(
    dtype: Any, scale: float, zero_point: int, normalization: dict[str, Any], layout: Any
) -> None:
    low, high = (-128, 127) if dtype == "int8" else (0, 255)
    quantization = Quantization(scale, min(max(zero_point, low), high))
    floats = produced(ImageOutput(layout=layout), **normalization)
    integers = produced(ImageOutput(dtype=dtype, layout=layout, quantization=quantization), **normalization)
    np.testing.assert_array_equal(integers, quantized_by_onnx(floats, quantization, dtype))


def test_uint8_without_parameters_holds_the_pixels() -> None:
    image = camera_image("rgb", 33, 65)
    output = resize_normalize(
        [image],
        [Window.stretch((33, 65))],
        size=(33, 65),
        filter="bilinear",
        output=ImageOutput(dtype="uint8", layout="hwc"),
    )
    np.testing.assert_array_equal(output[0], image)


def test_integers_without_quantisation_are_rounded_values() -> None:
    floats = produced(ImageOutput(), scale=1.0, mean=(128.0, 128.5, 129.0), std=(1.0, 2.0, 0.5))
    signed = produced(ImageOutput(dtype="int8"), scale=1.0, mean=(128.0, 128.5, 129.0), std=(1.0, 2.0, 0.5))
    np.testing.assert_array_equal(signed, np.clip(np.rint(floats), -128, 127).astype(np.int8))


def test_into_takes_the_output_too() -> None:
    output = ImageOutput(dtype="int8", layout="hwc", order="bgr", quantization=Quantization(0.02, -3))
    image = camera_image("yuyv", 20, 30)
    arguments: dict[str, Any] = {"format": "yuyv", "filter": "bilinear", "antialias": False, "output": output}
    destination = np.full((1, 11, 13, 3), 99, np.int8)
    window = [Window.letterbox((20, 30), (11, 13))]
    resize_normalize_into(destination, [image], window, **arguments)
    np.testing.assert_array_equal(destination, resize_normalize([image], window, size=(11, 13), **arguments))
