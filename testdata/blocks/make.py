"""Writes the block vectors of this folder; see README.md.

    python make.py PATH/TO/quant_numpy.py

Needs numpy and the `gguf` package (the latter for the Q8_0 encoder only).
"""
import importlib.util
import pathlib
import sys

import gguf
import numpy as np

HERE = pathlib.Path(__file__).parent
N_BLOCKS = 16


def load(path):
    spec = importlib.util.spec_from_file_location("quant_numpy", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(name, *arrays):
    (HERE / name).write_bytes(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))


def scales(rng):
    """F16 scales: zero, the least subnormal, a large one, and random ones of both signs"""
    values = rng.standard_normal(N_BLOCKS).astype("<f2")
    values[:3] = [0, 2.0**-24, -1000]
    return values.view(np.uint8).reshape(N_BLOCKS, 2)


def main():
    oracle = load(sys.argv[1])
    rng = np.random.default_rng(20260521)

    for name, decode, n_bytes, f16_at in [
        ("q8_0", oracle.q8_0, 34, [0]),
        ("q2_k", oracle.q2_k, 84, [80, 82]),
        ("q4_k", oracle.q4_k, 144, [0, 2]),
        ("iq2_xxs", oracle.iq2_xxs, 66, [0]),
        ("mxfp4", oracle.mxfp4_gguf, 17, []),
    ]:
        raw = rng.integers(0, 256, (N_BLOCKS, n_bytes), dtype=np.uint8)
        for at in f16_at:
            raw[:, at:at + 2] = rng.permutation(scales(rng))
        if name == "mxfp4":                     # 255 is NaN; 254 makes some products infinite
            raw[:, 0] = rng.integers(100, 150, N_BLOCKS)
            raw[:3, 0] = [0, 1, 254]
        write(f"{name}.bin", raw)
        with np.errstate(over="ignore"):
            write(f"{name}.f32", decode(raw.reshape(-1)).astype("<f4"))

    write("iq2_xxs_grid.f32", oracle.iq2xxs_grid().astype("<f4"))
    write("iq2_xxs_signs.f32", oracle.iq2xxs_signs().astype("<f4"))

    codes = np.arange(256, dtype=np.uint8)
    write("e4m3.f32", oracle.e4m3(codes).astype("<f4"))
    write("e8m0.f32", oracle.e8m0(codes[:255]).astype("<f4"))

    weights = rng.integers(0, 256, (3, 300), dtype=np.uint8)
    weights[(weights & 127) == 127] = 0         # no NaN in a checkpoint
    scale = rng.integers(110, 140, (1, 3), dtype=np.uint8)
    write("fp8.bin", weights, scale)
    write("fp8.f32", oracle.fp8_128x128(weights, scale).astype("<f4"))

    packed = rng.integers(0, 256, (3, 48), dtype=np.uint8)
    scale = rng.integers(110, 140, (3, 3), dtype=np.uint8)
    write("fp4.bin", packed, scale)
    write("fp4.f32", oracle.fp4_released(packed, scale).astype("<f4"))

    weights = rng.standard_normal((N_BLOCKS, 32)).astype("<f4") * np.float32(0.05)
    weights[0] = 0
    weights[1] = np.arange(-16, 16) / np.float32(2)     # exact ties between two codes
    weights[1, 0] = 127
    weights[2] *= np.float32(1e-7)                      # the stored scale is a subnormal F16
    write("q8_0_encode.f32", weights)
    write("q8_0_encode.bin", gguf.quants.quantize(weights, gguf.GGMLQuantizationType.Q8_0))


if __name__ == "__main__":
    main()
