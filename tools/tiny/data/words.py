"""Random things to copy: names, numbers, paths, contents, JSON; and the filler they are planted in."""

import collections
import copy
import json
import lzma
import pathlib
import re
import string


class Source:
    """Filler texts and the words in them; `pieces` are the vocabulary's own letter sequences, so that copying is
    practised on every token and not only on the filler's words."""

    def __init__(self, path, pieces=()):
        self.pieces, self.folder = list(pieces), None
        path = pathlib.Path(path)
        raw = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        self.texts = raw.decode("utf-8").split("\0")
        counts = collections.Counter(re.findall(r"\b[a-z]{3,10}\b", " ".join(self.texts[:6000])))
        self.words = [w for w, _ in counts.most_common(8000)]
        self.sentences = [
            s.strip()
            for t in self.texts[:4000]
            for s in t.split("\n")
            if 20 < len(s.strip()) < 110 and s.strip()[0].isalpha()
        ]

    def at(self, folder):
        """The same source, whose texts about the machine name this folder."""
        here = copy.copy(self)
        here.folder = folder
        return here

    def word(self, rng):
        if self.pieces and rng.random() < 0.3:
            return "".join(rng.choice(self.pieces) for _ in range(rng.choice([1, 1, 1, 2])))
        return rng.choice(self.words)

    def filler(self, rng, n_chars):
        """About n_chars of text of one of several kinds."""
        kind = rng.random()
        out, size = [], 0
        while size < n_chars:
            if kind < 0.55:
                piece = rng.choice(self.texts)
            elif kind < 0.7:
                piece = " ".join(rng.choice(self.sentences) for _ in range(6))
            elif kind < 0.8:
                piece = " ".join(self.word(rng) for _ in range(40)) + "."
            elif kind < 0.9:
                piece = "\n".join(
                    f"- {self.word(rng)} {self.word(rng)}: {rng.choice(self.sentences)}" for _ in range(4)
                )
            else:
                piece = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
            out.append(piece[: max(n_chars - size, 40)])
            size += len(out[-1]) + 2
        return "\n\n".join(out) if kind < 0.9 else " ".join(out)


def number(rng):
    return str(rng.randrange(10 ** rng.randint(1, 9)))


def identifier(rng, s):
    w = [s.word(rng) for _ in range(rng.randint(1, 3))]
    style = rng.randrange(5)
    if style == 0:
        return "_".join(w)
    if style == 1:
        return "-".join(w)
    if style == 2:
        return w[0] + "".join(x.capitalize() for x in w[1:])
    if style == 3:
        return "".join(x.capitalize() for x in w)
    return w[0] + str(rng.randrange(1000))


def random_chars(rng, low=4, high=14):
    alphabet = rng.choice(
        [
            string.ascii_lowercase,
            string.ascii_letters + string.digits,
            "0123456789abcdef",
            string.ascii_uppercase + string.digits,
        ]
    )
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(low, high)))


EXTENSIONS = [
    "py",
    "rs",
    "txt",
    "md",
    "json",
    "toml",
    "c",
    "js",
    "ts",
    "html",
    "css",
    "sh",
    "yaml",
    "csv",
    "log",
    "cfg",
]


def path(rng, s):
    name = rng.choice([identifier(rng, s), s.word(rng), random_chars(rng, 3, 8)]) + "." + rng.choice(EXTENSIONS)
    if rng.random() < 0.45:
        return name
    folders = [
        rng.choice([s.word(rng), identifier(rng, s), rng.choice(["src", "tests", "docs", "lib", "app"])])
        for _ in range(rng.randint(1, 3))
    ]
    root = rng.choice(["", "", "/", "./", "/Users/" + s.word(rng) + "/", "/tmp/", "~/"])
    return root + "/".join(folders + [name])


def sentence(rng, s):
    if rng.random() < 0.5:
        return rng.choice(s.sentences)
    return " ".join(s.word(rng) for _ in range(rng.randint(2, 10))).capitalize() + rng.choice([".", "!", "?", ""])


def code_line(rng, s):
    a, b, c = (identifier(rng, s).replace("-", "_") for _ in range(3))
    n = rng.randrange(1000)
    return rng.choice(
        [
            f"print('{s.word(rng)} {s.word(rng)}')",
            f"let {a} = {n};",
            f"def {a}({b}, {c}):\n    return {b} + {n}",
            f"for (int i = 0; i < {n}; i++) {{ {a}(i); }}",
            f"import {a}\n",
            f"{a} = {b}[{n}]",
            f"fn {a}() -> u32 {{ {n} }}",
            f'<p class="{a}">{s.word(rng)}</p>',
            f"#define {a.upper()} {n}",
            f"{a}: {b}\n{c}: {n}",
            f"if {a} > {n}:\n    {b}()",
        ]
    )


def json_value(rng, s, depth=2):
    r = rng.random()
    if depth == 0 or r < 0.45:
        return rng.choice(
            [
                rng.randrange(10000),
                s.word(rng),
                rng.random() < 0.5,
                round(rng.random() * 100, 2),
                identifier(rng, s),
                None,
            ]
        )
    if r < 0.75:
        return {identifier(rng, s): json_value(rng, s, depth - 1) for _ in range(rng.randint(1, 3))}
    return [json_value(rng, s, 0) for _ in range(rng.randint(0, 4))]


def content(rng, s):
    """File contents: one word to several lines."""
    r = rng.random()
    if r < 0.2:
        return s.word(rng)
    if r < 0.4:
        return sentence(rng, s)
    if r < 0.6:
        return code_line(rng, s)
    if r < 0.7:
        return json.dumps(json_value(rng, s), ensure_ascii=False)
    if r < 0.8:
        return "\n".join(rng.choice([sentence, code_line])(rng, s) for _ in range(rng.randint(2, 5)))
    if r < 0.9:
        return random_chars(rng, 4, 30)
    return " ".join(random_chars(rng, 1, 6) for _ in range(rng.randint(1, 6)))


def short_value(rng, s):
    """Something that fits into one line."""
    return rng.choice(
        [
            number,
            lambda r: identifier(r, s),
            lambda r: s.word(r),
            random_chars,
            lambda r: s.word(r) + " " + s.word(r),
            lambda r: path(r, s),
        ]
    )(rng)
