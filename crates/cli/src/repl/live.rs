//! A loaded model and the conversations whose KV it holds.
//!
//! As many stay live as memory allows; the one that was silent for longest makes room. A
//! conversation that is not live is brought back from the disk when it goes on, or read again where
//! nothing is kept there, so nothing but time depends on which ones are.

use anyhow::Result;
use chat::{OutputStart, Tokenizer};
use engine::{
    CancelToken, DiskKv, Error, Event, GenerateOptions, Inference, LoadOptions, Machine, ModelFile,
    SampleParams, Session, Turn, generate,
};

/// More than anyone switches between; each costs a slot's fixed memory even when it is empty.
const MAX_LIVE: usize = 16;

/// Which conversation, as long as the program runs.
pub(super) type ConversationId = u64;

/// The model and its sessions.
pub(super) struct Live {
    model: Box<dyn Inference>,
    pub(super) tokenizer: Tokenizer,
    file: ModelFile,
    load: LoadOptions,
    /// The machine before anything was loaded.
    machine: Option<Machine>,
    context: usize,
    /// Where the KV of conversations is kept, if it is.
    disk: Option<DiskKv>,
    /// The one that spoke last is last.
    sessions: Vec<(ConversationId, Session)>,
}

/// A turn, and how much of its prompt was in KV already.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) turn: Turn,
    pub(super) prompt_tokens: usize,
    pub(super) reused_tokens: usize,
}

/// How an answer is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) prompt: &'a [u32],
    pub(super) start: OutputStart,
    pub(super) sampling: SampleParams,
    pub(super) max_tokens: usize,
}

impl Live {
    /// Takes a loaded model; `context` is the room of every conversation, in tokens.
    pub(super) fn new(
        model: Box<dyn Inference>,
        tokenizer: Tokenizer,
        file: ModelFile,
        load: LoadOptions,
        machine: Option<Machine>,
        context: usize,
        disk: Option<DiskKv>,
    ) -> Self {
        Self { model, tokenizer, file, load, machine, context, disk, sessions: Vec::new() }
    }

    pub(super) fn context(&self) -> usize {
        self.context
    }

    /// Tokens of a conversation that are in KV; `None` if it is not live.
    pub(super) fn tokens_in_kv(&self, id: ConversationId) -> Option<usize> {
        let (_, session) = self.sessions.iter().find(|(live, _)| *live == id)?;
        Some(session.n_evaluated())
    }

    /// Whether the disk has failed to take some KV: a full one, most likely.
    pub(super) fn has_lost_saves(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.store().stats().failed_saves > 0)
    }

    /// Bytes of the directory of KV; `None` where nothing is kept there.
    pub(super) fn bytes_on_disk(&self) -> Option<u64> {
        Some(self.disk.as_ref()?.store().stats().bytes)
    }

    /// Gives every conversation another room. All are brought back, or read again.
    pub(super) fn resize(&mut self, context: usize) -> Result<()> {
        if let Some(machine) = &self.machine {
            self.file.plan_memory(&self.load, context, 1, machine)?;
        }
        self.close_all();
        self.context = context;
        Ok(())
    }

    /// Ends all sessions, with what they have saved first.
    pub(super) fn close_all(&mut self) {
        while !self.sessions.is_empty() {
            self.close_silent();
        }
    }

    /// Ends the session that was silent for longest, and saves it first.
    fn close_silent(&mut self) {
        let (_, mut session) = self.sessions.remove(0);
        session.save_rest(self.model.as_mut());
        session.close(self.model.as_mut());
    }

    /// Makes `ask.prompt` the conversation's timeline, running only what is new, and answers it.
    pub(super) fn answer(
        &mut self,
        id: ConversationId,
        ask: Ask<'_>,
        cancel: &CancelToken,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Outcome> {
        let n_tokens = ask.prompt.len();
        let room = self.context.saturating_sub(1);
        let (Some((last, before)), true) = (ask.prompt.split_last(), n_tokens <= room) else {
            return Err(Error::PromptTooLong { n_tokens, room, capacity: self.context }.into());
        };
        let mut session = self.take_session(id)?;
        let result = self.run(&mut session, before, *last, ask, cancel, on_event);
        if result.is_ok() {
            self.sessions.push((id, session));
        } else {
            // What a failed device left in it is not known.
            session.close(self.model.as_mut());
        }
        result
    }

    fn run(
        &mut self,
        session: &mut Session,
        before: &[u32],
        last: u32,
        ask: Ask<'_>,
        cancel: &CancelToken,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Outcome> {
        let model = self.model.as_mut();
        let reused_tokens = session.sync(model, before)?;
        let options = GenerateOptions {
            sampling: ask.sampling,
            stop: Vec::new(),
            max_tokens: ask.max_tokens,
            start: ask.start,
        };
        let turn = generate(model, &self.tokenizer, session, &[last], &options, cancel, on_event)?;
        Ok(Outcome { turn, prompt_tokens: ask.prompt.len(), reused_tokens })
    }

    /// The conversation's session, or a new one.
    fn take_session(&mut self, id: ConversationId) -> Result<Session> {
        if let Some(at) = self.sessions.iter().position(|(live, _)| *live == id) {
            return Ok(self.sessions.remove(at).1);
        }
        while !self.sessions.is_empty() && !self.has_room_for(self.sessions.len() + 1) {
            self.close_silent();
        }
        let model = self.model.as_mut();
        Ok(match &self.disk {
            Some(disk) => Session::open_kept(model, self.context, disk.clone())?,
            None => Session::open(model, self.context)?,
        })
    }

    fn has_room_for(&self, n_sessions: usize) -> bool {
        let fits = |machine| self.file.plan_memory(&self.load, self.context, n_sessions, machine);
        n_sessions <= MAX_LIVE && self.machine.as_ref().is_none_or(|machine| fits(machine).is_ok())
    }
}
