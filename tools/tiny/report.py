"""Turns a log and scores into report.md and curve.png.

python report.py --log log.jsonl --scores f16.json q2.json --out DIR [--note "What this run went on from."]
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
        left.plot(millions, smooth([max(r[key], 1e-5) for r in rows]), label=label, linewidth=1.2)
    for key, style in (("seq", ":"), ("quantised", "--")):
        for a, b in zip(rows, rows[1:]):
            if b.get(key, False) > a.get(key, False):
                left.axvline(b["tokens"] / 1e6, color="grey", linestyle=style, linewidth=1)
    left.set(xlabel="million tokens", ylabel="loss (nats per token)", yscale="log")
    left.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)


def task_table(columns):
    """A row a task: the share that is right, and of how many answers, for each file of scores."""
    tasks = list(dict.fromkeys(t for scores in columns.values() for t, one in scores.items() if isinstance(one, dict)))
    lines = [
        "| task | " + " | ".join(f"{name} | of" for name in columns) + " | tokens per sample |",
        "|---|" + "--:|" * (2 * len(columns) + 1),
    ]
    for task in tasks:
        found = [scores.get(task) for scores in columns.values()]
        cells = [f"{one['exact']:.1%} | {one['answers']}" if one else " | " for one in found]
        length = next(one["mean_tokens"] for one in found if one)
        lines.append(f"| {task} | " + " | ".join(cells) + f" | {length:,} |")
    return lines


def part_table(columns):
    """A row a kind of answer, over all tasks: `stops` are those that end where they should and not before."""
    totals = {}
    for name, scores in columns.items():
        for one in scores.values():
            for part, (right, n) in one["parts"].items() if isinstance(one, dict) else ():
                total = totals.setdefault(part, {}).setdefault(name, [0, 0])
                total[0] += right
                total[1] += n
    lines = ["| answers, all tasks | " + " | ".join(f"{name} | of" for name in columns) + " |"]
    lines.append("|---|" + "--:|" * (2 * len(columns)))
    for part, found in totals.items():
        cells = [f"{found[n][0] / found[n][1]:.1%} | {found[n][1]}" if n in found else " | " for n in columns]
        lines.append(f"| {part} | " + " | ".join(cells) + " |")
    return lines


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--log", required=True)
    ap.add_argument("--scores", required=True, nargs="+", help="one or more; a column each")
    ap.add_argument("--out", required=True)
    ap.add_argument("--note", default="", help="what the reader has to know about the run")
    args = ap.parse_args()
    rows = [json.loads(line) for line in open(args.log) if line.strip()]
    columns = {pathlib.Path(p).stem: json.loads(pathlib.Path(p).read_text()) for p in args.scores}
    out = pathlib.Path(args.out)
    plot(rows, out / "curve.png")
    last = rows[-1]
    dotted = (
        "In the plot the sequence grows at a dotted line, and training with rounded weights begins at a dashed one."
    )
    lines = [
        "# ironstar-tiny: training report",
        "",
        *([args.note, ""] if args.note else []),
        f"{last['step']:,} steps, {last['tokens'] / 1e6:,.1f} M tokens. {dotted}",
        "",
        "![loss](curve.png)",
        "",
        "Share of answers that are exactly right, greedy, KV and index roundings on (test seeds never trained on):",
        "",
        *task_table(columns),
        "",
        *part_table(columns),
    ]
    (out / "report.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
