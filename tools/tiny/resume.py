"""Turns a GGUF file of the tiny model back into a packed checkpoint, so that training can go on from what shipped.

    python resume.py --gguf crates/cli/models/tiny.gguf --out STATE/packed [--check IRONSTAR --tokenizer T.json]

What rounding took away stays lost, and so does the optimiser's state. `--check` compares this folder's model with the
engine on the same file: the share of equal arg-maxes, and the largest difference of logits beside the largest logit.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
import torch

import checkpoint
import geometry
from model import Mode, Model
from names import released

# Released name -> GGUF name: whole names, then leaves below `layers.N.`.
WHOLE = {
    "embed.weight": "token_embd.weight",
    "head.weight": "output.weight",
    "norm.weight": "output_norm.weight",
    "hc_head_fn": "output_hc_fn.weight",
    "hc_head_base": "output_hc_base.weight",
    "hc_head_scale": "output_hc_scale.weight",
}
LEAVES = {
    "attn_norm.weight": "attn_norm.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "attn.wq_a.weight": "attn_q_a.weight",
    "attn.q_norm.weight": "attn_q_a_norm.weight",
    "attn.wq_b.weight": "attn_q_b.weight",
    "attn.wkv.weight": "attn_kv.weight",
    "attn.kv_norm.weight": "attn_kv_a_norm.weight",
    "attn.attn_sink": "attn_sinks.weight",
    "attn.wo_a.weight": "attn_output_a.weight",
    "attn.wo_b.weight": "attn_output_b.weight",
    "attn.indexer.wq_b.weight": "indexer.attn_q_b.weight",
    "attn.indexer.weights_proj.weight": "indexer.proj.weight",
    "ffn.gate.weight": "ffn_gate_inp.weight",
    "ffn.gate.bias": "exp_probs_b.bias",
    "ffn.gate.tid2eid": "ffn_gate_tid2eid.weight",
    "ffn.shared_experts.w1.weight": "ffn_gate_shexp.weight",
    "ffn.shared_experts.w2.weight": "ffn_down_shexp.weight",
    "ffn.shared_experts.w3.weight": "ffn_up_shexp.weight",
}
EXPERTS = {"w1": "ffn_gate_exps.weight", "w2": "ffn_down_exps.weight", "w3": "ffn_up_exps.weight"}
for site in ("hc_attn", "hc_ffn"):
    LEAVES |= {f"{site}_{part}": f"{site}_{part}.weight" for part in ("fn", "base", "scale")}
for site, name in (("attn.compressor.", "attn_compressor"), ("attn.indexer.compressor.", "indexer_compressor")):
    for leaf, part in (("ape", "ape"), ("wkv.weight", "kv"), ("wgate.weight", "gate"), ("norm.weight", "norm")):
        LEAVES[site + leaf] = f"{name}_{part}.weight"


def source(name):
    """-> name of the GGUF tensor, expert in it or None"""
    if name in WHOLE:
        return WHOLE[name], None
    _, layer, leaf = name.split(".", 2)
    if ".experts." in leaf:
        _, _, expert, w, _ = leaf.split(".")
        return f"blk.{layer}.{EXPERTS[w]}", int(expert)
    return f"blk.{layer}.{LEAVES[leaf]}", None


def fill(model, path):
    """Sets every released tensor of `model` from the file; returns its tensors' names that no parameter asked for."""
    tensors, values, used = {t.name: t for t in gguf.GGUFReader(path).tensors}, {}, set()
    for name, (tensor, kind) in released(model).items():
        of, expert = source(name)
        if of not in values:
            t = tensors[of]
            values[of] = t.data if kind == "ids" else gguf.dequantize(t.data, t.tensor_type)
            used.add(of)
        value = values[of] if expert is None else values[of][expert]
        tensor.copy_(torch.from_numpy(np.array(value)).reshape(tensor.shape))
    return set(tensors) - used


@torch.no_grad()
def check(model, path, ironstar, tokenizer):
    sys.path.insert(0, str(pathlib.Path(__file__).parent / "data"))
    import chat
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer))
    text = pathlib.Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    asked = ["How do I start the server?", "What is 17 + 25?", text[:3000]]
    for question in asked:
        prompt = chat.Conversation(True).user(question).text() + chat.ASSISTANT + chat.THINK
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        padded = torch.zeros(1, -(-len(ids) // 128) * 128, dtype=torch.long)
        padded[0, : len(ids)] = torch.tensor(ids)
        ours = model(padded, mode=Mode(round_kv=True, sparse=True))[0, : len(ids)].numpy()
        with tempfile.TemporaryDirectory() as folder:
            given, out = pathlib.Path(folder) / "ids.json", pathlib.Path(folder) / "logits"
            given.write_text(json.dumps(ids))
            command = [ironstar, "logits", "-m", path, "--tokens", given, "--out", out]
            subprocess.run([str(c) for c in command], check=True, stderr=subprocess.DEVNULL)
            theirs = np.fromfile(out, "<f4").reshape(len(ids), -1)
        same = (ours.argmax(1) == theirs.argmax(1)).mean()
        gap = np.abs(ours - theirs).max(1) / np.abs(theirs).max()
        print(
            f"{len(ids)} tokens: {same:.1%} equal arg-maxes, logits differ by {np.median(gap):.1e} (median), {gap.max():.1e}"
        )


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--gguf", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--geometry", default="TINY", choices=["TINY", "TOY"])
    ap.add_argument("--check", help="the engine's binary")
    ap.add_argument("--tokenizer", help="for --check")
    args = ap.parse_args()
    model = Model(getattr(geometry, args.geometry))
    left = fill(model, args.gguf)
    print("not used:", sorted(left) or "nothing")
    n_bytes = checkpoint.save(args.out, model, {"step": 0, "tokens": 0, "geometry": args.geometry})
    print(f"{n_bytes / 1e6:.1f} MB in {args.out}")
    if args.check:
        checkpoint.load(args.out, model)
        check(model, args.gguf, args.check, args.tokenizer)


if __name__ == "__main__":
    main()
