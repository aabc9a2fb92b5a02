#!/usr/bin/env python3
"""How fast a running server is: one conversation, several at once, first bytes, overhead.

    ironstar serve -m tiny --slots 8 --port 8000
    tools/serve/measure.py http://127.0.0.1:8000 [--tokens N] [--at-once 1,2,4,8] [--pid PID]

Prints a table in Markdown. Answers are made as long as asked: the seed is fixed, and what ends
early is left out of the rates. With the server's process id (on Linux), it also tells the processor
time that everything but the engine takes for a token, which depends less on what else the machine
does. Nothing but Python's own library is needed.
"""
import argparse
import http.client
import json
import os
import statistics
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

WORDS = "the port context slots server file answer token model question cache speed".split()


def prompt(i, n_words):
    return " ".join(WORDS[(i * 7 + k * 5) % len(WORDS)] for k in range(n_words))


class Client:
    def __init__(self, base):
        self.address = urlsplit(base).netloc

    def stream(self, text, n_tokens):
        """Asks for a raw completion; returns the times of headers and of each token."""
        connection = http.client.HTTPConnection(self.address, timeout=600)
        body = json.dumps({"prompt": text, "max_tokens": n_tokens, "temperature": 1.0, "top_p": 1.0, "min_p": 0.0,
                           "seed": 1, "logprobs": 0, "stream": True})
        began = time.perf_counter()
        connection.request("POST", "/v1/completions", body)
        response = connection.getresponse()
        headers = time.perf_counter() - began
        assert response.status == 200, response.read()
        times = []
        for line in response:
            if line.startswith(b"data: {") and b'"tokens":[]' not in line:
                times.append(time.perf_counter() - began)
        connection.close()
        return headers, times

    def get(self, path):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def at_once(client, n, n_tokens):
    """Runs n conversations; returns tokens per second of all while all of them decode."""
    replies, barrier = [None] * n, threading.Barrier(n)

    def one(i):
        barrier.wait()
        start = time.perf_counter()
        headers, times = client.stream(prompt(i, 24), n_tokens)
        replies[i] = (start, headers, times)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    first = max(start + times[0] for start, _, times in replies)
    last = min(start + times[-1] for start, _, times in replies)
    made = sum(first < start + at <= last for start, _, times in replies for at in times)
    gaps = [b - a for _, _, times in replies for a, b in zip(times, times[1:])]
    return made / (last - first), statistics.median(gaps), max(gaps)


def server_seconds(pid):
    """Processor time so far of everything but the engine's threads, which do not end before it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    for path in Path(f"/proc/{pid}/task").iterdir():
        if (path / "comm").read_text().startswith(("engine", "cpu-")):
            # The first number is in nanoseconds.
            seconds -= int((path / "schedstat").read_text().split()[0]) / 1e9
    return seconds


def chat(client, n, stream):
    """A conversation of n tokens, as agents have it; returns how many came."""
    connection = http.client.HTTPConnection(client.address, timeout=600)
    body = json.dumps({"messages": [{"role": "user", "content": prompt(n, 24)}], "max_tokens": n, "seed": 3,
                       "thinking": {"type": "disabled"}, "temperature": 2.0, "min_p": 0.0, "top_p": 1.0,
                       "stream": stream, **({"stream_options": {"include_usage": True}} if stream else {})})
    connection.request("POST", "/v1/chat/completions", body)
    reply = connection.getresponse().read().decode()
    connection.close()
    data = [line.removeprefix("data: ") for line in reply.splitlines() if "{" in line]
    return json.loads(data[-1])["usage"]["completion_tokens"]


def quantile(metrics, name, q):
    """The upper bound of the bucket that holds a quantile."""
    buckets = []
    for line in metrics.splitlines():
        if line.startswith(name + "_bucket{le="):
            bound, count = line.split('"')[1], int(line.rsplit(" ", 1)[1])
            buckets.append((float(bound.replace("+Inf", "inf")), count))
    total = buckets[-1][1]
    return next(bound for bound, count in buckets if count >= q * total), total


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("base")
    arguments.add_argument("--tokens", type=int, default=64)
    arguments.add_argument("--at-once", default="1,2,4,8")
    arguments.add_argument("--pid", type=int)
    arguments = arguments.parse_args()
    client = Client(arguments.base)
    client.stream(prompt(99, 24), 8)
    print("| at once | tokens/s of all | times one | median gap | longest gap | times one by the median gap |\n"
          "|---|---|---|---|---|---|")
    single, single_gap = None, None
    for n in map(int, arguments.at_once.split(",")):
        runs = [at_once(client, n, arguments.tokens) for _ in range(3)]
        rate, gap, longest = sorted(runs)[1]
        single, single_gap = single or rate, single_gap or gap
        print(f"| {n} | {rate:.1f} | {rate / single:.2f} | {gap * 1e3:.1f} ms | {longest * 1e3:.0f} ms "
              f"| {n * single_gap / gap:.2f} |")
    headers = [client.stream("x", 1)[0] for _ in range(200)]
    print(f"\nheaders of a stream: median {statistics.median(headers) * 1e3:.2f} ms, "
          f"99 % within {sorted(headers)[197] * 1e3:.2f} ms")
    text = prompt(5, 700)
    cold = client.stream(text, 1)[1][0]
    warm = client.stream(text + " more", 1)[1][0]
    print(f"first token of 700 words: {cold * 1e3:.0f} ms, with all but a word in KV {warm * 1e3:.0f} ms")
    if arguments.pid:
        for stream in (True, False):
            before, n = server_seconds(arguments.pid), 0
            while n < 1000:
                n += chat(client, 500, stream)
            spent = (server_seconds(arguments.pid) - before) / n
            print(f"processor time of the server for a token, {'streamed' if stream else 'in one reply'}: "
                  f"{spent * 1e6:.0f} us over {n} tokens")
    metrics = client.get("/metrics")
    for q in (0.5, 0.99):
        bound, total = quantile(metrics, "ironstar_delivery_seconds", q)
        print(f"delivery of a token: {q:.0%} of {total} within {bound * 1e6:.0f} us")


if __name__ == "__main__":
    main()
