//! Recipes: which tensor gets which type, as data.
//!
//! A recipe is a TOML file. The rules are tried in order and the first one whose pattern matches a
//! tensor's name decides; `*` stands for any characters, `{a,b}` for alternatives. A type whose
//! blocks do not divide a tensor's rows gives way to the first type of `fallback` that does.
//! Tables of integers are always kept, whatever a rule says.
//!
//! ```toml
//! file_type = 19           # general.file_type of the output, ggml's number; optional
//! default = "keep"         # for tensors without a rule: a type, or as the input has it
//! fallback = ["Q8_0"]      # optional
//!
//! [[tensor]]
//! name = "blk.*.ffn_{gate,up}_exps.weight"
//! type = "IQ2_XXS"
//! ```

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, bail};
use gguf::TensorType;
use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

use crate::files::read_bounded;

/// Longest recipe read.
const MAX_RECIPE_BYTES: u64 = 1 << 20;

/// The recipes that are part of the program.
const BUILT_IN: [(&str, &str); 3] = [
    ("q2", include_str!("recipes/q2.toml")),
    ("q4", include_str!("recipes/q4.toml")),
    ("mxfp4", include_str!("recipes/mxfp4.toml")),
];

/// What becomes of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It is stored as in the input.
    Keep,
    /// It is stored in this type.
    As(TensorType),
}

#[derive(Debug)]
struct Rule {
    pattern: String,
    matcher: GlobMatcher,
    choice: Choice,
}

/// A parsed recipe.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// What it is called: `q2`, or the name of its file.
    pub(crate) name: String,
    /// The file as it was read.
    pub(crate) text: String,
    /// `general.file_type` of the output.
    pub(crate) file_type: Option<u32>,
    default: Choice,
    fallback: Vec<TensorType>,
    rules: Vec<Rule>,
}

/// The TOML document, before its names mean anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    file_type: Option<u32>,
    default: String,
    #[serde(default)]
    fallback: Vec<String>,
    #[serde(default)]
    tensor: Vec<DocumentRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentRule {
    name: String,
    r#type: String,
}

impl Recipe {
    /// The built-in recipe of this name, or the one in the file of this name.
    pub(crate) fn open(name: &str) -> anyhow::Result<Self> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return Self::parse(name, text);
        }
        let path = Path::new(name);
        if !path.is_file() {
            let names = BUILT_IN.map(|(name, _)| name).join(", ");
            bail!("there is no recipe {name:?}: it is none of {names}, and no file");
        }
        let text = String::from_utf8(read_bounded(path, MAX_RECIPE_BYTES)?)
            .with_context(|| format!("the recipe {name} is not UTF-8 text"))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&stem, &text).with_context(|| format!("cannot use the recipe {name}"))
    }

    fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        let document: Document = toml::from_str(text)?;
        let rules = document.tensor.into_iter().map(|DocumentRule { name: pattern, r#type }| {
            let glob = GlobBuilder::new(&pattern).build()?;
            let choice = choice(&r#type).with_context(|| format!("the rule for {pattern:?}"))?;
            Ok(Rule { pattern, matcher: glob.compile_matcher(), choice })
        });
        Ok(Self {
            name: name.to_owned(),
            text: text.to_owned(),
            file_type: document.file_type,
            default: choice(&document.default).context("the default")?,
            fallback: document
                .fallback
                .iter()
                .map(|name| weight_type(name))
                .collect::<anyhow::Result<_>>()
                .context("the fallback")?,
            rules: rules.collect::<anyhow::Result<_>>()?,
        })
    }

    /// What the first rule that matches a tensor says about it, or the default.
    pub(crate) fn choice(&self, tensor: &str) -> Choice {
        self.rule(tensor).map_or(self.default, |index| self.rules[index].choice)
    }

    fn rule(&self, tensor: &str) -> Option<usize> {
        self.rules.iter().position(|rule| rule.matcher.is_match(tensor))
    }

    /// The type for rows of `columns` weights: `kind`, or the first fallback that divides them.
    pub(crate) fn fitting(
        &self,
        tensor: &str,
        kind: TensorType,
        columns: u64,
    ) -> anyhow::Result<TensorType> {
        let fits = |kind: &TensorType| columns.is_multiple_of(kind.block_len() as u64);
        let found = std::iter::once(kind).chain(self.fallback.iter().copied()).find(fits);
        found.with_context(|| {
            format!(
                "{tensor} has rows of {columns} weights, which are no whole blocks of {kind} ({} \
                 weights); a `fallback` in the recipe names another type",
                kind.block_len()
            )
        })
    }

    /// A warning for each rule that decides about none of `tensors`, unless it is built in, and so
    /// nobody's mistake.
    pub(crate) fn unused_notes<'a>(&self, tensors: impl Iterator<Item = &'a str>) -> Vec<String> {
        if BUILT_IN.contains(&(self.name.as_str(), self.text.as_str())) {
            return Vec::new();
        }
        let used: HashSet<usize> = tensors.filter_map(|tensor| self.rule(tensor)).collect();
        let unused = self.rules.iter().enumerate().filter(|(index, _)| !used.contains(index));
        unused
            .map(|(_, Rule { pattern, .. })| {
                format!("warning: no tensor takes the rule for {pattern:?} of the recipe")
            })
            .collect()
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn choice(name: &str) -> anyhow::Result<Choice> {
    if name == "keep" { Ok(Choice::Keep) } else { weight_type(name).map(Choice::As) }
}

fn weight_type(name: &str) -> anyhow::Result<TensorType> {
    let mut kinds = TensorType::KNOWN.into_iter().filter(|kind| kind.is_float());
    kinds.clone().find(|kind| kind.name().eq_ignore_ascii_case(name)).with_context(|| {
        let names: Vec<&str> = kinds.by_ref().map(TensorType::name).collect();
        format!("{name:?} is no type of weights; there are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The types that the published files have (specification b.4), by tensor.
    #[test]
    fn built_in_recipes_give_the_published_types() {
        let dense = [
            ("token_embd.weight", "F16"),
            ("output_hc_fn.weight", "F16"),
            ("output_hc_base.weight", "F32"),
            ("output_hc_scale.weight", "F32"),
            ("output_norm.weight", "F32"),
            ("output.weight", "Q8_0"),
            ("blk.7.hc_attn_fn.weight", "F16"),
            ("blk.7.hc_ffn_fn.weight", "F16"),
            ("blk.7.hc_attn_base.weight", "F32"),
            ("blk.7.hc_ffn_scale.weight", "F32"),
            ("blk.7.attn_norm.weight", "F32"),
            ("blk.7.ffn_norm.weight", "F32"),
            ("blk.7.attn_q_a.weight", "Q8_0"),
            ("blk.7.attn_q_a_norm.weight", "F32"),
            ("blk.7.attn_q_b.weight", "Q8_0"),
            ("blk.7.attn_kv.weight", "Q8_0"),
            ("blk.7.attn_kv_a_norm.weight", "F32"),
            ("blk.7.attn_sinks.weight", "F32"),
            ("blk.7.attn_output_a.weight", "Q8_0"),
            ("blk.7.attn_output_b.weight", "Q8_0"),
            ("blk.7.attn_compressor_ape.weight", "F16"),
            ("blk.7.attn_compressor_kv.weight", "F16"),
            ("blk.7.attn_compressor_gate.weight", "F16"),
            ("blk.7.attn_compressor_norm.weight", "F32"),
            ("blk.8.indexer.attn_q_b.weight", "F16"),
            ("blk.8.indexer.proj.weight", "F16"),
            ("blk.8.indexer_compressor_ape.weight", "F16"),
            ("blk.8.indexer_compressor_kv.weight", "F16"),
            ("blk.8.indexer_compressor_gate.weight", "F16"),
            ("blk.8.indexer_compressor_norm.weight", "F32"),
            ("blk.7.ffn_gate_inp.weight", "F16"),
            ("blk.7.exp_probs_b.bias", "F32"),
            ("blk.7.ffn_gate_shexp.weight", "Q8_0"),
            ("blk.7.ffn_up_shexp.weight", "Q8_0"),
            ("blk.7.ffn_down_shexp.weight", "Q8_0"),
        ];
        let experts = ["gate", "up", "down"].map(|part| format!("blk.42.ffn_{part}_exps.weight"));
        for (recipe, types) in
            [("q2", ["IQ2_XXS", "IQ2_XXS", "Q2_K"]), ("q4", ["Q4_K"; 3]), ("mxfp4", ["MXFP4"; 3])]
        {
            let recipe = Recipe::open(recipe).expect("built in");
            let experts = experts.iter().map(String::as_str).zip(types);
            for (tensor, kind) in experts.chain(dense) {
                let expected = weight_type(kind).expect("a type");
                assert_eq!(recipe.choice(tensor), Choice::As(expected), "{recipe}: {tensor}");
            }
            assert_eq!(recipe.choice("blk.0.ffn_gate_tid2eid.weight"), Choice::Keep);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expected: &str| {
            let error = Recipe::parse("test", text).expect_err("a mistake");
            let found = format!("{error:#}");
            assert!(found.contains(expected), "{text:?}: {found}");
        };
        check("default = \"Q3_K\"", "\"Q3_K\" is no type of weights; there are F32, F16, Q8_0");
        check("default = \"I32\"", "\"I32\" is no type of weights");
        check("", "missing field `default`");
        check("default = \"keep\"\ncolour = 1", "unknown field `colour`");
        check("default = \"keep\"\n[[tensor]]\nname = \"{\"\ntype = \"F16\"", "unclosed");
        check("default = \"keep\"\n[[tensor]]\nname = \"a\"\ntype = \"b\"", "the rule for \"a\"");
        check("default = \"keep\"\nfallback = [\"keep\"]", "the fallback");
    }

    #[test]
    fn rows_that_are_no_whole_blocks_fall_back() {
        let text = "default = \"keep\"\nfallback = [\"Q8_0\", \"F16\"]";
        let check = |text: &str, columns: u64, expected: Option<TensorType>| {
            let recipe = Recipe::parse("test", text).expect("a recipe");
            let found = recipe.fitting("blk.0.x", TensorType::Q2K, columns).ok();
            assert_eq!(found, expected, "{columns} columns");
        };
        check(text, 512, Some(TensorType::Q2K));
        check(text, 96, Some(TensorType::Q8_0));
        check(text, 20, Some(TensorType::F16));
        check("default = \"keep\"", 96, None);
    }
}
