"""Edits as blocks of text, for clients that bring no tools: the prompt says how a block looks, the answer is blocks.

The marks of a block, its order and its rules differ from one conversation to the next, so that they have to be read.
"""

import prose
import words as W
from chat import ASSISTANT, END_THINK, EOS, PROMPT, Conversation

# What opens the old part, divides it from the new one, and ends that; and what the two parts are called.
MARKS = [
    ("<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"),
    ("<<<<<<< ORIGINAL", "=======", ">>>>>>> UPDATED"),
    ("<<<<<<< OLD", "-------", ">>>>>>> NEW"),
    ("<<<< BEFORE", "====", ">>>> AFTER"),
    ("@@ FIND @@", "@@ PUT @@", "@@ END @@"),
    ("[old]", "[new]", "[end]"),
]
LANGUAGES = {
    "py": "python",
    "rs": "rust",
    "md": "markdown",
    "json": "json",
    "toml": "toml",
    "c": "c",
    "js": "javascript",
    "ts": "typescript",
    "html": "html",
    "css": "css",
    "sh": "bash",
    "yaml": "yaml",
}


def fenced(path, text, fence="```", inside=False):
    opens = fence + LANGUAGES.get(path.rsplit(".", 1)[-1], "")
    return "\n".join([*([opens, path] if inside else [path, opens]), text, fence])


class Style:
    """How one conversation writes its blocks; without marks a block is the whole file."""

    def __init__(self, rng):
        self.marks = rng.choice([MARKS[0], MARKS[0], *MARKS]) if rng.random() < 0.75 else None
        self.fence = rng.choice(["```", "```", "```", "````"])
        self.inside = rng.random() < 0.2  # the path is the first line within the fence
        old, new = (mark.strip("<>=@-[] ") for mark in self.marks[::2]) if self.marks else ("", "")
        self.name = rng.choice(
            [f"*{old}/{new}* block", f"{old}/{new} block", "edit block"] if old else ["file block", "*file listing*"]
        )

    def block(self, path, old, new):
        lines = [self.marks[0], old, self.marks[1], new, self.marks[2]] if self.marks else [new]
        return fenced(path, "\n".join(filter(None, lines)), self.fence, self.inside)

    def rules(self, rng):
        path = "The path of the file, alone on a line"
        steps = ["The fence that opens, with the language if there is one"]
        steps.insert(1 if self.inside else 0, path)
        if self.marks:
            steps += [f"The line {self.marks[0]}", "Lines of the file as they are now", f"The line {self.marks[1]}"]
            steps += ["The lines that take their place", f"The line {self.marks[2]}"]
        else:
            steps.append("All lines of the file as it is to be")
        steps.append("The fence that closes")
        end = rng.choice([".", ""])
        listed = "\n".join(f"{i}. {step}{end}" for i, step in enumerate(steps, 1))
        head = rng.choice(
            [f"A {self.name} is made of:", f"Write every {self.name} so:", f"Rules for each {self.name}:"]
        )
        new_file = "A new file has no lines before the middle mark." if self.marks else "A new file looks the same."
        return f"{head}\n{listed}\n{new_file}"


def file_name(rng, s):
    """A path that begins with no root, so that it is written the way the request has it."""
    return W.path(rng, s).removeprefix("./").removeprefix("~/").lstrip("/")


def one_line(rng, s):
    return rng.choice([W.sentence, W.code_line])(rng, s).split("\n")[0].strip() or "x"


def lines(rng, s):
    """Different lines of a small file."""
    return list(dict.fromkeys(one_line(rng, s) for _ in range(rng.randint(1, 7))))


def creation(rng, s, path):
    """-> request, edits [(path, old lines, new lines, whole file)]"""
    text = W.content(rng, s).strip() or "x"
    shown = "\n" + text if "\n" in text else rng.choice(["'{}'", "{}", '"{}"', "`{}`"]).format(text)
    request = rng.choice(
        [
            "Create a file {p} containing {t}",
            "Create a file {p} in the current directory containing {t}",
            "Make a new file {p} with the content {t}",
            "Write {t} to {p}",
            "Add the file {p} with {t} in it",
            "I need a file {p} that contains {t}",
        ]
    )
    return request.replace("{p}", path).replace("{t}", shown), [(path, "", text, text)]


def change(rng, s, path, content):
    """One line of a file that was shown: another word in it, or a line behind it."""
    at = rng.randrange(len(content))
    old = content[at]
    if rng.random() < 0.5:
        word, by = rng.choice(old.split()), rng.choice([s.word(rng), W.identifier(rng, s), W.number(rng)])
        new = old.replace(word, by, 1)
        request = f"In {path}, replace {word} with {by} in the line {old}"
    else:
        added = one_line(rng, s)
        new = old + "\n" + added
        request = rng.choice(["In {p}, add the line {n} after {o}", "Put {n} into {p}, after the line {o}"])
        request = request.replace("{p}", path).replace("{n}", added).replace("{o}", old)
    whole = "\n".join([*content[:at], new, *content[at + 1 :]])
    return request, [(path, old, new, whole)]


def written(style, edits):
    return "\n\n".join(style.block(path, old, new if style.marks else whole) for path, old, new, whole in edits)


def told(c, text):
    """A turn of the model's that stands in the prompt and is nothing to learn from."""
    c.parts.append((ASSISTANT + END_THINK + text + EOS, PROMPT))
    return c


def example(rng, s, style):
    """Somebody else's task, and blocks that do it."""
    if rng.random() < 0.5:
        request, edits = creation(rng, s, file_name(rng, s))
    else:
        request, edits = change(rng, s, file_name(rng, s), lines(rng, s))
    return request, rng.choice(["", "", prose.rule(rng, s) + "\n\n"]) + written(style, edits)


def conversation(rng, s, n_chars):
    """A whole conversation of roughly n_chars of prompt, about files that are shown or new."""
    style = Style(rng)
    room = max(n_chars - 1500, 0)
    rules, before = style.rules(rng), prose.sections(rng, s, int(room * rng.choice([0.3, 0.5, 0.8])))
    after = prose.sections(rng, s, room - len(before)) if room > len(before) + 300 else ""
    examples = [example(rng, s, style) for _ in range(rng.choice([1, 1, 2, 3]))]
    as_turns = rng.random() < 0.5
    system = [before, rules, after if rng.random() < 0.5 else ""]
    if not as_turns:
        system += [f"Example:\n\n{request}\n\n{reply}" for request, reply in examples]
    c = Conversation(rng.random() < 0.75, rng.choice(["high", "high", "low", "max"]), "\n\n".join(filter(None, system)))
    if as_turns:
        for request, reply in examples:
            told(c.user(request), reply)
        told(c.user(rng.choice(["Those were examples.", "Now other files.", "Forget these files."])), "Ok.")
    path, content = file_name(rng, s), lines(rng, s)
    shown = rng.random() < 0.5
    if shown:
        listing = fenced(path, "\n".join(content))
        told(c.user(rng.choice(["These are the files:", "I added a file to the chat:"]) + "\n\n" + listing), "Ok.")
    for turn in range(rng.choice([1, 1, 1, 2])):
        if shown and turn == 0 and rng.random() < 0.8:
            request, edits = change(rng, s, path, content)
        else:
            request, edits = creation(rng, s, file_name(rng, s))
        said = rng.choice(["done", "done", "Done.", "ok", s.word(rng)]) if rng.random() < 0.6 else ""
        request += (
            rng.choice([", then say {}.", " and then say {}", ". Then say {}."]).format(said).replace("..", ".")
            if said
            else "."
        )
        again = [rules, after if after not in system else ""] if turn == 0 and rng.random() < 0.5 else []
        c.user(*filter(None, [request, *again]))
        c.assistant(written(style, edits) + (f"\n\n{said}" if said else ""), "I will write the block.")
    return c
