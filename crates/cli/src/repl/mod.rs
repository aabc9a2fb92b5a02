//! `chat`: a conversation at the terminal, or from a pipe.
//!
//! The way through the room: `input` reads a line, `command` says what it means, `live` answers
//! with the model while `answer` shows it, and `conversation` and `library` keep what was said.
//!
//! Each turn renders the whole conversation as the model was trained to see it, and runs only the
//! tokens that its KV does not have: the new message, and after a turn with reasoning the last
//! answer again, because the reasoning of earlier turns is not part of a prompt. KV is kept on disk
//! beside the conversations, so that one that is gone from memory need not be read again.

mod answer;
mod command;
mod conversation;
mod input;
mod interrupt;
mod library;
mod live;
mod show;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bytesize::ByteSize;
use chat::{Dialect, Effort, OutputStart, Thinking, render_dialogue};
use clap::Args;
use engine::{DiskKv, LoadOptions, Machine, ModelFile, SampleParams, StopReason, default_context};

use self::answer::{Answer, Reasoning};
use self::command::Command;
pub(crate) use self::command::tokens;
use self::conversation::{Conversation, Turn, check_name};
use self::input::Input;
use self::interrupt::Interrupt;
use self::library::Library;
use self::live::{Ask, ConversationId, Live, Outcome};
use crate::args::{BackendArgs, SamplingArgs};
use crate::report::sentence;
use crate::run::load;
use crate::settings::{load_options, sampling};
use crate::terminal::Ink;
use crate::{models, places};

/// A file that is said must fit a million tokens.
const MAX_READ_BYTES: u64 = 1 << 26;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct ChatArgs {
    /// Model file (GGUF) or the name of a downloaded one; the default is `tiny`, which is built
    /// in, or what was downloaded.
    #[arg(short, long, value_name = "MODEL")]
    model: Option<PathBuf>,

    /// System text in front of the conversation.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,

    /// Reason before answering, with high effort; this is the default.
    #[arg(long, conflicts_with = "nothink")]
    think: bool,

    /// Answer at once.
    #[arg(long, conflicts_with = "effort")]
    nothink: bool,

    /// How hard to reason: low, high or max.
    #[arg(long, value_name = "E")]
    effort: Option<Effort>,

    /// Hide reasoning behind a line that counts.
    #[arg(long)]
    fold: bool,

    /// Go on with a saved conversation.
    #[arg(long, value_name = "NAME")]
    resume: Option<String>,

    /// Keep nothing on disk unless /save says so. From a pipe only --kv-dir keeps anything.
    #[arg(long)]
    temporary: bool,

    /// Directory in which the KV of conversations is kept, so that they need not be read again
    /// [default: `kv` beside the conversations]. Several programs may share it.
    #[arg(long, value_name = "DIR")]
    kv_dir: Option<PathBuf>,

    /// Most bytes in that directory, such as 500MB or 1TB; what is worth least goes first.
    #[arg(long, value_name = "SIZE", default_value = "8GB")]
    kv_size: ByteSize,

    /// Prompt format, 0731 or preview [default: what the file says].
    #[arg(long, value_name = "FORMAT")]
    prompt_format: Option<Dialect>,

    /// Context in tokens, the whole conversation [default: 32768].
    #[arg(long, value_name = "N", value_parser = tokens)]
    ctx: Option<usize>,

    /// Most tokens of one answer [default: what fits the context].
    #[arg(short, value_name = "N")]
    n: Option<usize>,

    #[command(flatten)]
    sampling: SamplingArgs,

    #[command(flatten)]
    backend: BackendArgs,
}

pub(crate) fn chat(args: &ChatArgs) -> Result<()> {
    let file = models::open_or_default(args.model.as_deref())?;
    let options = load_options(&args.backend);
    let sampling = sampling(&args.sampling, file.sampling()?);
    sampling.check()?;
    let thinking =
        if args.nothink { Thinking::Off } else { Thinking::On(args.effort.unwrap_or_default()) };
    let dialect = args.prompt_format.unwrap_or_else(|| file.dialect().0);
    let context = args.ctx.unwrap_or(default_context(&file.geometry()?));
    let tokenizer = file.tokenizer()?;
    let data = places::data()?;
    let library = Library::new(data.join("conversations"));
    let mut conversation =
        Conversation::new(String::new(), args.system.clone().filter(|s| !s.is_empty()), thinking);
    if let Some(name) = &args.resume {
        conversation = library.load(name)?;
    }
    let machine = Machine::now();
    if let Some(machine) = &machine {
        file.plan_memory(&options, context, 1, machine)?;
    }
    let interrupt = Interrupt::listen()?;
    fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    let input = Input::open(&data.join("chat-history.txt"))?;
    let keeps = !args.temporary && !input.is_piped();
    let usual = data.join("kv");
    let disk = open_disk(args, keeps.then_some(&*usual), &file, &options)?;
    let model = load(&file, &options)?;
    let mut repl = Repl {
        keeps,
        live: Live::new(model, tokenizer, file, options, machine, context, disk),
        library,
        interrupt,
        dialect,
        sampling,
        max_tokens: args.n.unwrap_or(usize::MAX),
        shown: if args.fold { Reasoning::Folded } else { Reasoning::Shown },
        open: vec![Open { id: 0, conversation, last: None }],
        current: 0,
        n_ids: 1,
        n_answers: 0,
        lost_saves_told: false,
        failed: false,
    };
    let done = repl.run(input);
    repl.live.close_all();
    done
}

/// The directory for KV: the one that was asked for, else the usual one where conversations are kept.
fn open_disk(
    args: &ChatArgs,
    usual: Option<&Path>,
    file: &ModelFile,
    options: &LoadOptions,
) -> Result<Option<DiskKv>> {
    // A directory may stand in the configuration file; what is temporary is not kept there either.
    let asked = args.kv_dir.as_deref().filter(|_| !args.temporary);
    let Some(dir) = asked.or(usual) else { return Ok(None) };
    let disk = match DiskKv::open(dir, args.kv_size.as_u64(), file, options.kv_rounding) {
        Ok(disk) => disk,
        Err(error) if asked.is_none() => {
            let problem = sentence(&error.into());
            note(&format!("{problem}: conversations are read again when they go on"))?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    if disk.store().is_read_only() {
        let dir = dir.display();
        note(&format!("{dir} cannot be written to: the KV of conversations is not saved"))?;
    }
    Ok(Some(disk))
}

/// A conversation that this run of the program knows.
struct Open {
    id: ConversationId,
    conversation: Conversation,
    /// The last turn's figures.
    last: Option<Outcome>,
}

struct Repl {
    live: Live,
    library: Library,
    interrupt: Interrupt,
    dialect: Dialect,
    sampling: SampleParams,
    max_tokens: usize,
    shown: Reasoning,
    /// Whether conversations are saved after every turn.
    keeps: bool,
    open: Vec<Open>,
    current: usize,
    n_ids: ConversationId,
    n_answers: u64,
    /// Whether the user knows that KV was not saved.
    lost_saves_told: bool,
    /// Whether a message from a pipe could not be answered.
    failed: bool,
}

impl Repl {
    fn run(&mut self, mut input: Input) -> Result<()> {
        if !input.is_piped() {
            note("Ctrl-C stops an answer, Ctrl-D leaves, /help lists the commands")?;
            self.recap()?;
        }
        loop {
            let line = match input.read() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                // A message that cannot be read; the ones behind it may be fine.
                Err(error) if error.is::<std::string::FromUtf8Error>() => {
                    self.complain(&error)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if line.trim().is_empty() {
                continue;
            }
            match line.parse().and_then(|command| self.obey(command)) {
                Ok(Next::GoOn) => {}
                Ok(Next::Leave) => break,
                Err(error) if crate::report::is_broken_pipe(&error) => return Err(error),
                Err(error) => self.complain(&error)?,
            }
        }
        if self.failed && input.is_piped() {
            bail!("some messages were not answered");
        }
        Ok(())
    }

    fn complain(&mut self, error: &anyhow::Error) -> Result<()> {
        self.failed = true;
        write!(io::stderr(), "{}", crate::report::message(error, false))
            .context("cannot write to standard error")
    }

    fn obey(&mut self, command: Command) -> Result<Next> {
        match command {
            Command::Say(text) => self.say(text)?,
            Command::Help => show::help()?,
            Command::Think => self.set_thinking(Thinking::default())?,
            Command::NoThink => self.set_thinking(Thinking::Off)?,
            Command::Effort(effort) => self.set_thinking(Thinking::On(effort))?,
            Command::Context(context) => {
                self.live.resize(context)?;
                note(&format!("room for {context} tokens; conversations are read again"))?;
            }
            Command::Read(path) => self.say(read_text(Path::new(&path))?)?,
            Command::Save(name) => self.save(name)?,
            Command::Load(name) => self.load(&name)?,
            Command::List => show::list(self)?,
            Command::Switch(name) => self.switch(&name)?,
            Command::New(name) => self.begin(name)?,
            Command::Undo => self.undo()?,
            Command::Retry => self.retry()?,
            Command::Fold => {
                self.shown = match self.shown {
                    Reasoning::Shown => Reasoning::Folded,
                    Reasoning::Folded => Reasoning::Shown,
                };
                let how = if self.shown == Reasoning::Shown { "shown" } else { "folded" };
                note(&format!("reasoning is {how}"))?;
            }
            Command::Thoughts => show::thoughts(self.conversation())?,
            Command::Stats => show::stats(self)?,
            Command::Quit => return Ok(Next::Leave),
        }
        Ok(Next::GoOn)
    }

    fn conversation(&self) -> &Conversation {
        &self.open[self.current].conversation
    }

    fn conversation_mut(&mut self) -> &mut Conversation {
        &mut self.open[self.current].conversation
    }

    /// Says something and shows the answer. What cannot be answered was not said.
    fn say(&mut self, user: String) -> Result<()> {
        let thinking = self.conversation().thinking()?;
        let prompt = self.prompt(&user, thinking)?;
        let start = match thinking {
            Thinking::Off => OutputStart::Content,
            Thinking::On(_) => OutputStart::Reasoning,
        };
        let seed = self.sampling.seed.wrapping_add(self.n_answers);
        let sampling = SampleParams { seed, ..self.sampling };
        let ask = Ask { prompt: &prompt, start, sampling, max_tokens: self.max_tokens };
        let cancel = self.interrupt.begin();
        let mut answer = Answer::new(start, self.shown, cancel.clone());
        let id = self.open[self.current].id;
        let outcome = self.live.answer(id, ask, &cancel, &mut |event| answer.on_event(event));
        self.interrupt.end();
        let said = answer.finish();
        let outcome = outcome?;
        let (reasoning, content) = said?;
        self.n_answers += 1;
        tell_end(&outcome)?;
        self.tell_lost_saves()?;
        if outcome.turn.tokens.is_empty() && outcome.turn.reason == StopReason::Cancelled {
            return Ok(());
        }
        let turn = Turn {
            answer_tokens: self.answer_tokens(&outcome, start, &content),
            user,
            reasoning,
            answer: content,
            finished: outcome.turn.reason == StopReason::EndOfTurn,
        };
        self.open[self.current].last = Some(outcome);
        self.remember(turn)
    }

    /// Says once that KV was not saved.
    fn tell_lost_saves(&mut self) -> Result<()> {
        if self.lost_saves_told || !self.live.has_lost_saves() {
            return Ok(());
        }
        self.lost_saves_told = true;
        note("[the disk did not take all KV of the conversation: a later start reads it again]")
    }

    fn prompt(&self, user: &str, thinking: Thinking) -> Result<Vec<u32>> {
        let conversation = self.conversation();
        let past = conversation.exchanges();
        let system = conversation.system.as_deref();
        let prompt = render_dialogue(self.dialect, system, &past, user, thinking)?;
        let tokenizer = &self.live.tokenizer;
        let spells = |turn: &&Turn| {
            let bytes = tokenizer.decode(&turn.answer_tokens);
            bytes.is_ok_and(|bytes| bytes == turn.answer.as_bytes())
        };
        let known: HashMap<&str, &[u32]> = conversation
            .turns
            .iter()
            .filter(spells)
            .map(|turn| (turn.answer.as_str(), turn.answer_tokens.as_slice()))
            .collect();
        Ok(prompt.encode_recalling(tokenizer, &known)?)
    }

    /// The tokens of the answer without its reasoning; none where they are not exactly its text.
    fn answer_tokens(&self, outcome: &Outcome, start: OutputStart, text: &str) -> Vec<u32> {
        let tokenizer = &self.live.tokenizer;
        let tokens = &outcome.turn.tokens;
        let answer = match start {
            OutputStart::Content => &tokens[..],
            OutputStart::Reasoning => {
                let end = tokenizer.prompt_tokens().ok().map(|control| control.think_end);
                let end = tokens.iter().position(|token| Some(*token) == end);
                end.map_or(&[][..], |end| &tokens[end + 1..])
            }
        };
        let spelled = tokenizer.decode(answer).is_ok_and(|bytes| bytes == text.as_bytes());
        if spelled { answer.to_vec() } else { Vec::new() }
    }

    fn remember(&mut self, turn: Turn) -> Result<()> {
        if self.conversation().name.is_empty() {
            let name = self.free_name(&Conversation::name_for(&turn.user));
            self.conversation_mut().name = name;
        }
        self.conversation_mut().turns.push(turn);
        self.changed()
    }

    /// Keeps the conversation on disk, if it is kept.
    fn changed(&mut self) -> Result<()> {
        self.conversation_mut().touch();
        if self.keeps && !self.conversation().name.is_empty() {
            self.library.save(self.conversation())?;
        }
        Ok(())
    }

    fn free_name(&self, wanted: &str) -> String {
        let taken = |name: &str| {
            self.library.has(name) || self.open.iter().any(|open| open.conversation.name == name)
        };
        let numbered = (2..).map(|n| format!("{wanted}-{n}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        names.find(|name| !taken(name)).expect("numbers do not end")
    }

    fn set_thinking(&mut self, thinking: Thinking) -> Result<()> {
        // The dialect may not have the effort; rendering knows.
        render_dialogue(self.dialect, None, &[], "", thinking)?;
        self.conversation_mut().set_thinking(thinking);
        note(&match thinking {
            Thinking::Off => "the model answers at once".to_owned(),
            Thinking::On(effort) => format!("the model reasons, with {effort} effort"),
        })
    }

    fn undo(&mut self) -> Result<()> {
        let Some(turn) = self.conversation_mut().turns.pop() else {
            bail!("nothing was said yet");
        };
        self.open[self.current].last = None;
        note(&format!("taken back: {}", show::short(&turn.user)))?;
        self.changed()
    }

    fn retry(&mut self) -> Result<()> {
        let Some(turn) = self.conversation_mut().turns.pop() else {
            bail!("nothing was said yet");
        };
        let n_turns = self.conversation().turns.len();
        let said = self.say(turn.user.clone());
        if self.conversation().turns.len() == n_turns {
            self.conversation_mut().turns.push(turn);
        }
        said
    }

    fn save(&mut self, name: Option<String>) -> Result<()> {
        if let Some(name) = name {
            check_name(&name)?;
            if self.library.has(&name) && self.conversation().name != name {
                bail!("a conversation called {name} is saved already");
            }
            self.conversation_mut().name = name;
        }
        if self.conversation().name.is_empty() {
            bail!("nothing was said yet; /save NAME gives a name");
        }
        let path = self.library.save(self.conversation())?;
        note(&format!("saved as {}", path.display()))
    }

    /// Opens a file, or a saved conversation as it is on disk.
    fn load(&mut self, name: &str) -> Result<()> {
        let path = Path::new(name);
        let is_path =
            path.components().count() > 1 || path.extension().is_some_and(|e| e == "json");
        let conversation = if is_path { Library::read(path)? } else { self.library.load(name)? };
        self.open(conversation)
    }

    /// Goes to a conversation that is open, or opens a saved one.
    fn switch(&mut self, name: &str) -> Result<()> {
        let named = |test: &dyn Fn(&str) -> bool| {
            self.open.iter().position(|open| test(&open.conversation.name))
        };
        let found =
            named(&|known| known == name).or_else(|| named(&|known| known.starts_with(name)));
        let Some(at) = found else {
            let conversation = self.library.load(name)?;
            return self.open(conversation);
        };
        self.current = at;
        self.recap()
    }

    /// Makes a conversation the current one, in place of an open one of its name.
    fn open(&mut self, conversation: Conversation) -> Result<()> {
        let same = |open: &Open| open.conversation.name == conversation.name;
        match self.open.iter().position(same) {
            Some(at) => {
                self.open[at].conversation = conversation;
                self.current = at;
            }
            None => self.add(conversation),
        }
        self.recap()
    }

    fn begin(&mut self, name: Option<String>) -> Result<()> {
        if let Some(name) = &name {
            check_name(name)?;
            if self.free_name(name) != *name {
                bail!("a conversation called {name} is there already");
            }
        }
        let (system, thinking) =
            (self.conversation().system.clone(), self.conversation().thinking()?);
        self.add(Conversation::new(name.unwrap_or_default(), system, thinking));
        note("another conversation; /switch goes back")
    }

    fn add(&mut self, conversation: Conversation) {
        self.open.push(Open { id: self.n_ids, conversation, last: None });
        self.n_ids += 1;
        self.current = self.open.len() - 1;
    }

    /// Reminds of where a conversation was.
    fn recap(&self) -> Result<()> {
        let Some(turn) = self.conversation().turns.last() else { return Ok(()) };
        let Conversation { name, turns, .. } = self.conversation();
        note(&format!(
            "{name}, {} turns; the last one:\n> {}\n{}",
            turns.len(),
            show::short(&turn.user),
            show::short(&turn.answer)
        ))
    }
}

fn note(text: &str) -> Result<()> {
    writeln!(io::stderr(), "{}", Ink::of_stderr().grey(text))
        .context("cannot write to standard error")
}

/// Says why an answer ended, unless the model ended it.
fn tell_end(outcome: &Outcome) -> Result<()> {
    match outcome.turn.reason {
        StopReason::EndOfTurn | StopReason::StopString => Ok(()),
        StopReason::MaxTokens => note("[stopped by -n]"),
        StopReason::ContextFull => {
            note("[the context is full; /ctx N makes it larger, /undo goes back]")
        }
        StopReason::Cancelled if outcome.turn.tokens.is_empty() => {
            note("[stopped before anything was said; the message is taken back]")
        }
        StopReason::Cancelled => note("[stopped; what was said is kept]"),
    }
}

/// Whether another line is read.
enum Next {
    GoOn,
    Leave,
}

fn read_text(path: &Path) -> Result<String> {
    let bytes = crate::files::read_bounded(path, MAX_READ_BYTES)?;
    let text = String::from_utf8(bytes)
        .with_context(|| format!("{} is not UTF-8 text", path.display()))?;
    if text.trim().is_empty() {
        bail!("{} is empty", path.display());
    }
    Ok(text)
}
