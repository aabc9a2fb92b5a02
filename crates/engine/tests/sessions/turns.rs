//! Turns on a small random model: sessions that go on, are cancelled, are stopped.
//!
//! No oracle: a random model's words are worth nothing. What holds is algebra — the same timeline
//! gives the same answer, whichever way it came about.

use crate::small_model::{SmallModel, THINK_END};
use chat::{OutputStart, Tokenizer};
use engine::{
    BackendChoice, CancelToken, DiskKv, Error, Event, GenerateOptions, Inference, KvRounding,
    LoadOptions, LogitsWanted, ModelFile, SampleParams, Section, Session, StopReason, Turn,
    evaluate, generate,
};
use gguf::Value;

const PROMPT: &[u8] = b"The quick brown fox";

/// A model with its tokenizer and a prompt.
struct Stage {
    model: Box<dyn Inference>,
    tokenizer: Tokenizer,
    prompt: Vec<u32>,
}

impl Stage {
    fn new(max_batch: usize) -> Self {
        Self::on(BackendChoice::Reference, max_batch)
    }

    fn on(backend: BackendChoice, max_batch: usize) -> Self {
        let file = ModelFile::from(SmallModel::new().write());
        let options = LoadOptions { backend, max_batch: Some(max_batch), ..LoadOptions::default() };
        Self {
            model: file.load(&options, &mut |_| {}).expect("the file is sound"),
            tokenizer: file.tokenizer().expect("the vocabulary is sound"),
            prompt: PROMPT.iter().copied().map(u32::from).collect(),
        }
    }

    fn open(&mut self, capacity: usize) -> Session {
        Session::open(self.model.as_mut(), capacity).expect("there is memory")
    }

    fn turn(
        &mut self,
        session: &mut Session,
        prompt: &[u32],
        options: &GenerateOptions,
    ) -> engine::Result<Turn> {
        self.observed(session, prompt, options, &CancelToken::new(), &mut |_| {})
    }

    fn observed(
        &mut self,
        session: &mut Session,
        prompt: &[u32],
        options: &GenerateOptions,
        cancel: &CancelToken,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> engine::Result<Turn> {
        let Self { model, tokenizer, .. } = self;
        generate(model.as_mut(), tokenizer, session, prompt, options, cancel, on_event)
    }
}

fn options(max_tokens: usize) -> GenerateOptions {
    GenerateOptions {
        sampling: SampleParams { seed: 5, ..SampleParams::default() },
        stop: Vec::new(),
        max_tokens,
        start: OutputStart::Content,
    }
}

#[test]
fn a_session_that_goes_on_says_what_a_fresh_one_says() {
    let mut stage = Stage::new(8);
    let prompt = stage.prompt.clone();
    let greedy = GenerateOptions { sampling: SampleParams::greedy(), ..options(10) };
    let mut session = stage.open(200);
    let first = stage.turn(&mut session, &prompt, &greedy).unwrap();
    assert_eq!(first.reason, StopReason::MaxTokens);
    assert_eq!(first.tokens.len(), 10);
    // The last token was said, but nothing has asked for what follows it.
    assert_eq!(session.n_evaluated(), prompt.len() + 9);
    let second = stage.turn(&mut session, b"and then?".map(u32::from).as_slice(), &greedy).unwrap();

    let mut timeline = prompt.clone();
    timeline.extend(&first.tokens);
    timeline.extend(b"and then?".map(u32::from));
    let mut fresh = stage.open(200);
    assert_eq!(stage.turn(&mut fresh, &timeline, &greedy).unwrap().tokens, second.tokens);
    assert_eq!(fresh.tokens(), session.tokens());
    fresh.close(stage.model.as_mut());
}

#[test]
fn a_cancelled_prefill_keeps_what_is_in_kv_and_can_go_on() {
    let mut stage = Stage::new(4);
    let prompt = stage.prompt.clone();
    let mut fresh = stage.open(100);
    let expected = stage.turn(&mut fresh, &prompt, &options(6)).unwrap();

    let cancel = CancelToken::new();
    let mut seen = Vec::new();
    let mut session = stage.open(100);
    let turn = stage
        .observed(&mut session, &prompt, &options(6), &cancel.clone(), &mut |event| {
            let Event::Prefill { done, total } = event else { panic!("no text in prefill") };
            seen.push((done, total));
            if done == 8 {
                cancel.cancel();
            }
        })
        .unwrap();
    assert_eq!(seen, [(0, 19), (4, 19), (8, 19)]);
    assert_eq!(turn.reason, StopReason::Cancelled);
    assert_eq!(turn.statistics.prefill_tokens, 8);
    assert_eq!(session.tokens(), &prompt[..8]);
    assert_eq!(session.n_evaluated(), 8);
    let resumed = stage.turn(&mut session, &prompt[8..], &options(6)).unwrap();
    assert_eq!(resumed.tokens, expected.tokens);
}

#[test]
fn a_cancelled_answer_ends_at_a_token_and_can_go_on() {
    let mut stage = Stage::new(64);
    let prompt = stage.prompt.clone();
    let greedy = GenerateOptions { sampling: SampleParams::greedy(), ..options(12) };
    let mut fresh = stage.open(100);
    let expected = stage.turn(&mut fresh, &prompt, &greedy).unwrap();

    let cancel = CancelToken::new();
    let mut session = stage.open(100);
    let mut n_texts = 0;
    let turn = stage
        .observed(&mut session, &prompt, &greedy, &cancel.clone(), &mut |event| {
            n_texts += usize::from(matches!(event, Event::Text { .. }));
            if n_texts == 3 {
                cancel.cancel();
            }
        })
        .unwrap();
    assert_eq!(turn.reason, StopReason::Cancelled);
    let n = turn.tokens.len();
    assert!((3..12).contains(&n), "{n} tokens");
    assert_eq!(turn.tokens, expected.tokens[..n]);
    assert_eq!(session.tokens().len(), prompt.len() + n);
    // Greedy, the rest follows from handing back the next token.
    let rest = stage.turn(&mut session, &expected.tokens[n..=n], &greedy).unwrap();
    assert_eq!(rest.tokens[..12 - n - 1], expected.tokens[n + 1..]);
}

/// All text of a turn by section.
fn texts(stage: &mut Stage, prompt: &[u32], options: &GenerateOptions) -> (String, String, Turn) {
    let (mut reasoning, mut content) = (String::new(), String::new());
    let mut session = stage.open(100);
    let turn =
        stage.observed(
            &mut session,
            prompt,
            options,
            &CancelToken::new(),
            &mut |event| match event {
                Event::Text { section: Section::Reasoning, text } => reasoning += text,
                Event::Text { section: Section::Content, text } => content += text,
                Event::Prefill { .. } => {}
            },
        );
    session.close(stage.model.as_mut());
    (reasoning, content, turn.expect("the turn runs"))
}

#[test]
fn text_is_what_the_tokens_spell_and_a_stop_string_cuts_it() {
    let mut stage = Stage::new(64);
    let prompt = stage.prompt.clone();
    let (_, whole, turn) = texts(&mut stage, &prompt, &options(30));
    let bytes = stage.tokenizer.decode(&turn.tokens).unwrap();
    assert_eq!(whole, String::from_utf8_lossy(&bytes));

    let borders: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
    let stop = &whole[borders[borders.len() / 2]..borders[borders.len() / 2 + 3]];
    let stopping = GenerateOptions { stop: vec![stop.to_owned()], ..options(30) };
    let (_, cut, turn) = texts(&mut stage, &prompt, &stopping);
    assert_eq!(turn.reason, StopReason::StopString);
    assert_eq!(cut, whole[..whole.find(stop).unwrap()]);

    // Reasoning is not searched.
    let reasoning = GenerateOptions { start: OutputStart::Reasoning, ..stopping };
    let (thoughts, _, turn) = texts(&mut stage, &prompt, &reasoning);
    assert_eq!(turn.reason, StopReason::MaxTokens);
    assert!(thoughts.contains(stop) || turn.tokens.contains(&THINK_END));
}

#[test]
fn limits_end_an_answer() {
    let mut stage = Stage::new(64);
    let prompt = stage.prompt.clone();
    let mut check = |capacity: usize, max_tokens: usize, reason, n_tokens: usize| {
        let mut session = stage.open(capacity);
        let turn = stage.turn(&mut session, &prompt, &options(max_tokens)).unwrap();
        assert_eq!((turn.reason, turn.tokens.len()), (reason, n_tokens));
        assert_eq!(turn.statistics.generated_tokens, n_tokens);
        assert_eq!(turn.statistics.decode_steps, n_tokens.saturating_sub(1));
    };
    check(100, 0, StopReason::MaxTokens, 0);
    check(100, 1, StopReason::MaxTokens, 1);
    check(100, 7, StopReason::MaxTokens, 7);
    check(PROMPT.len() + 5, 100, StopReason::ContextFull, 5);
    check(PROMPT.len() + 1, 100, StopReason::ContextFull, 1);
}

#[test]
fn impossible_prompts_are_refused_and_change_nothing() {
    let mut stage = Stage::new(64);
    let mut session = stage.open(20);
    let error = stage.turn(&mut session, &[], &options(1)).unwrap_err();
    assert!(matches!(error, Error::EmptyPrompt));
    let error = stage.turn(&mut session, &[65; 20], &options(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the prompt has 20 tokens, but the context of 20 has room for 19 and an answer"
    );
    let error = stage.turn(&mut session, &[65, 320], &options(1)).unwrap_err();
    assert!(matches!(error, Error::Run(model::Error::Token { token: 320, .. })));
    assert_eq!(session.tokens(), [0_u32; 0]);
    stage.turn(&mut session, &[65; 19], &options(1)).unwrap();

    let contexts = [0, 1, 4097, usize::MAX];
    for wanted in contexts {
        let opened = Session::open(stage.model.as_mut(), wanted);
        assert!(matches!(opened.unwrap_err(), Error::Context { trained: 4096, .. }));
    }
}

#[test]
fn a_vocabulary_of_another_size_is_refused() {
    let mut file = SmallModel::new();
    file.set("deepseek4.vocab_size", Value::U32(319));
    let error = ModelFile::from(file.write()).tokenizer().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the vocabulary has 320 tokens (tokenizer.ggml.tokens), but the model has 319 (deepseek4.vocab_size)"
    );
    let mut file = SmallModel::new();
    file.remove("tokenizer.ggml.tokens");
    let file = ModelFile::from(file.write());
    assert!(matches!(file.tokenizer().unwrap_err(), Error::VocabularyMetadata { .. }));
    // The weights do not need it.
    file.load(&LoadOptions::default(), &mut |_| {}).expect("the weights are sound");
}

#[test]
fn asking_for_weights_before_they_are_used_changes_nothing() {
    let file = ModelFile::from(SmallModel::new().write());
    let logits = |readahead| {
        let backend = BackendChoice::Cpu;
        let options = LoadOptions { backend, readahead, ..LoadOptions::default() };
        let mut model = file.load(&options, &mut |_| {}).expect("the file is sound");
        let tokens: Vec<u32> = (0..200).collect();
        let mut all = Vec::new();
        let mut keep = |_: usize, row: &[f32]| all.extend(row.iter().map(|logit| logit.to_bits()));
        evaluate(model.as_mut(), &tokens, 64, LogitsWanted::All, &CancelToken::new(), &mut keep)
            .expect("it runs");
        all
    };
    let plain = logits(false);
    assert_eq!(plain.len(), 200 * 320);
    assert!(plain == logits(true));
}

/// An agent's afternoon on one session: goes on, edits, regenerates, retries. Each time only what is
/// new is run, and a few tokens of the window that is open at the cut.
#[test]
fn a_session_is_cut_anywhere_and_goes_on_exactly() {
    const CAPACITY: usize = 400;
    let mut stage = Stage::on(BackendChoice::Cpu, 64);
    let mut session = stage.open(CAPACITY);
    let text: Vec<u32> = (0..390_u32).map(|i| (i * i + 7 * i / 3) % 256).collect();
    let edited = |at: usize| {
        let mut text = text.clone();
        text[at] += 1;
        text[at] %= 256;
        text
    };
    let options = options(6);
    let timelines: Vec<Vec<u32>> = vec![
        text[..300].to_vec(),
        text[..300].to_vec(),
        edited(290)[..310].to_vec(),
        text[..200].to_vec(),
        edited(130)[..390].to_vec(),
        text[..131].to_vec(),
        edited(3)[..50].to_vec(),
    ];
    let mut before: Vec<u32> = Vec::new();
    for prompt in timelines {
        let (sync, rest) = prompt.split_at(prompt.len() - 1);
        session.sync(stage.model.as_mut(), sync).expect("it fits");
        let turn = stage.turn(&mut session, rest, &options).expect("the model runs");
        let n_common = before.iter().zip(&prompt).take_while(|(a, b)| a == b).count();
        let unavoidable = prompt.len() - n_common.min(sync.len() - 1);
        let n_run = turn.statistics.prefill_tokens;
        assert!(n_run >= unavoidable && n_run < unavoidable + 8, "{n_run} run of {unavoidable}");
        let mut fresh = stage.open(CAPACITY);
        let expected = stage.turn(&mut fresh, &prompt, &options).expect("the model runs");
        fresh.close(stage.model.as_mut());
        assert_eq!(turn.tokens, expected.tokens);
        before = session.tokens()[..session.n_evaluated()].to_vec();
    }
}

/// Tokens of a block on disk.
const BLOCK: usize = 128;

/// Turns of a conversation, each on a session that is new: memory has nothing, the disk has all.
#[test]
fn a_session_that_is_kept_goes_on_where_another_one_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut stage = Stage::on(BackendChoice::Cpu, 64);
    let file = ModelFile::from(SmallModel::new().write());
    let open = |stage: &mut Stage| {
        let disk =
            DiskKv::open(dir.path(), 1 << 30, &file, KvRounding::Applied).expect("a directory");
        Session::open_kept(stage.model.as_mut(), 2000, disk).expect("there is memory")
    };
    let mut prompt: Vec<u32> = (0..300).map(|i| i * 7 % 250).collect();
    let mut n_run_before = 0;
    for turn in 0..4 {
        let (last, before) = prompt.split_last().expect("there is a prompt");
        let mut session = open(&mut stage);
        let n_reused = session.sync(stage.model.as_mut(), before).expect("it fits");
        if turn > 0 {
            assert_eq!(n_reused, n_run_before / BLOCK * BLOCK - 4, "turn {turn}");
        }
        let answered = stage.turn(&mut session, &[*last], &options(150)).unwrap();
        assert_eq!(answered.statistics.prefill_tokens, prompt.len() - n_reused);
        let mut fresh = stage.open(2000);
        let expected = stage.turn(&mut fresh, &prompt, &options(150)).unwrap();
        fresh.close(stage.model.as_mut());
        assert_eq!(answered.tokens, expected.tokens);
        n_run_before = session.n_evaluated();
        session.save_rest(stage.model.as_mut());
        session.close(stage.model.as_mut());
        prompt.extend(answered.tokens);
        prompt.extend((0..40).map(|i| i * 5 % 250 + turn));
    }
}

/// What a cancelled turn has run is saved too, and so is the end of a prompt behind which the answer is
/// thrown away.
#[test]
fn a_kept_session_saves_what_a_cancelled_turn_has_run_and_the_end_of_its_prompt() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut stage = Stage::on(BackendChoice::Cpu, 64);
    let file = ModelFile::from(SmallModel::new().write());
    let open = |stage: &mut Stage| {
        let disk =
            DiskKv::open(dir.path(), 1 << 30, &file, KvRounding::Applied).expect("a directory");
        Session::open_kept(stage.model.as_mut(), 2000, disk).expect("there is memory")
    };
    let prompt: Vec<u32> = (0..700).map(|i| i * 7 % 250).collect();
    let cancel = CancelToken::new();
    let mut session = open(&mut stage);
    session.sync(stage.model.as_mut(), &prompt[..699]).expect("it fits");
    let cancelling = cancel.clone();
    let turn = stage.observed(&mut session, &prompt[699..], &options(9), &cancel, &mut |event| {
        if matches!(event, Event::Prefill { done: 384.., .. }) {
            cancelling.cancel();
        }
    });
    assert_eq!(turn.unwrap().reason, StopReason::Cancelled);
    session.save_rest(stage.model.as_mut());
    session.close(stage.model.as_mut());

    let mut session = open(&mut stage);
    assert_eq!(session.sync(stage.model.as_mut(), &prompt[..699]).expect("it fits"), 3 * BLOCK - 4);
    stage.turn(&mut session, &prompt[699..], &options(300)).unwrap();
    session.save_rest(stage.model.as_mut());
    session.close(stage.model.as_mut());
    let mut session = open(&mut stage);
    let other = [&prompt[..], &[3; 50]].concat();
    assert_eq!(session.sync(stage.model.as_mut(), &other).expect("it fits"), 5 * BLOCK - 4);
    session.close(stage.model.as_mut());
}
