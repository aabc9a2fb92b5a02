//! `render`: the prompt that an API request makes.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use chat::render_request;

use crate::args::RenderArgs;
use crate::settings::{open_tokenizer, stdin_bytes};

pub(crate) fn render(args: &RenderArgs) -> Result<()> {
    let (tokenizer, file_dialect) = open_tokenizer(&args.tokenizer)?;
    let dialect = args.prompt_format.or(file_dialect).unwrap_or_default();
    let rendered = render_request(args.api, &stdin_bytes()?, dialect, &tokenizer)?;
    let output = serde_json::to_string(&rendered).expect("its maps have text keys");
    writeln!(io::stdout(), "{output}").context("cannot write the prompt")
}
