"""Turns a log and scores into report.md and curve.png.

python report.py --log log.jsonl --scores scores.json --out DIR
"""

import argparse
import json
import math
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def smooth(values, weight=0.6):
    """Moving geometric mean."""
    out, last = [], math.log(values[0])
    for v in values:
        last = weight * last + (1 - weight) * math.log(v)
        out.append(math.exp(last))
    return out


def plot(rows, path):
    figure, left = plt.subplots(figsize=(7, 3.2), dpi=110)
    millions = [r["tokens"] / 1e6 for r in rows]
    for key, label in (("output_loss", "answers"), ("prompt_loss", "prompts"), ("index_loss", "indexer")):
        left.plot(millions, smooth([r[key] for r in rows]), label=label, linewidth=1.2)
    changes = [b["tokens"] / 1e6 for a, b in zip(rows, rows[1:]) if a["seq"] != b["seq"]]
    for at in changes:
        left.axvline(at, color="grey", linestyle=":", linewidth=1)
    left.set(xlabel="million tokens", ylabel="loss (nats per token)", yscale="log")
    left.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--log", required=True)
    ap.add_argument("--scores", required=True, nargs="+", help="one or more; a column each")
    ap.add_argument("--out", required=True)
    args = ap.parse_args()
    rows = [json.loads(line) for line in open(args.log) if line.strip()]
    columns = {pathlib.Path(p).stem: json.loads(pathlib.Path(p).read_text()) for p in args.scores}
    out = pathlib.Path(args.out)
    plot(rows, out / "curve.png")
    last = rows[-1]
    lines = [
        "# ironstar-tiny: training report",
        "",
        f"{last['step']:,} steps, {last['tokens'] / 1e6:,.0f} M tokens. Dotted line in the plot: the sequence length changes.",
        "",
        "![loss](curve.png)",
        "",
        "Share of answers that are exactly right, greedy, KV and index roundings on (test seeds never trained on):",
        "",
        "| task | " + " | ".join(columns) + " | answers | tokens per sample |",
        "|---|" + "--:|" * (len(columns) + 2),
    ]
    first = next(iter(columns.values()))
    for task, score in first.items():
        if isinstance(score, dict):
            cells = [f"{c[task]['exact']:.1%}" if task in c else "" for c in columns.values()]
            lines.append(f"| {task} | " + " | ".join(cells) + f" | {score['answers']} | {score['mean_tokens']} |")
    (out / "report.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
