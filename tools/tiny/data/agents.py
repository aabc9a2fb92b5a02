"""Conversations as coding agents hold them: long instructions, many tools of which one fits, the task somewhere in a turn
that is mostly about other things.

The families of tools are those of `tools.py` with many more names; beside them stand tools that look alike and do not fit.
"""

import json

import prose
import tools
import words as W
from chat import Conversation

FAMILIES = {
    "write": "Write write write_file create_file save_file writeFile write_to_file create_new_file fs_write put_file new_file "
    "file_write WriteFile create save editor_create insert_file make_file".split(),
    "read": "Read read read_file view open_file readFile view_file cat_file ReadFile get_file file_read".split(),
    "shell": "Bash bash shell exec_command run_command execute_command run_shell_command terminal run_commands exec "
    "run_in_terminal run_terminal_cmd shell_command local_shell Shell execute command sh run_script container_exec".split(),
    "list": "ls list_dir LS List list_files list_directory glob Glob ls_dir list_folder".split(),
    "search": "grep Grep search search_files rg find_in_files code_search file_search search_file_content".split(),
    "edit": "edit Edit replace edit_file apply_edit search_replace str_replace replace_in_file MultiEdit".split(),
}
PATHS = (
    "path file_path filepath filePath filename absolute_path file target_file file_name relative_path uri target pathname "
    "destination"
).split()
FOLDERS = "path dirpath directory folder dir target_directory dir_path root".split()
CONTENTS = "content contents text file_text body data file_content new_content code string".split()
COMMANDS = "command cmd script input command_line commandLine shell_command line".split()
OPTIONS = (
    "timeout timeout_ms limit offset encoding cwd workdir recursive description run_in_background max_output_tokens "
    "yield_time_ms tty login shell justification sandbox_permissions prefix_rule is_background include exclude head_limit "
    "replace_all overwrite mode create_dirs output_mode glob context restart requires_approval explanation pages"
).split()
# What stands in for a purpose when a required parameter asks for one.
PURPOSE = {key: "Do what the user asked" for key in ("description", "reason", "i", "explanation", "intent", "purpose")}
ABOUT = {
    "write": "Write a file to the local filesystem;Create a new file with the given content;Writes a file;Save text to a file",
    "read": "Read a file from the local filesystem;Reads a file;Return the contents of a file",
    "shell": "Run a shell command and return its output;Executes a command in a terminal;Runs a command in a PTY;Execute bash",
    "list": "List the files in a folder;Lists files and directories",
    "search": "Search file contents with a regular expression;Searches the code",
    "edit": "Replace text in a file;Performs exact string replacements in files",
}
# Tools that real agents have beside those: what they are called, what they do, their parameters (! is required).
BESIDE = """
write_stdin send_input_to_terminal terminal_input|Writes characters to a running session|session_id:number! chars:string yield_time_ms:number
update_plan TodoWrite todo_write write_todos plan|Updates the list of tasks|plan:objects! explanation:string
apply_patch patch_file|Applies a patch|input:string!
view_image ViewImage|Shows a picture from the disk|path:string! detail:string
Task Agent spawn_agent new_agent delegate|Starts a sub-agent with a task|description:string! prompt:string! subagent_type:string
send_input SendMessage message_agent|Sends a message to an agent|target:string! message:string! interrupt:boolean
wait_agent wait close_agent resume_agent|Waits for or ends an agent|id:string! timeout_ms:number
ask_user AskUserQuestion request_user_input AskQuestion|Asks the user|questions:objects! title:string
WebFetch Fetch fetch_url web_fetch read_url|Fetches a page|url:string! prompt:string
WebSearch web_search search_web|Searches the web|query:string! allowed_domains:strings
NotebookEdit edit_notebook|Edits a cell of a notebook|notebook_path:string! new_source:string! cell_id:string edit_mode:string
BashOutput CheckBackgroundJob read_output job_output|Reads the output of a background job|job_id:string! filter:string
KillShell TaskStop kill_job|Ends a background job|shell_id:string!
Skill Skills load_skill use_skill|Loads a skill|skill:string! args:string
Checklist write_checklist|Writes a checklist in markdown|checklist:string!
save_memory write_memory remember create_memory|Keeps a fact for later|fact:string! scope:string
create_goal get_goal update_goal|Keeps the goal of this session|objective:string! token_budget:number
list_mcp_resources read_mcp_resource|Resources of servers|server:string! uri:string
CronCreate schedule_wakeup ScheduleWakeup|Calls again later|delaySeconds:number! reason:string! prompt:string
create_directory mkdir make_dir|Creates a folder|path:string!
move_file rename_file copy_file|Moves a file|source:string! destination:string!
delete_file remove_file|Deletes a file|path:string! force:boolean
lsp diagnostics get_errors|Problems that the compiler reports|file:string severity:string
Workflow run_workflow script_workflow|Runs a workflow script|script:string! name:string args:object
ExitPlanMode exit_plan Exit finish attempt_completion|Says that the work is complete|result:string
ReportFindings report_failure upload_artifact|Reports|level:string findings:objects!
ToolSearch find_tools|Finds tools that are not loaded|query:string! max_results:number
create_document write_note new_page create_record|Creates a page in the workspace|title:string! content:string parent:string
run_tests run_query execute_sql eval_js python|Runs code|code:string! timeout:number
""".strip().split("\n")


def typed(rng, s, kind, long):
    """The schema of one parameter."""
    text = prose.rule(rng, s) if not long else prose.description(rng, s, rng.randint(60, 500))
    if kind == "strings":
        return {"type": "array", "items": {"type": "string"}, "description": text}
    if kind == "objects":
        inner = {
            W.identifier(rng, s).replace("-", "_"): typed(rng, s, "string", False) for _ in range(rng.randint(1, 4))
        }
        if rng.random() < 0.4:
            inner["options"] = {
                "type": "array",
                "items": {"type": "object", "properties": {"label": {"type": "string"}}},
            }
        items = {"type": "object", "properties": inner, "required": list(inner)[:2], "additionalProperties": False}
        return {"type": "array", "description": text, "items": items}
    schema = {"type": kind}
    if rng.random() < 0.9:
        schema["description"] = text
    if kind == "string" and rng.random() < 0.1:
        schema["enum"] = sorted({s.word(rng) for _ in range(3)})
    if kind in ("number", "integer") and rng.random() < 0.2:
        schema |= {"minimum": 0, "maximum": rng.randrange(1, 10**6)}
    return schema


def wrapped(rng, name, text, properties, required):
    parameters = {"type": "object", "properties": properties}
    if required or rng.random() < 0.3:
        parameters["required"] = required
    if rng.random() < 0.5:
        parameters["additionalProperties"] = False
    if rng.random() < 0.25:
        parameters = {"$schema": "https://json-schema.org/draft/2020-12/schema", **parameters}
    return {"name": name, "description": text, "parameters": parameters}


def length(rng, n_chars):
    """Of a description: most are short, a few are pages."""
    return rng.choice([0, 0, 40, 120, 300, 900, 2500]) if n_chars > 8000 else rng.choice([0, 0, 0, 60, 200])


FILES = ["write", "read", "edit"]
# How tools say that their path has to begin with a root. {p} is a made-up one.
ABSOLUTE = (
    "The absolute path of the file;Absolute path to the file, must start with /;Full path, for example {p};An absolute path: "
    "relative ones are refused;The file's absolute path (not a relative one);Path from the root, such as {p};Must be absolute"
).split(";")
REFUSED = (
    "Error: {p} is not an absolute path;The path must be absolute: {p};Path is not absolute: {p}. Use an absolute path.;"
    "error: relative path {p}, expected an absolute one;invalid path '{p}': must be absolute"
).split(";")


def rooted(path, folder):
    """The absolute form of a path that was named in `folder`; a home directory is left to the shell."""
    return path if path[0] in "/~" else f"{folder}/{path.removeprefix('./')}"


class AgentTool(tools.FamilyTool):
    """A tool of a family as an agent declares it, with options in between that a call leaves out."""

    folder = None  # the working directory, for a tool that takes absolute paths only
    says_so = False  # and whether its schema tells that, or only its answer to a relative one

    def __init__(self, rng, s, family):
        super().__init__(rng, s, family)
        self.name = rng.choice(FAMILIES[family])
        if rng.random() < 0.1:
            self.name = f"{rng.choice(['functions', 'mcp', 'builtin', 'default_api', s.word(rng)])}__{self.name}"
        path = rng.choice(FOLDERS if family == "list" else PATHS)
        command, content = rng.choice(COMMANDS), rng.choice(CONTENTS)
        self.as_array = family == "shell" and rng.random() < 0.12
        self.through_shell = self.as_array and rng.random() < 0.6
        if self.as_array and not self.through_shell:
            command += "s"
        self.roles = {
            "write": [path, content],
            "read": [path],
            "shell": [command],
            "list": [path],
            "search": [rng.choice(["pattern", "query", "regex"]), path],
            "edit": [path, self.old_key, self.new_key],
        }[family]
        self.keys = self.roles[::-1] if family == "write" and rng.random() < 0.25 else self.roles
        self.extra = rng.choice(list(PURPOSE)) if rng.random() < 0.12 else None

    def take_absolute(self, rng, s):
        if "relative_path" not in self.roles:
            self.folder, self.says_so = s.folder, rng.random() < 0.85

    def schema(self, rng, s, n_chars):
        properties = {k: typed(rng, s, "strings" if self.as_array else "string", False) for k in self.keys}
        if self.says_so:
            sample = rooted(W.path(rng, s), prose.working_directory(rng, s))
            properties[self.roles[0]]["description"] = rng.choice(ABSOLUTE).replace("{p}", sample)
        required = list(self.keys)
        if self.extra:
            extra = {self.extra: typed(rng, s, "string", False)}
            properties = {**extra, **properties} if self.extra_first else {**properties, **extra}
            required = list(properties)
        if rng.random() < 0.2:
            rng.shuffle(required)
        entries = list(properties.items())
        for key in rng.sample(OPTIONS, rng.choice([0, 0, 1, 2, 3, 5, 9])):
            if key not in properties and not (key in PURPOSE and self.extra):
                kind = rng.choice(["string", "string", "number", "integer", "boolean", "strings"])
                at = rng.randint(0, len(entries)) if rng.random() < 0.4 else len(entries)
                entries.insert(at, (key, typed(rng, s, kind, rng.random() < 0.15 and n_chars > 8000)))
        text = rng.choice(ABOUT[self.family].split(";")) + "."
        size = length(rng, n_chars)
        if size:
            text += rng.choice([" ", "\n\n"]) + prose.description(rng, s, size)
        return wrapped(rng, self.name, text, dict(entries), required)

    def call(self, values):
        if self.says_so:
            values = [rooted(values[0], self.folder), *values[1:]]
        if self.through_shell:
            values = ["bash", "-lc", *values]
        by_role = dict(zip(self.roles, [values] if self.as_array else values))
        arguments = {k: by_role[k] for k in self.keys}
        if self.extra:
            extra = {self.extra: PURPOSE[self.extra]}
            arguments = {**extra, **arguments} if self.extra_first else {**arguments, **extra}
        return self.name, arguments


def beside(rng, s, n_chars):
    """The schema of a tool that no task asks for."""
    if rng.random() < 0.2:
        return tools.RandomTool(rng, s).schema(rng, s)
    names, about, keys = rng.choice(BESIDE).split("|")
    properties, required = {}, []
    for key in keys.split():
        name, kind = key.rstrip("!").split(":")
        properties[name] = typed(rng, s, kind, rng.random() < 0.1 and n_chars > 8000)
        if key.endswith("!"):
            required.append(name)
    for key in rng.sample(OPTIONS, rng.choice([0, 0, 0, 1, 2])):
        properties.setdefault(key, typed(rng, s, rng.choice(["string", "number", "boolean"]), False))
    name = rng.choice(names.split())
    if rng.random() < 0.15:
        name = f"{rng.choice(['multi_agent', 'mcp__' + s.word(rng), s.word(rng)])}__{name}"
    size = length(rng, n_chars)
    text = about + "." + (" " + prose.description(rng, s, size) if size else "")
    return wrapped(rng, name, text, properties, required)


def executed(rng, s, output):
    """A shell's result as some clients frame it."""
    if rng.random() < 0.6:
        return output
    return rng.choice(
        [
            f"Chunk ID: {W.random_chars(rng, 6, 6)}\nWall time: {rng.random():.4f} seconds\nProcess exited with code 0\nOriginal token count: {rng.randrange(40)}\nOutput:\n{output}\n",
            f"Exit code: 0\nWall time: {rng.random():.1f} seconds\nOutput:\n{output}",
            f"<stdout>\n{output}\n</stdout>\n<exit_code>0</exit_code>",
            json.dumps({"output": output, "metadata": {"exit_code": 0, "duration_seconds": 0.0}}),
        ]
    )


HERE = ["in the current directory", "in this folder", "here", "in the working directory", "in the current folder"]


def write_job(rng, s, toolset):
    """Create a small file: with the tool for it, else through the shell."""
    path = (
        rng.choice([s.word(rng), W.identifier(rng, s)]) + "." + rng.choice(W.EXTENSIONS)
        if rng.random() < 0.6
        else W.path(rng, s)
    )
    word = s.word(rng)
    text = rng.choice([word, word, f"{word} {s.word(rng)}", W.number(rng), W.sentence(rng, s).replace("'", "")])
    quote = rng.choice(["'", "'", '"', "`", ""])
    shown, where = f"{quote}{text}{quote}", rng.choice([*HERE, ""] if "/" not in path else [""])
    verb = rng.choice(["containing", "that contains", "which holds", "with", "with the content", "with the text"])
    noun = (
        rng.choice(["the word ", "only ", "just ", "", ""]) if text == word and not verb.startswith("with the") else ""
    )
    request = rng.choice(["Create", "create", "Make", "Please create", "Write", "Add", "I need you to create"])
    request += f" {rng.choice(['a file', 'the file', 'a new file', 'a file called', 'a file named'])} {path}"
    request += (f" {where}" if where else "") + f" {verb} {noun}{shown}"
    if "write" in toolset:
        call = toolset["write"].call([path, text])
        result = rng.choice(
            [
                f"File created successfully at: {path}",
                f"Wrote {len(text)} bytes to {path}",
                "ok",
                "Success",
                f"Successfully created file: {path}",
                f"Created {path}",
            ]
        )
    else:
        call = toolset["shell"].call([tools.shell_write(path, text)])
        result = executed(rng, s, rng.choice(["", "", "(no output)"]))
    said = rng.choice(["done", "done", "done", "Done", "ok", "finished", "ready", s.word(rng)])
    closing = rng.choice(
        [
            ", then say {}.",
            ", then say {}",
            " and then say {}.",
            ". Then say {}.",
            ". When it is there, say {}.",
            ", and reply with {} afterwards.",
            ". Answer only {}.",
        ]
    )
    return request + closing.format(rng.choice([said, said, f"'{said}'"])), [call], [result], said


def job(rng, s, toolset):
    if {"write", "shell"} & set(toolset) and rng.random() < 0.5:
        return write_job(rng, s, toolset)
    request, calls, results, answer = tools.job(rng, s, toolset)
    if "shell" in toolset and calls[0][0] == toolset["shell"].name:
        results = [executed(rng, s, r) for r in results]
    return request, calls, results, answer


def surrounded(rng, s, request, n_chars):
    """Blocks of a user's turn: the request, with what clients put before and after it."""
    before, after = [], []
    where = rng.random()
    if n_chars > 300:
        share = rng.choice([0.0, 0.3, 1.0])
        if where < 0.4:
            before.append(prose.sections(rng, s, int(n_chars * 0.9)))
            before.append(prose.environment(rng, s))
        elif where < 0.8:
            if rng.random() < 0.6:
                before.append(reminder(prose.sections(rng, s, int(n_chars * share * 0.5) + 60)))
            after.append(
                reminder(prose.environment(rng, s) + "\n\n" + prose.sections(rng, s, int(n_chars * (1 - share / 2))))
            )
    elif where < 0.3:
        before.append(rng.choice([prose.environment(rng, s), reminder(prose.rules(rng, s, 2)), prose.rule(rng, s)]))
    elif where < 0.45:
        after.append(reminder(prose.rules(rng, s, rng.randint(1, 3))))
    if rng.random() < 0.2:
        before = ["\n".join(before)] if before else []
    return [*before, request, *after]


def reminder(text):
    return f"<system-reminder>\n{text}\n</system-reminder>"


def refused(rng, c, tool, calls):
    """A call with a relative path, and what the tool says to it; -> the call to make instead."""
    name, arguments = calls[0]
    key = tool.roles[0]
    full = rooted(arguments[key], tool.folder)
    if full == arguments[key]:
        return calls
    c.assistant("", tools.thought(calls), calls)
    c.tool_results(rng.choice(REFUSED).replace("{p}", arguments[key]))
    tool.says_so = True
    return [(name, {**arguments, key: full})]


class Ending:
    """A task that ends by a call and not by words: with a tool for that, or with a command that the prompt names."""

    def __init__(self, rng, s, toolset):
        self.key, self.command = None, None
        shell = toolset.get("shell")
        if shell and rng.random() < 0.6:
            said = "_".join(s.word(rng).upper() for _ in range(rng.randint(1, 4)))
            self.command = rng.choice(
                [f"echo {said}", f"echo {said}", f"touch {s.word(rng)}.{s.word(rng)}", f"./{s.word(rng)}.sh"]
            )
            name, self.tool = f"`{self.command}`", shell
        else:
            name = rng.choice("finish submit complete_task task_done attempt_completion report_result end_task".split())
            self.key, self.tool = rng.choice("result summary message answer output".split()), name
        self.rule = rng.choice(ENDINGS).replace("{c}", name)

    def schema(self, rng, s):
        if self.command:
            return []
        properties = {self.key: typed(rng, s, "string", False)}
        text = rng.choice(["Ends the task.", "Say that the task is complete.", self.rule])
        return [wrapped(rng, self.tool, text, properties, [self.key])]

    def calls(self, answer):
        return [self.tool.call([self.command]) if self.command else (self.tool, {self.key: answer})]


ENDINGS = (
    "When all is done, call {c} by itself.;Finish the task with {c}, and with nothing else in that turn.;Submit your work: {c}. "
    "Words alone do not end the task.;Every answer has to call a tool. The last call is {c}.;The session ends when you run {c};"
    "IMPORTANT: after your work, end with {c}. Do not put it together with other calls."
).split(";")


def conversation(rng, s, n_chars, absolute=False, ends_by_call=False):
    """A whole conversation with an agent, roughly n_chars of prompt. With `absolute` its tools for files take no relative
    paths, and the working directory is told; with `ends_by_call` the task is over when a certain call is made."""
    s = s.at(prose.working_directory(rng, s)) if absolute else s
    families = rng.sample(list(FAMILIES), rng.randint(0, 5))
    families += [f for f in (rng.choice([["shell"], ["shell"], ["write"], ["write", "shell"]])) if f not in families]
    if rng.random() < 0.3 and len(families) > 1:
        families = [f for f in families if f != "write"] or families
    if absolute:
        families = [f for f in families if f not in FILES] + rng.sample(FILES, rng.choice([1, 1, 2, 3]))
    toolset = {f: AgentTool(rng, s, f) for f in families}
    if len({t.name for t in toolset.values()}) < len(toolset):
        toolset = dict([list(toolset.items())[-1 if absolute else 0]])
    for family in FILES if absolute else ():
        if family in toolset:
            toolset[family].take_absolute(rng, s)
    schemas = {t.name: t.schema(rng, s, n_chars) for t in toolset.values()}
    ending = Ending(rng, s, toolset) if ends_by_call else None
    schemas |= {t["name"]: t for t in ending.schema(rng, s)} if ending else {}
    size, budget = sum(len(json.dumps(x)) for x in schemas.values()) + 1400, n_chars * rng.choice([0.3, 0.5, 0.7])
    while size < budget:
        other = beside(rng, s, n_chars)
        if other["name"] not in schemas:
            schemas[other["name"]] = other
            size += len(json.dumps(other))
        elif size > n_chars * 0.2 and rng.random() < 0.2:
            break
    listed = list(schemas.values())
    if rng.random() < 0.5:
        rng.shuffle(listed)
    elif rng.random() < 0.5:
        listed.sort(key=lambda t: t["name"])
    room = max(n_chars - size, 0)
    in_system = rng.choice([0.0, 1.0, 0.5, 0.7])
    system = prose.sections(rng, s, int(room * in_system)) if room * in_system > 80 else ""
    if system and rng.random() < 0.7:
        system = (
            rng.choice(
                [
                    "You are a coding agent. ",
                    f"You are {s.word(rng).capitalize()}, an agent that writes code.\n\n",
                    "You are an interactive agent for software engineering.\n",
                ]
            )
            + system
        )
    note = prose.environment(rng, s) if absolute else ""
    if absolute and rng.random() < 0.5:
        system, note = f"{system}\n\n{note}".strip(), ""
    rule = ending.rule if ending else ""
    if ending and rng.random() < 0.5:
        system, rule = f"{system}\n\n{rule}".strip(), ""
    c = Conversation(rng.random() < 0.75, rng.choice(["high", "high", "high", "low", "max"]), system, listed)
    for turn in range(1 if ending else rng.choice([1, 1, 2, 3])):
        strict = {f: t for f, t in toolset.items() if t.folder}
        request, calls, results, answer = job(rng, s, strict if strict and rng.random() < 0.8 else toolset)
        if rng.random() < 0.04:
            results = ["Error: " + W.sentence(rng, s)]
            calls, answer = calls[:1], "The tool failed: " + results[0]
        blocks = surrounded(rng, s, request, room * (1 - in_system) if turn == 0 else 0)
        c.user(*([reminder(note)] if note and turn == 0 else []), *blocks, *([rule] if rule else []))
        tool = next((t for t in toolset.values() if t.name == calls[0][0]), None)
        if tool and tool.folder and not tool.says_so:
            calls = refused(rng, c, tool, calls)
        c.assistant("", tools.thought(calls), calls)
        if rng.random() < 0.1:
            results[-1] += "\n\n" + reminder(prose.rules(rng, s, rng.randint(1, 3)))
        c.tool_results(*results)
        if ending:
            calls = ending.calls(answer)
            c.assistant(answer if ending.command else "", tools.thought(calls), calls)
        else:
            c.assistant(answer, tools.FINISH)
    return c
