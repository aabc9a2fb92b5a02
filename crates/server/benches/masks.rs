//! What a grammar costs the engine thread: tokens that may come next, while a tool block and a JSON
//! answer are written. With the built-in model's vocabulary, and the published one where it is.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use chat::{
    AnswerFormat, AnswerRules, AnswerStart, Grammars, Guide, Tokenizer, ToolRule, ToolRules,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::ModelFile;
use serde_json::json;

const BLOCK: &str = "I'll write it.\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"write\">\n\
    <｜DSML｜parameter name=\"path\" string=\"true\">src/main.rs</｜DSML｜parameter>\n\
    <｜DSML｜parameter name=\"content\" string=\"true\">fn main() {\n    println!(\"hello, {}\", 1 < 2);\n}\n\
    // A page: <ul><li>one</li><li>two</li></ul>\n</｜DSML｜parameter>\n\
    <｜DSML｜parameter name=\"edits\" string=\"false\">[{\"line\": 12, \"text\": \"let x = \\\"a\\\";\"}, \
    {\"line\": 14, \"text\": \"return x;\"}]</｜DSML｜parameter>\n\
    </｜DSML｜invoke>\n</｜DSML｜tool_calls>";
const ANSWER: &str = "{\"title\": \"A walk through the code\", \"tags\": [\"rust\", \"gpu\"], \
    \"size\": 1280.5, \"parts\": [{\"name\": \"engine\", \"lines\": 2100}]}";

fn vocabularies() -> Vec<(&'static str, Arc<Tokenizer>)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tiny = ModelFile::open(here.join("../cli/models/tiny.gguf")).expect("the built-in model");
    let tiny = tiny.tokenizer().expect("it has a vocabulary");
    let published = Tokenizer::from_file(here.join("../../testdata/cache/tokenizer.json"));
    let published = published.ok().map(|tokenizer| ("published", tokenizer));
    let all = [("tiny", tiny)].into_iter().chain(published);
    all.map(|(name, tokenizer)| (name, Arc::new(tokenizer))).collect()
}

/// As many tools as an agent has, in the manner of an agent.
fn tools() -> AnswerRules {
    let tool = |name: String| ToolRule {
        name,
        parameters: json!({
            "type": "object",
            "properties": {
                "path": { "type": "string" }, "content": { "type": "string" },
                "mode": { "type": "string", "enum": ["new", "over"] },
                "edits": { "type": "array", "items": { "type": "object", "properties": {
                    "line": { "type": "integer", "minimum": 1 }, "text": { "type": "string" } },
                    "required": ["line", "text"], "additionalProperties": false } },
                "limit": { "type": "integer" }, "deep": { "type": "boolean" },
            },
            "required": ["path"], "additionalProperties": false,
        }),
        strict: false,
        place: String::new(),
    };
    let names = (0..24).map(|i| format!("tool_{i}")).chain(["write".to_owned()]);
    let tools = ToolRules { tools: names.map(tool).collect(), required: false, several: true };
    AnswerRules { start: AnswerStart::Content, tools: Some(tools), format: None }
}

fn answer() -> AnswerRules {
    let schema = json!({
        "type": "object",
        "properties": {
            "title": { "type": "string" }, "tags": { "type": "array", "items": { "type": "string" } },
            "size": { "type": "number" },
            "parts": { "type": "array", "items": { "type": "object", "properties": {
                "name": { "type": "string" }, "lines": { "type": "integer" } },
                "required": ["name", "lines"] } },
        },
        "required": ["title", "tags", "size", "parts"],
    });
    let format = Some(AnswerFormat::JsonSchema { schema, place: "" });
    AnswerRules { start: AnswerStart::Content, tools: None, format }
}

fn follow(mut guide: Guide, tokens: &[u32]) {
    for &token in tokens {
        black_box(guide.allowed().expect("something may follow"));
        guide.accept(token).expect("it is allowed");
    }
}

fn masks(criterion: &mut Criterion) {
    for (name, tokenizer) in vocabularies() {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        let new = || Grammars::new(Arc::clone(&tokenizer)).expect("it has its control tokens");
        group.bench_function("new", |bench| bench.iter(new));
        let grammars = new();
        for (what, rules, text) in [("tools", tools(), BLOCK), ("json", answer(), ANSWER)] {
            let tokens = tokenizer.encode(text);
            let guide = || grammars.guide(&rules).expect("sound").expect("not open");
            // One that no other request has asked for.
            let mut n = 0;
            group.bench_function(format!("{what}: compile"), |bench| {
                bench.iter(|| {
                    let mut rules = rules.clone();
                    n += 1;
                    match (&mut rules.tools, &mut rules.format) {
                        (Some(tools), _) => tools.tools[0].name = format!("other_{n}"),
                        (None, Some(AnswerFormat::JsonSchema { schema, .. })) => {
                            schema["description"] = n.into();
                        }
                        _ => {}
                    }
                    black_box(grammars.guide(&rules).expect("sound"))
                });
            });
            group.bench_function(format!("{what}: compiled before"), |bench| bench.iter(guide));
            group.throughput(Throughput::Elements(tokens.len() as u64));
            group.bench_function(format!("{what}: {} tokens", tokens.len()), |bench| {
                bench.iter_batched(
                    guide,
                    |guide| follow(guide, &tokens),
                    criterion::BatchSize::PerIteration,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, masks);
criterion_main!(benches);
