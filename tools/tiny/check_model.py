"""Compares `model.Model` with transformers' deepseek_v4 on a small random model, and each rounding with its definition.

    python check_model.py [--oracle DIR]

DIR holds dsv4_numpy.py (the project's numpy oracle); with it the rounded forward pass is compared too.
Oracle: transformers 5.23.0, float32.
"""

import argparse
import sys
from dataclasses import replace

import numpy as np
import torch
import transformers

from geometry import TOY
from model import Mode, Model
from names import released
from sinkhorn import sinkhorn_plain

# Sixteen index heads keep exact ties of zero scores rare, whose order transformers leaves open.
SMALL = replace(
    TOY,
    vocab_size=512,
    window=16,
    index_top_k=8,
    index_heads=16,
    swiglu_limit=1.0,
    yarn_original_context=256,
    max_positions=4096,
)

LEAVES = [
    ("attn.indexer.compressor.wkv.", "self_attn.compressor.indexer.kv_proj."),
    ("attn.indexer.compressor.wgate.", "self_attn.compressor.indexer.gate_proj."),
    ("attn.indexer.compressor.ape", "self_attn.compressor.indexer.position_bias"),
    ("attn.indexer.compressor.norm.", "self_attn.compressor.indexer.kv_norm."),
    ("attn.indexer.wq_b.", "self_attn.compressor.indexer.q_b_proj."),
    ("attn.indexer.weights_proj.", "self_attn.compressor.indexer.scorer.weights_proj."),
    ("attn.compressor.wkv.", "self_attn.compressor.kv_proj."),
    ("attn.compressor.wgate.", "self_attn.compressor.gate_proj."),
    ("attn.compressor.ape", "self_attn.compressor.position_bias"),
    ("attn.compressor.norm.", "self_attn.compressor.kv_norm."),
    ("attn.wq_a.", "self_attn.q_a_proj."),
    ("attn.wq_b.", "self_attn.q_b_proj."),
    ("attn.q_norm.", "self_attn.q_a_norm."),
    ("attn.wkv.", "self_attn.kv_proj."),
    ("attn.kv_norm.", "self_attn.kv_norm."),
    ("attn.attn_sink", "self_attn.sinks"),
    ("attn.wo_a.", "self_attn.o_a_proj."),
    ("attn.wo_b.", "self_attn.o_b_proj."),
    ("attn_norm.", "input_layernorm."),
    ("ffn_norm.", "post_attention_layernorm."),
    ("hc_attn_", "attn_hc."),
    ("hc_ffn_", "ffn_hc."),
    ("ffn.gate.bias", "mlp.gate.e_score_correction_bias"),
    ("ffn.gate.", "mlp.gate."),
    ("ffn.shared_experts.w1.", "mlp.shared_experts.gate_proj."),
    ("ffn.shared_experts.w2.", "mlp.shared_experts.down_proj."),
    ("ffn.shared_experts.w3.", "mlp.shared_experts.up_proj."),
]
TOP = {
    "embed.weight": "model.embed_tokens.weight",
    "head.weight": "lm_head.weight",
    "norm.weight": "model.norm.weight",
    "hc_head_fn": "model.hc_head.hc_fn",
    "hc_head_base": "model.hc_head.hc_base",
    "hc_head_scale": "model.hc_head.hc_scale",
}


def to_transformers(tensors, n_layers, n_experts):
    """Released names -> parameter names of DeepseekV4ForCausalLM (experts stacked)."""
    out = {TOP[k]: v for k, v in tensors.items() if k in TOP}
    for name, tensor in tensors.items():
        if name in TOP or ".ffn.experts." in name:
            continue
        _, layer, rest = name.split(".", 2)
        old, new = next(pair for pair in LEAVES if rest.startswith(pair[0]))
        out[f"model.layers.{layer}.{new}{rest[len(old) :]}"] = tensor
    for i in range(n_layers):
        E = f"layers.{i}.ffn.experts."
        stack = {w: torch.stack([tensors[f"{E}{e}.{w}.weight"] for e in range(n_experts)]) for w in ("w1", "w2", "w3")}
        out[f"model.layers.{i}.mlp.experts.gate_up_proj"] = torch.cat((stack["w1"], stack["w3"]), 1)
        out[f"model.layers.{i}.mlp.experts.down_proj"] = stack["w2"]
    return out


def randomised(model, seed):
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=rng)
            if p.dim() == 1:
                p.add_(0.3 * noise)
            elif name == "embed":
                p.copy_(noise)
            else:
                p.copy_(noise * (1.5 if "fn" in name else 1.0) / p.shape[-1] ** 0.5)
        for block in model.layers:
            if not block.ffn.hashed:
                block.ffn.bias.copy_(0.3 * torch.randn(len(block.ffn.bias), generator=rng))
    return model


def close(what, ours, theirs, limit):
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"{what:58s} largest error / largest value = {error:.2e}")
    assert error < limit, what
    return error


def check_against_transformers(g):
    model = randomised(Model(g), 3).eval()
    tokens = torch.randint(0, g.vocab_size, (1, 384), generator=torch.Generator().manual_seed(4))
    config = {k: v for k, v in g.config_json().items() if k not in ("architectures", "model_type", "torch_dtype")}
    reference = transformers.DeepseekV4ForCausalLM(transformers.DeepseekV4Config(**config)).eval().float()
    tensors = {k: v for k, (v, _) in released(model).items()}
    state = to_transformers(tensors, g.n_layers, g.n_experts)
    missing, unexpected = reference.load_state_dict(state, strict=False)
    assert not unexpected and not [k for k in missing if "inv_freq" not in k], (missing, unexpected)
    theirs = reference(input_ids=tokens, use_cache=False).logits
    close("forward vs transformers", model(tokens, mode=Mode(sparse=True)), theirs, 1e-5)

    # Two segments in one batch row must be two runs of their own.
    start = torch.zeros_like(tokens)
    start[:, 128:] = 128
    packed = model(tokens, start, Mode(sparse=True))
    close("first segment alone", packed[:, :128], model(tokens[:, :128], mode=Mode(sparse=True)), 1e-5)
    close("second segment alone", packed[:, 128:], model(tokens[:, 128:], mode=Mode(sparse=True)), 1e-5)
    return model, tokens, tensors


def check_against_numpy(folder, model, tokens, tensors):
    sys.path.insert(0, folder)
    import json
    import tempfile

    import dsv4_numpy

    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(model.g.config_json(), f)
        f.flush()
        config = dsv4_numpy.Config.from_json(f.name)
    weights = {k: v.numpy() for k, v in tensors.items()}
    for what, rounding, mode in (
        ("exact", dsv4_numpy.Rounding.exact(), Mode(sparse=True)),
        ("FP8 and FP4 rounding", dsv4_numpy.Rounding.official(), Mode(True, True)),
    ):
        oracle = dsv4_numpy.Model(config, weights, rounding)
        theirs = oracle.forward(dsv4_numpy.State.new(config), tokens[0].numpy())
        ours = model(tokens, mode=mode)[0].numpy()
        rows = np.abs(ours - theirs).max(-1) / np.abs(theirs).max()
        print(
            f"{'forward vs numpy oracle, ' + what:58s} row error: median {np.median(rows):.1e}, largest {rows.max():.1e}"
        )
        # With rounding on, a last-bit difference may flip one code for good; the median may not.
        assert np.median(rows) < 1e-5, what


def check_sinkhorn_gradient():
    """The Triton kernels (on a GPU, or under TRITON_INTERPRET=1) against autograd through the definition."""
    import sinkhorn as module

    if module.triton is None or not (torch.cuda.is_available() or __import__("triton").knobs.runtime.interpret):
        print("Sinkhorn kernel: no GPU, not checked")
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    z = torch.randn(200, 4, 4, device=device, requires_grad=True)
    weight = torch.randn(200, 4, 4, device=device)
    with torch.enable_grad():
        (sinkhorn_plain(z, 20, 1e-6) * weight).sum().backward()
        wanted, z.grad = z.grad, None
        out = module._sinkhorn(z, 20, 1e-6)[0]
        (out * weight).sum().backward()
    close("Sinkhorn kernel forward", out, sinkhorn_plain(z, 20, 1e-6), 1e-5)
    close("Sinkhorn kernel backward", z.grad, wanted, 1e-4)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--oracle")
    args = ap.parse_args()
    torch.set_grad_enabled(False)
    model, tokens, tensors = check_against_transformers(SMALL)
    if args.oracle:
        check_against_numpy(args.oracle, model, tokens, tensors)
    check_sinkhorn_gradient()


if __name__ == "__main__":
    main()
