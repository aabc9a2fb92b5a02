"""Scores a checkpoint per task: the share of samples whose whole output is exactly right under greedy decoding.

    python evaluate.py --checkpoint DIR/packed --tokenizer T.json --filler F.txt --out scores.json

A greedy answer equals the reference exactly when every reference token is the arg-max given the tokens before it, so one
forward pass per sample scores it without generating. Weights are rounded to F16, KV and index roundings are on and the
indexer selects, as in the engine. Every turn of a sample counts as one answer. Seeds are never used in training.
"""

import argparse
import json
import pathlib
import random
import sys
import time

import numpy as np
import torch

import checkpoint
import geometry
from model import Mode, Model
from quantise import Quantised

sys.path.insert(0, str(pathlib.Path(__file__).parent / "data"))

# name -> (task, tokens per sample, samples, samples per batch)
SUITE = {
    "facts, held-out paraphrase": ("facts", 256, 300, 50),
    "unknown": ("unknown", 256, 50, 50),
    "copy": ("copy", 256, 100, 50),
    "reverse": ("reverse", 256, 100, 50),
    "sort": ("sort", 256, 100, 50),
    "arithmetic": ("arithmetic", 256, 100, 50),
    "count": ("count", 256, 100, 50),
    "tools 1k": ("tools", 1000, 100, 20),
    "tools 4k": ("tools", 4000, 60, 10),
    "tools 8k": ("tools", 8000, 40, 4),
    "tools 16k": ("tools", 16000, 20, 2),
    "recall 1k": ("recall", 1000, 100, 20),
    "recall 2k": ("recall", 2000, 100, 20),
    "recall 8k": ("recall", 8000, 50, 4),
    "recall 16k": ("recall", 16000, 40, 2),
    "recall 32k": ("recall", 32000, 40, 1),
    "recall 64k": ("recall", 64000, 20, 1),
}


def load_model(folder, device, half=True):
    meta = json.loads((pathlib.Path(folder) / "meta.json").read_text())
    model = Model(getattr(geometry, meta["geometry"]), torch.bfloat16 if device.type == "cuda" else torch.float32)
    checkpoint.load(folder, model)
    if half:
        for p in model.parameters():
            p.data = p.data.half().float()
    return model.to(device).eval(), meta


def answers(kinds):
    """(first, last) positions of each run of output tokens."""
    marks = np.flatnonzero(np.diff(np.concatenate(([0], kinds == 2, [0])).astype(np.int8)))
    return list(zip(marks[::2], marks[1::2]))


@torch.no_grad()
def predictions(model, ids, device, mode):
    """Arg-max of the next token at every position of each sequence."""
    T = -(-max(map(len, ids)) // 128) * 128
    tokens = torch.zeros(len(ids), T, dtype=torch.long)
    for row, one in zip(tokens, ids):
        row[: len(one)] = torch.from_numpy(one.astype(np.int64))
    tokens = tokens.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        streams = model.streams(tokens, torch.zeros_like(tokens), mode)[0]
        out = [model.head(streams[:, lo : lo + 4096], model.dtype).argmax(-1) for lo in range(0, T, 4096)]
    return torch.cat(out, 1).cpu().numpy()


def score(model, encoder, task, n_tokens, n_samples, n_batch, device, mode, show=0):
    from tasks import sample

    right = total = 0
    lengths, wrong = [], []
    for first in range(0, n_samples, n_batch):
        encoded = [
            encoder.encode(sample(random.Random(f"scored/{task}/{n_tokens}/{i}"), encoder.source, n_tokens, task))
            for i in range(first, min(first + n_batch, n_samples))
        ]
        model.limit_queries(1024 if max(len(i) for i, _ in encoded) > 3000 else None)
        guesses = predictions(model, [i for i, _ in encoded], device, mode)
        for (ids, kinds), guess in zip(encoded, guesses):
            lengths.append(len(ids))
            for lo, hi in answers(kinds):
                good = bool((guess[lo - 1 : hi - 1] == ids[lo:hi]).all())
                right, total = right + good, total + 1
                if not good and len(wrong) < show:
                    wrong.append(
                        [
                            encoder.tokenizer.decode(x, skip_special_tokens=False)
                            for x in (ids[lo:hi], guess[lo - 1 : hi - 1])
                        ]
                    )
    return {"exact": round(right / total, 4), "answers": total, "mean_tokens": int(np.mean(lengths)), "wrong": wrong}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--checkpoint", required=True)
    ap.add_argument("--tokenizer", required=True)
    ap.add_argument("--filler", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--only", nargs="*", help="names of the suite that begin so")
    ap.add_argument("--samples", type=float, default=1.0, help="share of the samples to use")
    ap.add_argument("--show", type=int, default=2, help="wrong answers to keep per task")
    ap.add_argument(
        "--quantise", action="store_true", help="round the weights as the shipped file does, instead of to F16"
    )
    ap.add_argument("--dense", action="store_true", help="ignore the indexer: attend to all rows")
    args = ap.parse_args()
    import stream

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    model, meta = load_model(args.checkpoint, device, half=not args.quantise)
    if args.quantise:
        Quantised(model).__enter__()
    encoder = stream.Encoder(args.tokenizer, args.filler)
    scores = {"step": meta["step"], "tokens": meta["tokens"]}
    for name, (task, n_tokens, n_samples, n_batch) in SUITE.items():
        if args.only and not any(name.startswith(o) for o in args.only):
            continue
        began = time.time()
        scores[name] = score(
            model,
            encoder,
            task,
            n_tokens,
            max(1, int(n_samples * args.samples)),
            n_batch,
            device,
            Mode(round_kv=True, sparse=not args.dense),
            args.show,
        )
        scores[name]["seconds"] = round(time.time() - began, 1)
        print(
            f"{name:28s} {scores[name]['exact']:7.1%} of {scores[name]['answers']:4d} answers, "
            f"{scores[name]['mean_tokens']} tokens, {scores[name]['seconds']} s",
            flush=True,
        )
        pathlib.Path(args.out).write_text(json.dumps(scores, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
