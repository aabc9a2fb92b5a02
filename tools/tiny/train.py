"""Trains ironstar-tiny for a number of minutes; call again to go on.

    python train.py --tokenizer T.json --filler F.txt --state DIR --minutes 9 --seq 2048 --batch 32

State (weights, optimiser) lives in DIR; a packed checkpoint in pieces goes to DIR/packed. With only DIR/packed present,
training resumes from it with a fresh optimiser. Several GPUs: start with torchrun; each takes its own batches.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import sys
import time

import torch
import torch.distributed as dist

import checkpoint
import geometry
from model import Mode, Model
from optimiser import Optimiser
from quantise import Quantised

sys.path.insert(0, str(pathlib.Path(__file__).parent / "data"))
WARM_UP_STEPS = 60
SAVE_MINUTES = 2.0  # between packed checkpoints, for a machine that goes away


def arguments():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tokenizer", required=True)
    ap.add_argument("--filler", required=True)
    ap.add_argument("--state", required=True)
    ap.add_argument("--geometry", default="TINY", choices=["TINY", "TOY"])
    ap.add_argument("--minutes", type=float, default=9.0)
    ap.add_argument("--steps", type=int, default=10**9)
    ap.add_argument("--seq", type=int, default=2048)
    ap.add_argument("--batch", type=int, default=32, help="rows of --seq tokens per GPU and step")
    ap.add_argument("--lr", type=float, nargs=2, default=[1.0, 1.0], help="learning rate scale at start and end")
    ap.add_argument(
        "--prompt-weight", type=float, default=0.03, help="loss weight of prompt tokens beside 1 for outputs"
    )
    ap.add_argument("--long-share", type=float, default=0.3)
    ap.add_argument("--round-kv", action="store_true", help="simulate the FP8 and FP4 roundings")
    ap.add_argument("--sparse", action="store_true", help="let the indexer drop rows")
    ap.add_argument(
        "--quantise-from",
        type=float,
        default=1.0,
        help="from this share of the run on, compute with the weights as the shipped file rounds them",
    )
    ap.add_argument("--workers", type=int, default=2)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--no-compile", action="store_true")
    ap.add_argument("--log", default="log.jsonl")
    return ap.parse_args()


class Trainer:
    def __init__(self, args):
        self.args = args
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.cuda = torch.cuda.is_available()
        self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if self.cuda else torch.device("cpu")
        if self.cuda:
            torch.cuda.set_device(self.device)
        if self.world > 1:
            dist.init_process_group("nccl" if self.cuda else "gloo")
        torch.set_float32_matmul_precision("high")
        torch.manual_seed(args.seed)
        self.model = Model(getattr(geometry, args.geometry), torch.bfloat16 if self.cuda else torch.float32)
        self.step, self.tokens = 0, 0
        folder = pathlib.Path(args.state)
        full = torch.load(folder / "full.pt", map_location="cpu") if (folder / "full.pt").exists() else None
        if full:
            self.model.load_state_dict(full["model"])
            self.step, self.tokens = full["step"], full["tokens"]
        elif (folder / "packed" / "meta.json").exists():
            meta = checkpoint.load(folder / "packed", self.model)
            self.step, self.tokens = meta["step"], meta["tokens"]
        self.model.to(self.device)
        self.optimiser = Optimiser(self.model)
        if full:
            self.optimiser.load_state(full["optimiser"])
        self.warm_from = -WARM_UP_STEPS if full else self.step
        self.mode = Mode(round_kv=args.round_kv, sparse=args.sparse, index_loss=True)
        if self.cuda and not args.no_compile:
            # Dense and sparse, ratio 0, 4, 128, hashed or not: a handful of graphs, each compiled once.
            torch._dynamo.config.cache_size_limit = 64
            for block in self.model.layers:
                block.compile(dynamic=False)
            self.model.head.compile(dynamic=False)
        self.params = [p for p in self.model.parameters()]
        self.flat = torch.zeros(sum(p.numel() for p in self.params) + 2, device=self.device)
        at = 0
        for p in self.params:  # gradients live in one buffer: one reduction, one norm
            p.grad = self.flat[at : at + p.numel()].view_as(p)
            at += p.numel()

    def train_step(self, batch, progress):
        tokens, start, kind = (torch.from_numpy(a).to(self.device, non_blocking=True) for a in batch)
        tokens, start = tokens.long(), start.long()
        weights = torch.tensor([0.0, self.args.prompt_weight, 1.0], device=self.device)[kind.long()]
        self.flat.zero_()
        with Quantised(self.model) if progress >= self.args.quantise_from else contextlib.nullcontext():
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.cuda):
                loss, index_loss, losses, loads = self.model.loss(
                    tokens[:, :-1], start, tokens[:, 1:], weights, self.mode
                )
            (loss + index_loss).backward()
        self.flat[-2], self.flat[-1] = progress, time.time() - self.began
        if self.world > 1:
            dist.all_reduce(self.flat, op=dist.ReduceOp.AVG if self.cuda else dist.ReduceOp.SUM)
            for load in loads:
                dist.all_reduce(load)
        norm = self.flat[:-2].norm()
        progress = float(self.flat[-2]) / (self.world if self.world > 1 and not self.cuda else 1)
        finite = bool(torch.isfinite(norm))
        if finite:
            lo, hi = self.args.lr
            warm = min(1.0, (self.step - self.warm_from + 1) / WARM_UP_STEPS)
            self.flat[:-2] *= torch.clamp(10.0 / (norm + 1e-6), max=1.0)
            self.optimiser.step((lo + (hi - lo) * min(progress, 1.0)) * warm)
            self.model.balance(loads)
        self.step += 1
        if self.world > 1 and self.step % 200 == 0:  # the replicas take equal steps; this keeps last bits equal too
            for p in self.params:
                dist.broadcast(p.data, 0)
        self.tokens += tokens[:, :-1].numel() * self.world
        return progress, loss, index_loss, losses, kind, loads, norm

    def report(self, out, started):
        progress, loss, index_loss, losses, kind, loads, norm = out
        loss, index_loss, losses = loss.detach(), index_loss.detach(), losses.detach()
        outputs = kind == 2
        line = {
            "step": self.step,
            "tokens": self.tokens,
            "loss": round(float(loss), 4),
            "output_loss": round(float(losses[outputs].mean()), 4),
            "prompt_loss": round(float(losses[kind == 1].mean()), 4),
            "index_loss": round(float(index_loss), 4),
            "norm": round(float(norm), 3),
            "load_max": round(max(float(x.max() / x.mean()) for x in loads), 2),
            "minutes": round((time.time() - self.began) / 60, 2),
            "tokens_per_s": round((self.tokens - started[0]) / (time.time() - started[1])),
            "seq": self.args.seq,
            "quantised": progress >= self.args.quantise_from,
        }
        if self.cuda:
            line["gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
        print(json.dumps(line), flush=True)
        with open(pathlib.Path(self.args.state) / self.args.log, "a") as f:
            f.write(json.dumps(line) + "\n")

    def run(self):
        import stream

        args = self.args
        pathlib.Path(args.state).mkdir(parents=True, exist_ok=True)
        batches, workers = stream.batches(
            f"train/{args.seed}/{self.step}/{self.rank}",
            args.tokenizer,
            args.filler,
            args.batch,
            args.seq,
            args.long_share,
            args.workers,
        )
        self.began, first = time.time(), self.step
        started, progress, saved = (self.tokens, time.time()), 0.0, time.time()
        while progress < 1.0 and self.step - first < args.steps:
            progress = max((time.time() - self.began) / 60 / args.minutes, (self.step - first + 1) / args.steps)
            out = self.train_step(next(batches), progress)
            progress = out[0]
            if self.rank == 0 and (self.step % 100 == 0 or self.step - first in (1, 5, 20)):
                self.report(out, started)
                if self.step - first <= 20:  # do not count compilation
                    started = (self.tokens, time.time())
            if self.rank == 0 and time.time() - saved > SAVE_MINUTES * 60:
                self.save_packed()
                saved = time.time()
        for worker in workers:
            worker.terminate()
        if self.rank == 0:
            self.report(out, started)
            self.save()
        if self.world > 1:
            dist.barrier()
            dist.destroy_process_group()

    def save(self):
        folder = pathlib.Path(self.args.state)
        torch.save(
            {
                "model": self.model.state_dict(),
                "optimiser": self.optimiser.state(),
                "step": self.step,
                "tokens": self.tokens,
            },
            folder / "full.pt",
        )
        self.save_packed()

    def save_packed(self):
        folder = pathlib.Path(self.args.state)
        meta = {"step": self.step, "tokens": self.tokens, "geometry": self.args.geometry}
        n_bytes = checkpoint.save(folder / "packing", self.model, meta)
        shutil.rmtree(folder / "packed", ignore_errors=True)
        (folder / "packing").rename(folder / "packed")
        print(f"saved step {self.step}: {n_bytes / 1e6:.1f} MB packed", flush=True)


if __name__ == "__main__":
    Trainer(arguments()).run()
