//! Answers drawn at random from what a grammar allows. Oracles: the vendor's parser for tool blocks
//! and the crate `jsonschema` for what they hold.

use std::sync::{Arc, OnceLock};

use chat::{
    AnswerFormat, AnswerRules, AnswerStart, Error, Grammars, Guide, OutputStart, Tokenizer,
    ToolRule, ToolRules, parse_tokens,
};
use serde_json::{Value, json};

use crate::support::{byte_tokenizer, v4_tokenizer};

/// A random draw among what is allowed, with a liking for what closes things: among 129,280 tokens,
/// pure chance ends no string.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn of(&mut self, tokens: &[u32]) -> u32 {
        tokens[self.below(tokens.len())]
    }
}

/// Whether a set, where there is one, holds a token.
fn has(bits: Option<&[u32]>, token: u32) -> bool {
    bits.is_none_or(|bits| bits[token as usize / 32] >> (token % 32) & 1 == 1)
}

/// Grammars of both vocabularies, with the tokens that close things.
struct World {
    tokenizer: Arc<Tokenizer>,
    grammars: Grammars,
    closing: Vec<u32>,
}

impl World {
    fn of(tokenizer: Arc<Tokenizer>) -> Self {
        let grammars = Grammars::new(Arc::clone(&tokenizer)).expect("it has all control tokens");
        let control = tokenizer.prompt_tokens().expect("it has all control tokens");
        let mut closing = vec![control.dsml, control.eos, control.think_end];
        for text in ["</", "<", "/", ">", "\"", "}", "]", ",", ":", "1", " ", "a"] {
            if let [token] = tokenizer.encode_plain(text)[..] {
                closing.push(token);
            }
        }
        Self { tokenizer, grammars, closing }
    }

    fn guide(&self, rules: &AnswerRules) -> Guide {
        self.grammars.guide(rules).expect("the rules are sound").expect("they ask for something")
    }

    /// An answer without its end, or `None` if it has none within `max_tokens`.
    fn answer(&self, rules: &AnswerRules, seed: u64, max_tokens: usize) -> Option<Vec<u32>> {
        let eos = self.tokenizer.eos().expect("it has one");
        let mut guide = self.guide(rules);
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut answer = Vec::new();
        while answer.len() < max_tokens {
            let bits = guide.allowed().expect("something may follow");
            let is_allowed = |token: u32| has(bits.as_deref(), token);
            let closing: Vec<u32> =
                self.closing.iter().copied().filter(|&token| is_allowed(token)).collect();
            let token = if closing.is_empty() || chance.below(3) == 0 {
                // The first allowed one from a random place on.
                let n = self.tokenizer.vocab_size();
                let first = chance.below(n);
                let after = (first..n).chain(0..first).map(|token| token as u32);
                after.into_iter().find(|&token| is_allowed(token)).expect("some token is allowed")
            } else {
                chance.of(&closing)
            };
            if token == eos {
                return Some(answer);
            }
            guide.accept(token).expect("it was allowed");
            answer.push(token);
        }
        None
    }

    fn text(&self, answer: &[u32]) -> String {
        String::from_utf8(self.tokenizer.decode(answer).expect("its tokens")).expect("text")
    }
}

/// The world of bytes, which is always there.
fn bytes() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::of(byte_tokenizer()))
}

/// Schemas with the features that agents' tools have.
fn tools() -> Vec<ToolRule> {
    let tool = |name: &str, parameters: Value| ToolRule {
        name: name.to_owned(),
        parameters,
        strict: false,
        place: format!("tools: {name}"),
    };
    vec![
        tool("none", json!({ "type": "object", "properties": {} , "additionalProperties": false })),
        tool(
            "bash",
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                "properties": {
                    "command": { "type": "string", "description": "What to run" },
                    "timeout": { "type": "number", "minimum": 0, "maximum": 600_000 },
                    "background": { "type": "boolean", "default": false },
                },
                "required": ["command"], "additionalProperties": false,
            }),
        ),
        tool(
            "edit",
            json!({
                "type": "object",
                "properties": {
                    "path": { "type": "string" },
                    "mode": { "type": "string", "enum": ["replace", "insert"] },
                    "edits": {
                        "type": "array", "minItems": 1, "maxItems": 3,
                        "items": { "$ref": "#/$defs/Edit" },
                    },
                    "line": { "anyOf": [{ "type": "integer", "exclusiveMinimum": 0 }, { "type": "null" }] },
                },
                "required": ["edits", "mode"],
                "$defs": { "Edit": {
                    "type": "object", "properties": { "old": { "type": "string", "maxLength": 8 },
                    "new": { "type": "string", "maxLength": 8 } }, "required": ["old", "new"],
                    "additionalProperties": false,
                } },
            }),
        ),
    ]
}

fn rules(start: AnswerStart, required: bool, several: bool) -> AnswerRules {
    let tools = Some(ToolRules { tools: tools(), required, several });
    AnswerRules { start, tools, format: None }
}

/// The calls of an answer, all of them valid.
fn check_calls(world: &World, answer: &[u32], start: OutputStart) -> usize {
    let output = parse_tokens(&world.tokenizer, answer, start).expect("its tokens");
    for call in &output.tool_calls {
        let context = || format!("{call:?} in {:?}", world.text(answer));
        let tool = tools().into_iter().find(|tool| tool.name == call.name);
        let tool = tool.unwrap_or_else(|| panic!("no such tool: {}", context()));
        let arguments: Value =
            serde_json::from_str(&call.arguments).unwrap_or_else(|e| panic!("{e}: {}", context()));
        let schema = jsonschema::validator_for(&tool.parameters).expect("the schemas are sound");
        let errors: Vec<String> =
            schema.iter_errors(&arguments).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}: {}", context());
    }
    output.tool_calls.len()
}

fn required_calls_are_valid_whatever_is_drawn(world: &World) {
    let mut n_ended = 0;
    for seed in 0..30 {
        let rules = rules(AnswerStart::Content, true, seed % 2 == 0);
        let Some(answer) = world.answer(&rules, seed, 3_000) else { continue };
        let n = check_calls(world, &answer, OutputStart::Content);
        assert!(n == 1 || n > 1 && seed % 2 == 0, "{n} calls in {:?}", world.text(&answer));
        n_ended += 1;
    }
    assert!(n_ended >= 10, "only {n_ended} answers ended");
}

fn a_block_may_begin_behind_the_prompts_opening_tag(world: &World) {
    let answer = (0..20)
        .find_map(|seed| world.answer(&rules(AnswerStart::ToolCalls, true, false), seed, 3_000))
        .expect("one of them ends");
    let opener = world.tokenizer.encode("\n\n<｜DSML｜tool_calls>\n");
    let whole = [opener, answer].concat();
    assert_eq!(check_calls(world, &whole, OutputStart::Content), 1);
}

/// Takes a text as the model would write it; says where it is refused.
fn follow(world: &World, guide: &mut Guide, text: &str) -> Result<(), String> {
    for token in world.tokenizer.encode(text) {
        let bits = guide.allowed().map_err(|error| error.to_string())?;
        if !has(bits.as_deref(), token) {
            let token = world.text(&[token]);
            return Err(format!("{token:?} is not allowed"));
        }
        guide.accept(token).map_err(|error| error.to_string())?;
    }
    Ok(())
}

const BLOCK: &str = "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"bash\">\n\
    <｜DSML｜parameter name=\"timeout\" string=\"false\">12.5</｜DSML｜parameter>\n\
    <｜DSML｜parameter name=\"command\" string=\"true\">echo '</div>' \"｜x\"\n</｜DSML｜parameter>\n\
    </｜DSML｜invoke>\n</｜DSML｜tool_calls>";

fn text_and_reasoning_are_free_until_a_block_begins(world: &World) {
    let rules = rules(AnswerStart::Reasoning, false, true);
    for before in ["I think.</think>Let me see. < ｜DSML｜ \n\n", "I think.", "</think>\n\n"] {
        let mut guide = world.guide(&rules);
        follow(world, &mut guide, before).expect("free");
        assert!(guide.allowed().expect("free").is_none());
        follow(world, &mut guide, BLOCK).expect("a sound block");
        assert!(guide.may_end());
        assert!(follow(world, &mut guide, "more").is_err());
    }
    let mut text = world.guide(&rules);
    follow(world, &mut text, "Hm.</think>No need for a tool.").expect("free");
    assert!(text.may_end());
}

fn what_the_schema_does_not_have_is_refused(world: &World) {
    let block =
        |rest: &str| format!("</think>\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"{rest}");
    let wrong = [
        // Another tool, another parameter, another type, the wrong kind of value.
        "rm\">\n",
        "bash\">\n<｜DSML｜parameter name=\"cwd\"",
        "bash\">\n<｜DSML｜parameter name=\"timeout\" string=\"false\">\"x\"",
        "bash\">\n<｜DSML｜parameter name=\"timeout\" string=\"true\"",
        "bash\">\n<｜DSML｜parameter name=\"timeout\" string=\"false\">-1</",
        "edit\">\n<｜DSML｜parameter name=\"mode\" string=\"true\">delete",
        // A required parameter is missing, another comes twice.
        "bash\">\n</｜DSML｜invoke>",
        "bash\">\n<｜DSML｜parameter name=\"timeout\" string=\"false\">1</｜DSML｜parameter>\n\
         <｜DSML｜parameter name=\"timeout\"",
        // Text between the tags, and a call without an end.
        "none\">\nHello",
        "none\">\n</｜DSML｜invoke>\n<｜end▁of▁sentence｜>",
    ];
    for rest in wrong {
        let mut guide = world.guide(&rules(AnswerStart::Reasoning, false, true));
        let followed = follow(world, &mut guide, &block(rest));
        assert!(followed.is_err(), "{rest:?} was taken");
    }
}

fn reasoning_cannot_end_an_answer_that_has_to_come(world: &World) {
    let eos = world.tokenizer.eos().expect("it has one");
    let forms = [
        rules(AnswerStart::Reasoning, true, true),
        AnswerRules {
            start: AnswerStart::Reasoning,
            format: Some(AnswerFormat::JsonObject),
            tools: None,
        },
    ];
    for rules in forms {
        let mut guide = world.guide(&rules);
        follow(world, &mut guide, "I think").expect("free");
        let bits = guide.allowed().expect("free").expect("not quite");
        assert!(!has(Some(&bits), eos));
        assert!(!guide.may_end());
        follow(world, &mut guide, "</think>").expect("it ends");
        assert!(follow(world, &mut guide, "Text").is_err());
    }
}

fn formatted(start: AnswerStart, format: AnswerFormat) -> AnswerRules {
    AnswerRules { start, tools: None, format: Some(format) }
}

fn formats_hold_whatever_is_drawn(world: &World) {
    let schema = json!({
        "type": "object",
        "properties": {
            "title": { "type": "string", "maxLength": 10 },
            "tags": { "type": "array", "items": { "enum": ["a", "b", 3] }, "maxItems": 4 },
            "next": { "anyOf": [{ "$ref": "#" }, { "type": "null" }] },
            "when": { "type": "string", "format": "date" },
        },
        "required": ["title", "next", "when"], "additionalProperties": false,
    });
    let place = "response_format";
    let validator = jsonschema::validator_for(&schema).expect("a sound schema");
    let pattern = r"(yes|no): [a-f0-9]{2,4}(\.\d+)?";
    let mut n_ended = 0;
    for seed in 0..30 {
        let format = AnswerFormat::JsonSchema { schema: schema.clone(), place };
        let rules = formatted(AnswerStart::Content, format);
        if let Some(answer) = world.answer(&rules, seed, 2_000) {
            let text = world.text(&answer);
            let value: Value = serde_json::from_str(&text).expect("JSON");
            assert!(validator.is_valid(&value), "{text}");
            n_ended += 1;
        }
        let format = AnswerFormat::Regex { pattern: pattern.to_owned(), place };
        let rules = formatted(AnswerStart::Content, format);
        let answer = world.answer(&rules, seed, 200).expect("bounded but for its digits");
        let text = world.text(&answer);
        assert!(text.starts_with("yes: ") || text.starts_with("no: "), "{text}");
        let texts = ["red", "dark red", "blue\""].map(str::to_owned).to_vec();
        let choice = AnswerFormat::Choice { texts: texts.clone(), place };
        let answer = world.answer(&formatted(AnswerStart::Content, choice), seed, 50);
        assert!(texts.contains(&world.text(&answer.expect("short"))));
    }
    assert!(n_ended >= 10, "only {n_ended} answers ended");
}

fn a_format_and_tools_leave_the_choice(world: &World) {
    let mut rules = rules(AnswerStart::Reasoning, false, true);
    rules.format = Some(AnswerFormat::JsonObject);
    for (text, sound) in [("{\"a\": 1}", true), ("Well", false)] {
        let mut guide = world.guide(&rules);
        let followed = follow(world, &mut guide, &format!("Hm.</think>{text}"));
        assert_eq!(followed.is_ok(), sound, "{text}");
    }
    let mut guide = world.guide(&rules);
    follow(world, &mut guide, &format!("Hm.</think>\n\n{BLOCK}")).expect("a sound block");
}

#[test]
fn what_cannot_be_held_to_is_an_error_with_its_place() {
    let world = bytes();
    let place = "response_format.json_schema.schema";
    let refused = |schema: Value| {
        let format = AnswerFormat::JsonSchema { schema, place };
        let error = world.grammars.guide(&formatted(AnswerStart::Content, format));
        let error = error.expect_err("it cannot be held to");
        assert!(matches!(&error, Error::Rule { place: found, .. } if found == place), "{error}");
        error.to_string()
    };
    let unsatisfiable = refused(json!({ "type": "integer", "minimum": 3, "maximum": 2 }));
    assert!(unsatisfiable.starts_with("response_format.json_schema.schema: "), "{unsatisfiable}");
    refused(json!({ "type": "string", "not": { "const": "a" } }));
    refused(json!({ "$ref": "https://example.com/schema.json" }));
    refused(json!({ "$ref": "#/$defs/missing" }));
    refused(json!({ "type": "string", "pattern": "(" }));
    refused(json!(false));
    for pattern in ["(", r"(?=x)y"] {
        let format = AnswerFormat::Regex { pattern: pattern.to_owned(), place: "regex" };
        let error = world.grammars.guide(&formatted(AnswerStart::Content, format));
        assert!(matches!(error, Err(Error::Rule { .. })), "{pattern}");
    }
    let strict = |strict| {
        let parameters = json!({ "type": "object", "properties": {
            "x": { "type": "integer", "not": { "const": 3 } } } });
        let place = "tools[0]".to_owned();
        let tools = vec![ToolRule { name: "f".to_owned(), parameters, strict, place }];
        let tools = Some(ToolRules { tools, required: true, several: false });
        world.grammars.guide(&AnswerRules { tools, ..AnswerRules::default() })
    };
    assert!(strict(false).is_ok(), "a tool that is not strict is held to its types");
    assert!(matches!(strict(true), Err(Error::Rule { place, .. }) if place == "tools[0]"));
}

fn everything(world: &World) {
    required_calls_are_valid_whatever_is_drawn(world);
    a_block_may_begin_behind_the_prompts_opening_tag(world);
    text_and_reasoning_are_free_until_a_block_begins(world);
    what_the_schema_does_not_have_is_refused(world);
    reasoning_cannot_end_an_answer_that_has_to_come(world);
    formats_hold_whatever_is_drawn(world);
    a_format_and_tools_leave_the_choice(world);
}

#[test]
fn grammars_hold_for_bytes() {
    everything(bytes());
}

#[test]
fn grammars_hold_for_the_published_vocabulary() {
    if let Some(tokenizer) = v4_tokenizer() {
        everything(&World::of(tokenizer));
    }
}
