"""Tool-calling conversations: random schemas, and the families of tools that real agents bring."""

import json

import words as W
from chat import Conversation

VERBS = "get set list create delete update find search send fetch compute convert open close start stop add remove check run".split()
NOUNS = "file user order ticket weather page record table node image message task event report invoice server job note price item".split()
KEYS = (
    "name id path query text value limit count title body url city date owner tag level mode format source target key "
    "pattern message number size user color label line offset reason status kind"
).split()


def described(rng, s):
    return rng.choice(
        [
            W.sentence(rng, s),
            f"The {s.word(rng)} to use",
            f"{s.word(rng).capitalize()} of the {s.word(rng)}",
            s.word(rng),
        ]
    )


def random_name(rng, s):
    verb, noun = rng.choice(VERBS), rng.choice([rng.choice(NOUNS), s.word(rng)])
    return rng.choice(
        [
            f"{verb}_{noun}",
            f"{verb}{noun.capitalize()}",
            f"{noun}.{verb}",
            f"{verb}-{noun}",
            f"mcp__{s.word(rng)}__{verb}_{noun}",
            f"{verb}_{s.word(rng)}_{noun}",
            verb.capitalize() + noun.capitalize(),
        ]
    )


def random_parameter(rng, s):
    kind = rng.choice(["string"] * 5 + ["integer", "integer", "boolean", "number", "array", "object", "enum"])
    schema = {"type": "string" if kind == "enum" else kind}
    if rng.random() < 0.7:
        schema["description"] = described(rng, s)
    if kind == "enum":
        schema["enum"] = sorted({s.word(rng) for _ in range(rng.randint(2, 4))})
    if kind == "array":
        schema["items"] = {"type": "string"}
    return schema, kind


def random_argument(rng, s, schema, kind):
    if kind == "enum":
        return rng.choice(schema["enum"])
    return {
        "string": lambda: rng.choice([W.short_value, W.short_value, W.content])(rng, s).strip() or "x",
        "integer": lambda: rng.randrange(10 ** rng.randint(1, 6)),
        "boolean": lambda: rng.random() < 0.5,
        "number": lambda: round(rng.random() * 100, rng.randint(1, 3)),
        "array": lambda: [s.word(rng) for _ in range(rng.randint(1, 4))],
        "object": lambda: {s.word(rng): W.json_value(rng, s, 1) for _ in range(rng.randint(1, 2))},
    }[kind]()


class RandomTool:
    def __init__(self, rng, s):
        self.name = random_name(rng, s)
        keys = []
        while len(keys) < rng.randint(1, 4):
            key = rng.choice([rng.choice(KEYS), W.identifier(rng, s).replace("-", "_")])
            if key not in keys:
                keys.append(key)
        self.parameters = {k: random_parameter(rng, s) for k in keys}
        self.required = [k for i, k in enumerate(keys) if i == 0 or rng.random() < 0.7]

    def schema(self, rng, s):
        parameters = {
            "type": "object",
            "properties": {k: v for k, (v, _) in self.parameters.items()},
            "required": self.required,
        }
        if rng.random() < 0.3:
            parameters["additionalProperties"] = False
        if rng.random() < 0.2:
            parameters = {"$schema": "https://json-schema.org/draft/2020-12/schema", **parameters}
        return {"name": self.name, "description": described(rng, s), "parameters": parameters}

    def request(self, rng, s):
        """-> instruction text, arguments"""
        given = {
            k: random_argument(rng, s, *self.parameters[k])
            for k in self.parameters
            if k in self.required or rng.random() < 0.5
        }
        shown = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in given.items()}
        style = rng.randrange(4)
        if style == 0:
            listed = ", ".join(f"{k} = {v}" for k, v in shown.items())
            return f"Call {self.name} with {listed}", given
        if style == 1:
            return f"Use the tool {self.name}.\n" + "\n".join(f"{k}: {v}" for k, v in shown.items()), given
        if style == 2:
            return f"Please run {self.name} where " + " and ".join(f"{k} is {v}" for k, v in shown.items()), given
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in shown.items())})", given


PATH_KEYS = ["path", "file_path", "filePath", "filename", "absolute_path", "file", "target_file"]
CONTENT_KEYS = ["content", "contents", "text", "file_text", "body", "data"]
COMMAND_KEYS = ["command", "cmd", "script", "input"]
EXTRAS = {
    "description": "Do what the user asked",
    "reason": "Do what the user asked",
    "i": "Do what the user asked",
    "explanation": "Do what the user asked",
}
COMMANDS = [
    "ls -la",
    "pwd",
    "cat {p}",
    "python3 {p}",
    "cargo test",
    "git status",
    "git diff {p}",
    "wc -l {p}",
    "head -n {n} {p}",
    "rm {p}",
    "mkdir -p {w}",
    "grep -rn {w} .",
    "echo {w}",
    "make {w}",
    "npm run {w}",
    "ps aux | grep {w}",
    "du -sh {w}",
]
FAMILIES = {
    "write": [
        "write",
        "write_file",
        "Write",
        "create_file",
        "save_file",
        "writeFile",
        "str_replace_editor",
        "fs_write",
        "new_file",
    ],
    "read": ["read", "read_file", "Read", "view", "open_file", "readFile", "view_file", "cat_file"],
    "shell": [
        "bash",
        "Bash",
        "shell",
        "exec_command",
        "run_command",
        "execute_command",
        "run_shell_command",
        "terminal",
        "run_commands",
    ],
    "list": ["ls", "list_dir", "LS", "list_files", "list_directory", "glob"],
    "search": ["grep", "Grep", "search", "search_files", "rg", "find_in_files"],
    "edit": ["edit", "Edit", "replace", "edit_file", "apply_edit", "search_replace"],
}


class FamilyTool:
    """A tool as coding agents declare it: name and parameter names vary, the job does not."""

    def __init__(self, rng, s, family):
        self.family, self.name = family, rng.choice(FAMILIES[family])
        self.path_key, self.content_key = rng.choice(PATH_KEYS), rng.choice(CONTENT_KEYS)
        self.command_key = rng.choice(COMMAND_KEYS)
        self.old_key, self.new_key = rng.choice(
            [("old_string", "new_string"), ("oldText", "newText"), ("search", "replace"), ("old", "new")]
        )
        self.extra = rng.choice(list(EXTRAS)) if rng.random() < 0.25 else None
        self.extra_first = rng.random() < 0.5
        self.as_array = family == "shell" and self.name == "run_commands"
        names = {
            "write": [self.path_key, self.content_key],
            "read": [self.path_key],
            "shell": ["commands" if self.as_array else self.command_key],
            "list": [self.path_key],
            "search": ["pattern", self.path_key],
            "edit": [self.path_key, self.old_key, self.new_key],
        }
        self.roles = names[family]  # the order in which `call` takes its values
        self.keys = self.roles[::-1] if family == "write" and rng.random() < 0.25 else self.roles

    def schema(self, rng, s):
        properties = {k: {"type": "string", "description": described(rng, s)} for k in self.keys}
        if self.as_array:
            properties["commands"] = {"type": "array", "items": {"type": "string"}, "description": described(rng, s)}
        required = list(self.keys)
        if self.extra:
            extra = {
                self.extra: {
                    "type": "string",
                    "description": rng.choice(
                        ["Why you call this tool", "Clear, concise description of what this does", described(rng, s)]
                    ),
                }
            }
            properties = {**extra, **properties} if self.extra_first else {**properties, **extra}
            required = list(properties)
        for _ in range(rng.choice([0, 0, 1, 2, 3])):
            schema, _ = random_parameter(rng, s)
            properties[rng.choice(["timeout", "limit", "offset", "encoding", "cwd", "recursive", s.word(rng)])] = schema
        about = {
            "write": "Write a file to the local filesystem",
            "read": "Read a file from the local filesystem",
            "shell": "Run a shell command and return its output",
            "list": "List the files in a folder",
            "search": "Search file contents with a regular expression",
            "edit": "Replace text in a file",
        }[self.family]
        text = about + rng.choice(
            [
                ".",
                ". " + W.sentence(rng, s),
                ".\n\nUsage:\n" + "\n".join("- " + W.sentence(rng, s) for _ in range(rng.randint(1, 8))),
            ]
        )
        parameters = {"type": "object", "properties": properties, "required": required}
        if rng.random() < 0.3:
            parameters["additionalProperties"] = False
        return {"name": self.name, "description": text, "parameters": parameters}

    def call(self, values):
        by_role = dict(zip(self.roles, [values] if self.as_array else values))
        arguments = {k: by_role[k] for k in self.keys}
        if self.extra:
            extra = {self.extra: EXTRAS[self.extra]}
            arguments = {**extra, **arguments} if self.extra_first else {**arguments, **extra}
        return self.name, arguments


def shell_write(path, text):
    return f"printf '%s\\n' '{text}' > {path}"


def write_job(rng, s, toolset, path, quote, said, closing):
    """Create a file, with the tool for it or else through the shell."""
    word = s.word(rng)
    if "write" in toolset:
        text = W.content(rng, s)
        call = toolset["write"].call([path, text])
    else:
        text = rng.choice([word, " ".join(s.word(rng) for _ in range(rng.randint(1, 5))), W.number(rng)])
        call = toolset["shell"].call([shell_write(path, text)])
    shown = f"{quote}{text}{quote}" if "\n" not in text else "\n" + text + "\n"
    request = rng.choice(
        [
            f"Create a file {path} with content {shown}",
            f"create a file {path} with the content {shown}",
            f"Create a file called {path} that contains {shown}",
            f"Write {shown} to {path}",
            f"Make a new file {path} with the word {shown} in it"
            if text.isalpha()
            else f"Put {shown} into the file {path}",
            f"Please save {shown} as {path}",
        ]
    )
    result = rng.choice(
        [
            f"File created successfully at: {path}",
            "ok",
            f"Wrote {len(text)} bytes to {path}",
            "",
            "(no output)",
            f"Created {path}",
            "Success",
        ]
    )
    return request + closing, [call], [result], said


def job(rng, s, toolset):
    """A task for agent tools -> request, calls, results, answer. `toolset` maps family to FamilyTool."""
    families = [f for f in toolset if f in ("write", "read", "shell", "list", "search", "edit")]
    kind = rng.choice(families + ["write"] if "write" in families or "shell" in families else families)
    path, word = W.path(rng, s), s.word(rng)
    said = rng.choice(
        ["done", "done", "done", "Done.", "finished", "OK", "ok", "ready", "all good", word, word.upper()]
    )
    closing = rng.choice(
        [
            f", then say {said}",
            f" and then say {said}",
            f". Then say {said}.",
            f". When it is done, reply with {said}",
            f". Afterwards answer only: {said}",
        ]
    )
    quote = rng.choice(["", "", "'", '"', "`"])
    if kind == "write":
        return write_job(rng, s, toolset, path, quote, said, closing)
    if kind == "read":
        text = W.content(rng, s)
        request = rng.choice(
            [
                f"Read {path} and tell me what is in it.",
                f"What does {path} contain?",
                f"Show me the file {path}",
                f"Open {path} and repeat its content.",
            ]
        )
        return request, [toolset["read"].call([path])], [text], text
    if kind == "shell":
        command = rng.choice(COMMANDS).format(p=path, w=word, n=rng.randrange(1, 100))
        output = rng.choice([W.short_value(rng, s), W.sentence(rng, s), W.number(rng)])
        request = rng.choice(
            [
                f"Run {quote}{command}{quote}",
                f"Execute the command {quote}{command}{quote}",
                f"Please run the shell command {quote}{command}{quote}",
            ]
        )
        if rng.random() < 0.5:
            return request + closing, [toolset["shell"].call([command])], [output], said
        return (
            request + rng.choice([" and tell me the output.", " and show what it prints."]),
            [toolset["shell"].call([command])],
            [output],
            output,
        )
    if kind == "list":
        names = "\n".join(W.identifier(rng, s) + "." + rng.choice(W.EXTENSIONS) for _ in range(rng.randint(1, 5)))
        folder = path.rsplit("/", 1)[0] if "/" in path else word
        return f"List the files in {folder}.", [toolset["list"].call([folder])], [names], names
    if kind == "search":
        folder = rng.choice([".", "src", word])
        hit = f"{path}:{rng.randrange(1, 500)}: {W.sentence(rng, s)}"
        pattern = W.identifier(rng, s)
        return (
            rng.choice([f"Search for {pattern} in {folder}.", f"Where is {quote}{pattern}{quote} used in {folder}?"]),
            [toolset["search"].call([pattern, folder])],
            [hit],
            hit,
        )
    old, new = rng.choice([(W.identifier(rng, s), W.identifier(rng, s)), (W.sentence(rng, s), W.sentence(rng, s))])
    return (
        f"In {path}, replace {quote}{old}{quote} with {quote}{new}{quote}" + closing,
        [toolset["edit"].call([path, old, new])],
        [rng.choice(["ok", "1 replacement made", "Edited"])],
        said,
    )


REMINDERS = [
    "<system-reminder>\n{t}\n</system-reminder>",
    "<environment_context>\n<cwd>/Users/{w}</cwd>\n<shell>bash</shell>\n{t}\n</environment_context>",
    "# Context\n{t}",
    "<context>{t}</context>",
]


def system_text(rng, s, n_chars):
    """Something like an agent's system prompt."""
    if n_chars < 80:
        return rng.choice(
            ["", "You are a helpful assistant", "You are a helpful assistant.", "You are a coding agent.", ""]
        )
    head = rng.choice(
        [
            "You are an interactive agent that helps users with software engineering tasks.",
            "You are a coding agent running in a terminal.",
            "You are a helpful assistant with tools.",
            f"You are {s.word(rng).capitalize()}, an expert coding assistant.",
        ]
    )
    out = [head]
    while sum(map(len, out)) < n_chars:
        title = rng.choice(["#", "##", "**"]) + " " + " ".join(s.word(rng) for _ in range(2)).capitalize()
        out.append(
            title
            + "\n"
            + rng.choice(
                [
                    s.filler(rng, rng.randint(200, 900)),
                    "\n".join("- " + W.sentence(rng, s) for _ in range(rng.randint(3, 10))),
                ]
            )
        )
    return "\n\n".join(out)


def thought(calls):
    return "I will call " + " and ".join(name for name, _ in calls) + "."


FINISH = "I can answer now."


def conversation(rng, s, n_chars):
    """A whole tool conversation of roughly n_chars of prompt."""
    agent = rng.random() < 0.55
    families = rng.sample(list(FAMILIES), rng.randint(1, 6)) if agent else []
    if agent and not {"write", "shell", "read"} & set(families):
        families.append(rng.choice(["write", "shell"]))
    toolset = {f: FamilyTool(rng, s, f) for f in families}
    others = {
        t.name: t for t in (RandomTool(rng, s) for _ in range(rng.randint(0 if agent else 1, 2 + n_chars // 3000)))
    }
    taken = {t.name for t in toolset.values()}
    others = [t for t in others.values() if t.name not in taken]
    if not agent and not others:
        others = [RandomTool(rng, s)]
    schemas = [t.schema(rng, s) for t in [*toolset.values(), *others]]
    rng.shuffle(schemas)
    size = len(json.dumps(schemas)) + 1400
    thinking = rng.random() < 0.6
    effort = rng.choice(["high", "high", "low", "max"])
    c = Conversation(thinking, effort, system_text(rng, s, rng.choice([0, max(n_chars - size, 0)])), schemas)
    for _ in range(rng.choice([1, 1, 2, 3])):
        r = rng.random()
        if agent:
            request, calls, results, answer = job(rng, s, toolset)
        elif r < 0.3 and len(others) > 1:
            picked = [rng.choice(others), rng.choice(others)]
            asked = [t.request(rng, s) for t in picked]
            request = rng.choice([". Then ", ", and also ", ".\n"]).join(q for q, _ in asked) + "."
            calls = [(t.name, a) for t, (_, a) in zip(picked, asked)]
            results = [W.short_value(rng, s), W.short_value(rng, s)]
            answer = f"The results are {results[0]} and {results[1]}."
        else:
            tool = rng.choice(others)
            request, arguments = tool.request(rng, s)
            calls, results = (
                [(tool.name, arguments)],
                [rng.choice([W.short_value(rng, s), W.sentence(rng, s), W.number(rng)])],
            )
            answer = f"The result is {results[0]}"
        if rng.random() < 0.06:
            results = ["Error: " + W.sentence(rng, s)]
            calls, answer = calls[:1], "The tool failed: " + results[0]
            if len(results) != len(calls):
                results *= len(calls)
        blocks = [request]
        if rng.random() < 0.25:
            note = rng.choice(REMINDERS).replace("{w}", s.word(rng)).replace("{t}", s.filler(rng, rng.randint(40, 400)))
            blocks = [note, request] if rng.random() < 0.75 else [request, note]
        c.user(*blocks)
        c.assistant("", thought(calls), calls)
        c.tool_results(*results)
        c.assistant(answer, FINISH)
    return c
