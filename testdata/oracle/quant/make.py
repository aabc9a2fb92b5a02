"""Errors of ggml's own encoders: `python make.py PATH/TO/libggml-base.so > errors.txt`.

The library must export `ggml_quantize_chunk`; wheels on PyPI that contain ggml ship it, and the
README says which one was used. Decoding is by the `gguf` package, errors are in F64.

`python make.py --trained silero_vad_16k.safetensors` writes `trained.f16` and `outliers.f16`, the
weights that are not made from a seed, instead.
"""

import ctypes
import json
import math
import pathlib
import struct
import sys

import gguf
import numpy as np

MASK = (1 << 64) - 1
ROWS, COLUMNS = 8, 2048
HERE = pathlib.Path(__file__).parent
# Tensors of a small network for speech, trained in full precision; the second has large outliers.
TRAINED = {"trained": "lstm_cell.weight_ih", "outliers": "conv2.weight"}
CASES = ["normal", "heavy", *TRAINED]
TYPES = ["Q8_0", "Q4_K", "Q2_K", "IQ2_XXS", "MXFP4"]


class Bits:
    """SplitMix64: the same numbers in any language."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) / (1 << 53)

    def normal(self):
        """Nearly: the sum of twelve uniforms, which is exact enough to be the same everywhere."""
        total = 0.0
        for _ in range(12):
            total += self.uniform()
        return total - 6.0


def weights(case):
    if case in TRAINED:
        return np.fromfile(HERE / f"{case}.f16", "<f2").astype(np.float32).reshape(ROWS, COLUMNS)
    bits = Bits({"normal": 1, "heavy": 2}[case])
    values = []
    for _ in range(ROWS * COLUMNS):
        value = bits.normal() * 0.02
        # A product of two normals has tails like a Laplace distribution's.
        values.append(value * bits.normal() if case == "heavy" else value)
    return np.array(values, np.float64).astype(np.float32).reshape(ROWS, COLUMNS)


def importance():
    """Mean squares of activations, most of them small and a few large."""
    bits = Bits(3)
    return np.array([(bits.normal() * bits.normal()) ** 2 + 0.01 for _ in range(COLUMNS)], np.float64).astype(np.float32)


def encode(library, kind, x, weight):
    rows, columns = x.shape
    block, size = gguf.GGML_QUANT_SIZES[kind]
    out = np.zeros((rows, columns // block * size), np.uint8)
    pointer = lambda a: None if a is None else a.ctypes.data_as(ctypes.c_void_p)
    library.ggml_quantize_chunk(
        ctypes.c_int(kind), pointer(x), pointer(out), ctypes.c_int64(0), ctypes.c_int64(rows), ctypes.c_int64(columns), pointer(weight)
    )
    return gguf.dequantize(out, kind).reshape(rows, columns)


def extract(path):
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = json.loads(data[8 : 8 + length])
    for case, name in TRAINED.items():
        start = 8 + length + tensors[name]["data_offsets"][0]
        np.frombuffer(data, "<f4", ROWS * COLUMNS, start).astype("<f2").tofile(HERE / f"{case}.f16")


def main():
    if sys.argv[1] == "--trained":
        return extract(sys.argv[2])
    library = ctypes.CDLL(sys.argv[1])
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    print("# weights type importance rmse weighted_rmse, relative to the root mean square of the weights")
    for case in CASES:
        x, c = np.ascontiguousarray(weights(case)), importance()
        for name in TYPES:
            kind = gguf.GGMLQuantizationType[name]
            for given in [False, True]:
                # ggml refuses IQ2_XXS without importance; ones are the same as none.
                weight = c if given else np.ones_like(c) if name == "IQ2_XXS" else None
                error = (encode(library, kind, x, weight).astype(np.float64) - x) ** 2
                plain = math.sqrt(error.mean() / (x.astype(np.float64) ** 2).mean())
                weighted = math.sqrt((error * c).sum() / (x.astype(np.float64) ** 2 * c).sum())
                print(case, name, "given" if given else "none", f"{plain:.6f} {weighted:.6f}")


if __name__ == "__main__":
    main()
