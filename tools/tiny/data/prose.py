"""Text as agents' prompts are made of: rules, sections, tags, examples, lists of skills, notes on the environment.

Every sentence is put together from the tables below and words of the source, so that no two prompts are alike and none is
that of a real agent.
"""

import json

import words as W

DO = (
    "read write edit run check list search open fetch commit push build test review plan ask report print show delete create "
    "move copy install configure explain summarise format lint call use keep follow verify mention avoid skip retry wait"
).split()
THINGS = (
    "the file;a command;the repository;all tests;the user's request;the working directory;secrets;its output;a plan;new "
    "dependencies;absolute paths;tool results;the commit message;code blocks;existing files;the terminal;a sub-agent;the "
    "session;environment variables;the final answer;a pull request;several calls;long output;the diff;the schema;a "
    "background task;the approval;parallel calls;a short summary;comments in code;the sandbox;configuration;the log"
).split(";")
WHEN = (
    "unless the user asks for it;before you edit it;when the tests fail;if the path is relative;after every change;while a "
    "command is running;if nothing else fits;without being asked;in the same turn;as soon as it is done;when you are not "
    "sure;in a non-interactive session;for simple tasks;at the end of your turn;when the result is too long;only once"
).split(";")
TAGS = (
    "instructions env context rules example examples tone guidelines skills permissions workflow memory reminder policy "
    "git_status important notes capabilities style safety files_info user_info tool_use_guidelines collaboration_mode"
).split()
HEADINGS = (
    "Tone and style;Doing tasks;Tool usage;Following conventions;Code style;Planning;Safety;Environment;Git;Formatting;"
    "Sandbox and approvals;Validating your work;Presenting your work;Memory;Sub-agents;Limits;Errors;Output;Examples;"
    "Editing files;Running commands;Final answer;Project instructions;Hooks;Skills;Personality;Overview"
).split(";")


def rule(rng, s):
    """One sentence that tells an agent what to do."""
    do, thing, when = rng.choice(DO), rng.choice(THINGS), rng.choice(WHEN)
    r = rng.random()
    if r < 0.25:
        return rng.choice(s.sentences)
    if r < 0.35:
        return f"{when[0].upper()}{when[1:]}, {do} {thing} and {rng.choice(DO)} {rng.choice(THINGS)}."
    if r < 0.45:
        return f"Use `{W.identifier(rng, s)}` to {do} {thing}; {rng.choice(['do not', 'never', 'you may'])} {rng.choice(DO)} it {when}."
    if r < 0.53:
        return f'For example, "{do} {s.word(rng)}" means to {rng.choice(DO)} {thing}, and `{W.path(rng, s)}` is not {thing}.'
    if r < 0.6:
        return f"{s.word(rng).capitalize()} {s.word(rng)} ({W.number(rng)} {rng.choice(['ms', 'tokens', 'lines', 'characters'])} at most): {do} {thing}."
    if r < 0.65:
        return f"{s.word(rng).capitalize()} — {do} {thing}: don’t {rng.choice(DO)} “{s.word(rng)}” {when}…"
    start = rng.choice(
        "Always;Never;You should;You MUST;Do not;IMPORTANT: never;Prefer to;Please;You can;Be sure to;NEVER;Try to".split(
            ";"
        )
    )
    return f"{start} {do} {thing} {when}."


def rules(rng, s, n):
    return " ".join(rule(rng, s) for _ in range(n))


def bullets(rng, s, n):
    mark = rng.choice(["- ", "* ", " - ", "1. "])
    bold = rng.random() < 0.3
    return "\n".join(
        mark + (f"**{s.word(rng).capitalize()} {s.word(rng)}**: " if bold else "") + rule(rng, s) for _ in range(n)
    )


def code(rng, s):
    """A fenced block: shell, JSON or a line of some language."""
    kind = rng.choice(["bash", "json", "", "python", "diff"])
    if kind == "bash":
        body = "\n".join(
            f"{rng.choice(['git', 'cargo', 'npm', 'ls', 'cat', 'rg', 'python3'])} {W.short_value(rng, s)}"
            for _ in range(rng.randint(1, 4))
        )
    elif kind == "json":
        body = json.dumps(W.json_value(rng, s), indent=rng.choice([None, 2]))
    elif kind == "diff":
        body = f"*** Begin Patch\n*** Update File: {W.path(rng, s)}\n@@\n-{s.word(rng)}\n+{W.identifier(rng, s)}\n*** End Patch"
    else:
        body = W.code_line(rng, s)
    return f"```{kind}\n{body}\n```"


def dialogue(rng, s):
    """An example inside of a prompt: a task that is not to be done."""
    ask = rng.choice(
        [
            f"create a file {W.path(rng, s)} with {s.word(rng)}",
            f"what is in {W.path(rng, s)}?",
            f"run {W.identifier(rng, s)}",
            f"{rng.choice(DO)} {rng.choice(THINGS)}",
            f"write {s.word(rng)} into {W.path(rng, s)}, then say {s.word(rng)}",
        ]
    )
    reply = rng.choice([rule(rng, s), s.word(rng), f"[calls {W.identifier(rng, s)} with {W.path(rng, s)}]"])
    return f"<example>\nuser: {ask}\nassistant: {reply}\n</example>"


def listing(rng, s):
    """Names with what they are for: skills, agents, commands."""
    head = rng.choice(
        [
            "The following skills are available:",
            "Available agent types:",
            "### Available skills",
            "These tools are deferred; load them first:",
            "Slash commands:",
        ]
    )
    bare = rng.random() < 0.3
    lines = [
        f"{s.word(rng).capitalize()}{s.word(rng).capitalize()}"
        if bare
        else f"- {W.identifier(rng, s)}: {rules(rng, s, rng.randint(1, 3))}"
        for _ in range(rng.randint(3, 12))
    ]
    return head + "\n" + "\n".join(lines)


def working_directory(rng, s):
    """A working directory."""
    return rng.choice(
        [
            f"/tmp/tmp.{W.random_chars(rng, 8, 10)}",
            f"/home/{s.word(rng)}/{s.word(rng)}",
            f"/Users/{s.word(rng)}/{s.word(rng)}",
        ]
    )


def environment(rng, s):
    """What a client says about the machine."""
    folder = s.folder or working_directory(rng, s)
    shell, system = rng.choice(["bash", "zsh", "sh", "fish"]), rng.choice(["linux", "darwin", "win32"])
    date = f"20{rng.randint(24, 28)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    return rng.choice(
        [
            f"<environment_context>\n  <cwd>{folder}</cwd>\n  <shell>{shell}</shell>\n  <current_date>{date}</current_date>\n  <timezone>Etc/UTC</timezone>\n</environment_context>",
            f"<env>\nWorking directory: {folder}\nIs directory a git repo: {rng.choice(['true', 'false', 'Yes', 'No'])}\nPlatform: {system}\nToday's date: {date}\n</env>",
            f"# Environment\n - Primary working directory: {folder}\n - Is a git repository: false\n - Platform: {system}\n - Shell: {shell}\n - {rule(rng, s)}",
            f"Current working directory: {folder}\nCurrent date: {date}\nOperating system: {system}",
            f"System: {system}, {shell}. The project is in {folder}. Today is {date}.",
        ]
    )


def section(rng, s):
    r = rng.random()
    if r < 0.3:
        return (
            rng.choice(["# ", "## ", "### ", "**"])
            + rng.choice(HEADINGS)
            + "\n\n"
            + rng.choice([bullets, rules])(rng, s, rng.randint(2, 9))
        )
    if r < 0.45:
        tag = rng.choice(TAGS)
        return f"<{tag}>\n{rng.choice([bullets, rules])(rng, s, rng.randint(1, 8))}\n</{tag}>"
    if r < 0.6:
        return rules(rng, s, rng.randint(2, 7))
    if r < 0.7:
        return rule(rng, s) + "\n\n" + code(rng, s)
    if r < 0.8:
        return dialogue(rng, s)
    if r < 0.9:
        return listing(rng, s)
    if r < 0.93:
        return environment(rng, s)
    return s.filler(rng, rng.randint(200, 1200))


def sections(rng, s, n_chars):
    out, size = [], 0
    while size < n_chars:
        out.append(section(rng, s))
        size += len(out[-1]) + 2
    return "\n\n".join(out)


def description(rng, s, n_chars):
    """Of a tool: one line or a page of rules."""
    out = rule(rng, s)
    while len(out) < n_chars:
        out += rng.choice([" ", "\n\n", "\n"]) + rng.choice(
            [rule, lambda r, s: bullets(r, s, r.randint(2, 6)), section]
        )(rng, s)
    return out
