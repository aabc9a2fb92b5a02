"""Writes ops.npz: small random inputs and what an outside numpy model makes of them.

    python make.py PATH/dsv4_numpy.py [OUT.npz]

Inputs are f32 numbers; the model computes in f64. Array names are `case.input` and
`case.expected...`; README.md has the list.
"""
import importlib.util
import os
import sys

import numpy as np

HEADS, HEAD_DIM, ROPE_DIM = 2, 80, 16
INDEX_HEADS, INDEX_DIM = 2, 32
HIDDEN, STREAMS = 16, 4
EXPERTS, PER_TOKEN, WIDTH, MOE_HIDDEN, VOCAB = 6, 2, 8, 32, 11


def load_oracle(path):
    spec = importlib.util.spec_from_file_location("oracle", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["oracle"] = module          # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def config(oracle, **changes):
    values = dict(
        vocab_size=VOCAB, hidden_size=HIDDEN, moe_intermediate_size=WIDTH, num_hidden_layers=2,
        num_attention_heads=HEADS, head_dim=HEAD_DIM, rope_dim=ROPE_DIM, q_lora_rank=8, o_groups=1,
        o_lora_rank=4, n_routed_experts=EXPERTS, num_experts_per_tok=PER_TOKEN, num_hash_layers=1,
        routed_scaling_factor=1.5, swiglu_limit=10.0, sliding_window=8, compress_ratios=[0, 4],
        index_n_heads=INDEX_HEADS, index_head_dim=INDEX_DIM, index_topk=3, hc_mult=STREAMS,
        hc_sinkhorn_iters=20, hc_eps=1e-6, rms_norm_eps=1e-6, rope_theta=10000.0,
        compress_rope_theta=160000.0, yarn_factor=16.0, yarn_orig_ctx=65536, yarn_beta_fast=32.0,
        yarn_beta_slow=1.0)
    values.update(changes)
    return oracle.Config(**values)


class Cases:
    """Random inputs in, results out; both kept under `case.name`."""

    def __init__(self, oracle):
        self.oracle, self.arrays, self.random = oracle, {}, np.random.default_rng(20260521)

    def normal(self, name, shape, rms=1.0):
        array = (self.random.standard_normal(shape) * rms).astype(np.float32)
        self.arrays[name] = array
        return array.astype(np.float64)

    def expect(self, name, array):
        self.arrays[name] = np.asarray(array, dtype=np.float32)

    def model(self, weights, rounding=None, **changes):
        return self.oracle.Model(config(self.oracle, **changes), weights, rounding)


def roundings(c):
    o = c.oracle
    wide = 2.0 ** c.random.uniform(-12, 3, (6, 192))
    x = (wide * c.random.choice([-1.0, 1.0], wide.shape)).astype(np.float32)
    x[0, :64] = 0.0
    x[1, :64] = np.arange(64) * 7.0                     # up to 441: scale one, ties among them
    x[2, :32] = np.arange(32) * 0.25 - 2.0              # quarter steps meet the ties of E2M1
    c.arrays["rounding.x"] = x
    c.expect("rounding.expected_fp8", o.fp8_roundtrip(x.astype(np.float64), 64))
    c.expect("rounding.expected_fp4", o.fp4_roundtrip(x.astype(np.float64), 32))
    for n in (32, 128):
        y = c.normal(f"hadamard.x{n}", (3, n))
        c.expect(f"hadamard.expected{n}", o.hadamard(y))


def rotations(c):
    o = c.oracle
    flash = config(o, rope_dim=64)
    c.expect("rope.expected_plain", o.rope_freqs(flash, False))
    c.expect("rope.expected_extended", o.rope_freqs(flash, True))
    positions = np.array([0, 1, 2, 7, 100, 1000, 4000])
    c.arrays["rope.positions"] = positions.astype(np.float32)
    x = c.normal("rope.x", (len(positions), 2, 80))
    for name, extended in (("plain", False), ("extended", True)):
        freqs = o.rope_freqs(flash, extended)
        c.expect(f"rope.expected_forward_{name}", o.rotate_tail(x, positions, freqs))
        c.expect(f"rope.expected_inverse_{name}", o.rotate_tail(x, positions, freqs, sign=-1))


def hyper_connections(c):
    rows = 2 * STREAMS + STREAMS * STREAMS
    weights = {
        "mix_fn": c.normal("hc.mix_function", (rows, STREAMS * HIDDEN), 0.3),
        "mix_base": c.normal("hc.mix_base", rows),
        "mix_scale": c.normal("hc.mix_scale", 3),
        "head_fn": c.normal("hc.head_function", (STREAMS, STREAMS * HIDDEN), 0.3),
        "head_base": c.normal("hc.head_base", STREAMS),
        "head_scale": c.normal("hc.head_scale", 1),
    }
    model = c.model(weights)
    streams = c.normal("hc.streams", (5, STREAMS, HIDDEN), 2.0)
    x, post, comb = model.hc_mix(streams, "mix")
    c.expect("hc.expected_mixed", x)
    c.expect("hc.expected_gates", np.concatenate([post, comb.reshape(len(comb), -1)], axis=1))
    y = c.normal("hc.y", (5, HIDDEN))
    c.expect("hc.expected_streams", model.hc_write(streams, y, post, comb))
    c.expect("hc.expected_head", model.hc_head(streams, "head_fn", "head_scale", "head_base"))


def compressors(c):
    """The model projects its input; with [values, scores] as input and unit projections the
    stored numbers are the projections themselves."""
    for name, ratio, dim, is_index, n in (
            ("attention4", 4, HEAD_DIM, False, 18), ("index4", 4, INDEX_DIM, True, 18),
            ("attention16", 16, HEAD_DIM, False, 35)):
        width = 2 * dim if ratio == 4 else dim
        case = f"compress_{name}"
        x = c.normal(f"{case}.x", (n, 2 * width))
        weights = {
            "p.wkv.weight": np.eye(width, 2 * width),
            "p.wgate.weight": np.eye(width, 2 * width, width),
            "p.ape": c.normal(f"{case}.ape", (ratio, width)),
            "p.norm.weight": c.normal(f"{case}.gain", dim),
        }
        for suffix, rounding in (("off", c.oracle.Rounding.exact()), ("on", c.oracle.Rounding.ds4())):
            state = c.oracle.CompressorState()
            # ds4 rounds index rows to F16 as well, which is exact after FP4.
            c.model(weights, rounding).compress(state, x, 0, ratio, "p", dim, is_index)
            c.expect(f"{case}.expected_{suffix}", np.stack(state.rows))


def indexer(c):
    """Index rows come ready; unit projections make the stored queries the model's."""
    o, n, first, rows = c.oracle, 12, 30, 11
    queries = c.normal("index.queries", (n, INDEX_HEADS * INDEX_DIM))
    head_weights = c.normal("index.head_weights", (n, INDEX_HEADS))
    keys = c.normal("index.keys", (rows, INDEX_DIM))
    weights = {
        "layers.1.attn.indexer.wq_b.weight": np.eye(INDEX_HEADS * INDEX_DIM),
        "layers.1.attn.indexer.weights_proj.weight": np.eye(INDEX_HEADS),
    }
    c.arrays["index.first_position"] = np.array([first], np.float32)
    for suffix, rounding in (("off", o.Rounding.exact()), ("on", o.Rounding.official())):
        state = o.LayerState()
        ready = o.fp4_roundtrip(o.hadamard(keys)) if rounding.indexer_fp4 else keys
        state.index.rows = list(ready)
        model = c.model(weights, rounding)
        taps = {}
        chosen = model.index_select(1, state, head_weights, queries, first, taps)
        margins = np.array(taps["1.index_margin"])
        assert np.all((margins == 0) | (margins > 1e-4)), "a near tie: choose another seed"
        mask = np.zeros((n, rows))
        for t, ids in enumerate(chosen):
            mask[t, ids] = 1.0
        c.expect(f"index.expected_{suffix}", mask)


def attention(c):
    """Taps inside the attention layer: queries, rows and the heads' output."""
    for name, ratio, n in (("sliding", 0, 12), ("visible", 5, 17), ("selected", 4, 26)):
        case, prefix = f"attend_{name}", "layers.0.attn."
        sizes = {
            "wq_a.weight": (8, HIDDEN), "q_norm.weight": (8,), "wq_b.weight": (HEADS * HEAD_DIM, 8),
            "wkv.weight": (HEAD_DIM, HIDDEN), "kv_norm.weight": (HEAD_DIM,),
            "attn_sink": (HEADS,), "wo_a.weight": (4, HEADS * HEAD_DIM), "wo_b.weight": (HIDDEN, 4),
        }
        for key, dim in (("compressor", HEAD_DIM), ("indexer.compressor", INDEX_DIM)):
            width = 2 * dim if ratio == 4 else dim
            sizes.update({
                f"{key}.wkv.weight": (width, HIDDEN), f"{key}.wgate.weight": (width, HIDDEN),
                f"{key}.ape": (max(ratio, 1), width), f"{key}.norm.weight": (dim,)})
        sizes["indexer.wq_b.weight"] = (INDEX_HEADS * INDEX_DIM, 8)
        sizes["indexer.weights_proj.weight"] = (INDEX_HEADS, HIDDEN)
        weights = {prefix + key: c.random.standard_normal(size) for key, size in sizes.items()}
        weights[prefix + "attn_sink"] = c.normal(f"{case}.sinks", HEADS)
        model = c.model(weights, compress_ratios=[ratio, 0])
        state, taps = c.oracle.LayerState(), {}
        model.attention(0, state, c.random.standard_normal((n, HIDDEN)), 0, taps)
        c.expect(f"{case}.queries", taps["0.q"])
        c.expect(f"{case}.window", taps["0.kv"])
        c.expect(f"{case}.expected_heads", taps["0.heads"])
        if ratio:
            c.expect(f"{case}.rows", np.stack(state.comp.rows))
        if ratio == 4:
            mask = np.zeros((n, len(state.comp.rows)))
            for t, ids in enumerate(taps["0.index_ids"]):
                mask[t, ids] = 1.0
            c.expect(f"{case}.chosen", mask)


def experts(c):
    gate = c.normal("moe.router", (EXPERTS, MOE_HIDDEN), 0.3)
    bias = c.normal("moe.bias", EXPERTS)
    table = np.array([c.random.permutation(EXPERTS)[:PER_TOKEN] for _ in range(VOCAB)])
    c.arrays["moe.table"] = table.astype(np.float32)
    stacks = {}
    for key, shape in (("w1", (WIDTH, MOE_HIDDEN)), ("w3", (WIDTH, MOE_HIDDEN)),
                       ("w2", (MOE_HIDDEN, WIDTH))):
        stacks[key] = c.normal(f"moe.{key}", (EXPERTS, *shape), 0.8)
        stacks["shared." + key] = c.normal(f"moe.shared_{key}", shape, 0.8)
    weights = {}
    for layer in (0, 1):
        prefix = f"layers.{layer}.ffn."
        weights[prefix + "gate.weight"] = gate
        weights[prefix + "gate.bias"] = bias
        weights[prefix + "gate.tid2eid"] = table
        for key in ("w1", "w2", "w3"):
            weights[f"{prefix}shared_experts.{key}.weight"] = stacks["shared." + key]
            for e in range(EXPERTS):
                weights[f"{prefix}experts.{e}.{key}.weight"] = stacks[key][e]
    x = c.normal("moe.x", (7, MOE_HIDDEN), 2.0)          # large enough to meet the clamp
    tokens = np.array([3, 0, 10, 3, 7, 1, 2])
    c.arrays["moe.tokens"] = tokens.astype(np.float32)
    for suffix, layer in (("hashed", 0), ("learned", 1)):
        c.expect(f"moe.expected_{suffix}", c.model(weights).moe(layer, x, tokens, None))


def norms(c):
    x, gain = c.normal("norm.x", (3, 37), 5.0), c.normal("norm.gain", 37)
    c.expect("norm.expected", c.oracle.rms(x, 1e-6) * gain)


def main():
    oracle = load_oracle(sys.argv[1])
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops.npz")
    c = Cases(oracle)
    for make in (roundings, rotations, norms, hyper_connections, compressors, indexer, attention,
                 experts):
        make(c)
    out = sys.argv[2] if len(sys.argv) > 2 else default
    np.savez(out, **c.arrays)          # uncompressed: the same bytes with any zlib
    print(f"{len(c.arrays)} arrays, {os.path.getsize(out)} bytes")


if __name__ == "__main__":
    main()
