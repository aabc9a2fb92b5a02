"""Scores a checkpoint per task: the share of samples whose whole output is exactly right under greedy decoding.

    python evaluate.py --checkpoint DIR/packed --tokenizer T.json --filler F.txt --out scores.json
    python evaluate.py --gguf M.gguf --ironstar BINARY --tokens 60000 --tokenizer T.json --filler F.txt --out scores.json

The first scores a checkpoint with this folder's model (PyTorch), the second a GGUF file with the engine itself. A greedy
answer equals the reference exactly when every reference token is the arg-max given the tokens before it, so one
forward pass per sample scores it without generating. Weights of a checkpoint are rounded to F16; KV and index roundings
are on and the indexer selects. Every turn of a sample counts as one answer. Seeds are never used in training.

Beside each task's score stand those of its parts: answers with and without reasoning, turns with one or two tool calls,
turns that use a result, and `stops`, the share of answers that end where they should and not before.
"""

import argparse
import functools
import json
import pathlib
import random
import sys
import time

import numpy as np

import engine
import geometry

sys.path.insert(0, str(pathlib.Path(__file__).parent / "data"))
import chat  # noqa: E402
import stream  # noqa: E402
from tasks import sample  # noqa: E402

# name -> (task, tokens per sample, samples, samples per batch[, tokens that a sample has at least])
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
    "tools over 10k": ("tools", 24000, 20, 1, 10000),
    "agents 4k": ("agents", 4000, 60, 10),
    "agents 12k": ("agents", 12000, 40, 2),
    "agents 24k": ("agents", 24000, 20, 1),
    "absolute paths 4k": ("paths", 4000, 60, 10),
    "absolute paths 12k": ("paths", 12000, 40, 2),
    "ends by a call 4k": ("endings", 4000, 60, 10),
    "edit blocks 4k": ("blocks", 4000, 60, 10),
    "titles 1k": ("titles", 1000, 60, 20),
    "recall 1k": ("recall", 1000, 100, 20),
    "recall 2k": ("recall", 2000, 100, 20),
    "recall 8k": ("recall", 8000, 50, 4),
    "recall 16k": ("recall", 16000, 40, 2),
    "recall 32k": ("recall", 32000, 40, 1),
    "recall 64k": ("recall", 64000, 20, 1),
}


def answers(kinds):
    """(first, last) positions of each run of output tokens."""
    marks = np.flatnonzero(np.diff(np.concatenate(([0], kinds == 2, [0])).astype(np.int8)))
    return list(zip(marks[::2], marks[1::2]))


def parts(text):
    """The kinds of answer that `text` is one of."""
    n_calls = text.count("invoke name=")
    yield "thinking" if chat.END_THINK in text else "no thinking"
    if n_calls:
        yield {1: "one call", 2: "two calls"}[n_calls]


def drawn(encoder, task, n_tokens, least):
    """Endless encoded samples of a task, the same ones each time."""
    i = 0
    while True:
        one = encoder.encode(sample(random.Random(f"scored/{task}/{n_tokens}/{i}"), encoder.source, n_tokens, task))
        i += 1
        if len(one[0]) >= least:
            yield one


def score(predict, encoder, task, n_tokens, n_samples, n_batch, least=0, most_tokens=None, show=0):
    """`predict` takes a list of id arrays and gives the arg-max of the next token at each position."""
    samples, eos = drawn(encoder, task, n_tokens, least), encoder.tokenizer.token_to_id(chat.EOS)
    tally, lengths, wrong = {}, [], []
    while len(lengths) < n_samples and (most_tokens is None or sum(lengths) < most_tokens):
        encoded = [next(samples) for _ in range(min(n_batch, n_samples - len(lengths)))]
        for (ids, kinds), guess in zip(encoded, predict([ids for ids, _ in encoded])):
            lengths.append(len(ids))
            for lo, hi in answers(kinds):
                said, wanted = guess[lo - 1 : hi - 1], ids[lo:hi]
                text = encoder.tokenizer.decode(wanted, skip_special_tokens=False)
                good = bool((said == wanted).all())
                stops = bool(((said == eos) == (wanted == eos)).all())
                role = ["result"] if task in ("tools", "agents", "paths") and "invoke name=" not in text else []
                for part, right in [("exact", good), ("stops", stops)] + [(p, good) for p in [*parts(text), *role]]:
                    tally.setdefault(part, []).append(right)
                if not good and len(wrong) < show:
                    wrong.append([text, encoder.tokenizer.decode(said, skip_special_tokens=False)])
    exact = tally.pop("exact")
    return {
        "exact": round(float(np.mean(exact)), 4),
        "answers": len(exact),
        "mean_tokens": int(np.mean(lengths)),
        "parts": {part: [sum(right), len(right)] for part, right in sorted(tally.items())},
        "wrong": wrong,
    }


def main():
    ap = argparse.ArgumentParser()
    what = ap.add_mutually_exclusive_group(required=True)
    what.add_argument("--checkpoint", help="folder of a packed checkpoint")
    what.add_argument("--gguf", help="model file, scored through the engine")
    ap.add_argument("--ironstar", default="ironstar", help="the engine's binary, for --gguf")
    ap.add_argument("--threads", type=int, help="threads of the engine, for --gguf")
    ap.add_argument("--tokenizer", required=True)
    ap.add_argument("--filler", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--only", nargs="*", help="names of the suite that begin so")
    ap.add_argument("--samples", type=float, default=1.0, help="share of the samples to use")
    ap.add_argument("--tokens", type=int, help="begin no further sample of a task after so many tokens")
    ap.add_argument("--show", type=int, default=2, help="wrong answers to keep per task")
    ap.add_argument(
        "--quantise", action="store_true", help="round the weights as the shipped file does, instead of to F16"
    )
    ap.add_argument("--dense", action="store_true", help="ignore the indexer: attend to all rows")
    args = ap.parse_args()
    if args.gguf:
        vocab_size = geometry.TINY.vocab_size
        predict = functools.partial(engine.predictions, args.ironstar, args.gguf, vocab_size, threads=args.threads)
        scores = {"gguf": pathlib.Path(args.gguf).name, "bytes": pathlib.Path(args.gguf).stat().st_size}
    else:
        import predict as scored  # needs PyTorch, which scoring a GGUF does without

        predict, scores = scored.predictor(args.checkpoint, quantise=args.quantise, sparse=not args.dense)
    encoder = stream.Encoder(args.tokenizer, args.filler)
    for name, (task, n_tokens, n_samples, n_batch, *least) in SUITE.items():
        if args.only and not any(name.startswith(o) for o in args.only):
            continue
        began = time.time()
        scores[name] = score(
            predict,
            encoder,
            task,
            n_tokens,
            max(1, int(n_samples * args.samples)),
            1 if args.tokens else n_batch,
            *least,
            most_tokens=args.tokens,
            show=args.show,
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
