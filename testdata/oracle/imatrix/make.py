"""Sums of squares of what each matrix of the tiny checkpoint is multiplied with, and perplexity.

`PYTHONPATH=FOLDER_OF_dsv4_numpy python make.py` writes `squares.npz`. The model is the numpy model of
the tiny checkpoint's logits, in F64 with the roundings that are always on; the arrays of its weights
report the products that they are part of.
"""

import collections
import pathlib
import re

import dsv4_numpy as D
import numpy as np

HERE = pathlib.Path(__file__).parent
CHECKPOINT = HERE.parent / "tiny_nano"
CHUNK = 64
BOS, FIRST_BYTE = 0, 3

LAYER = {
    "attn.wq_a": "attn_q_a",
    "attn.wq_b": "attn_q_b",
    "attn.wkv": "attn_kv",
    "attn.wo_a": "attn_output_a",
    "attn.wo_b": "attn_output_b",
    "attn.compressor.wkv": "attn_compressor_kv",
    "attn.compressor.wgate": "attn_compressor_gate",
    "attn.indexer.wq_b": "indexer.attn_q_b",
    "attn.indexer.weights_proj": "indexer.proj",
    "attn.indexer.compressor.wkv": "indexer_compressor_kv",
    "attn.indexer.compressor.wgate": "indexer_compressor_gate",
    "ffn.gate": "ffn_gate_inp",
    "ffn.shared_experts.w1": "ffn_gate_shexp",
    "ffn.shared_experts.w2": "ffn_down_shexp",
    "ffn.shared_experts.w3": "ffn_up_shexp",
}
EXPERT = {"w1": "ffn_gate_exps", "w2": "ffn_down_exps", "w3": "ffn_up_exps"}


def gguf_name(name):
    """The GGUF name of a matrix and which one of a stack it is; nothing for what is not counted."""
    if name == "head.weight":
        return "output.weight", 0
    expert = re.fullmatch(r"layers\.(\d+)\.ffn\.experts\.(\d+)\.(w\d)\.weight", name)
    if expert:
        return f"blk.{expert[1]}.{EXPERT[expert[3]]}.weight", int(expert[2])
    layer = re.fullmatch(r"layers\.(\d+)\.(.*)\.weight", name)
    if layer and layer[2] in LAYER:
        return f"blk.{layer[1]}.{LAYER[layer[2]]}.weight", 0
    return None


class Sums:
    def __init__(self, n_experts):
        self.n_experts = n_experts
        self.sums = collections.defaultdict(dict)

    def add(self, key, rows):
        name, index = key
        rows = np.asarray(rows, np.float64)
        rows = rows.reshape(-1, rows.shape[-1])
        total, count = self.sums[name].get(index, (0.0, 0))
        self.sums[name][index] = (total + (rows**2).sum(0), count + len(rows))

    def arrays(self):
        for name, by_index in self.sums.items():
            n = self.n_experts if "_exps." in name else 1
            width = len(next(iter(by_index.values()))[0])
            none = (np.zeros(width), 0)
            yield name, np.stack([by_index.get(i, none)[0] for i in range(n)])
            yield f"{name}.counts", np.array([by_index.get(i, none)[1] for i in range(n)])


class Watched(np.ndarray):
    """A weight that reports what it is multiplied with."""

    def __array_finalize__(self, other):
        self.key, self.out = getattr(other, "key", None), getattr(other, "out", None)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if ufunc is np.matmul:
            left, right = inputs
            weight, rows = (left, right) if isinstance(left, Watched) else (right, left)
            weight.out.add(weight.key, rows)
        plain = [x.view(np.ndarray) if isinstance(x, Watched) else x for x in inputs]
        return getattr(ufunc, method)(*plain, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        if function is np.einsum:
            _, rows, weight = args
            weight.out.add(weight.key, rows)
        plain = [x.view(np.ndarray) if isinstance(x, Watched) else x for x in args]
        return function(*plain, **kwargs)


def main():
    model = D.load_dir(CHECKPOINT, rounding=D.Rounding.ds4())
    out = Sums(model.cfg.n_routed_experts)
    for name, weight in model.w.items():
        key = gguf_name(name)
        if key:
            watched = weight.view(Watched)
            watched.key, watched.out = key, out
            model.w[name] = watched
    losses = []
    text = (HERE / "text.txt").read_bytes()
    for start in range(0, len(text) - CHUNK + 2, CHUNK - 1):
        tokens = [BOS] + [FIRST_BYTE + byte for byte in text[start : start + CHUNK - 1]]
        logits = model.forward(D.State.new(model.cfg), tokens)
        losses += [np.log(np.exp(row).sum()) - row[next] for row, next in zip(logits, tokens[1:])]
    arrays = {name: values.astype(np.float32) for name, values in out.arrays()}
    arrays["perplexity"] = np.exp([np.mean(losses)])
    np.savez_compressed(HERE / "squares.npz", **arrays)
    print(len(arrays) // 2, "matrices")


if __name__ == "__main__":
    main()
