//! Looking for short runs of tokens anywhere in a Rust file, in macro arguments too, but never in
//! strings or comments.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token, flattened: groups become their opening and closing delimiters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// Counted from one.
    pub(super) line: usize,
}

/// All tokens in order. Literals are left out as `""`, so that a word inside a string (or inside a
/// doc comment, which is a string to the compiler) is never taken for code.
pub(super) fn flatten(stream: &TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    push(stream, &mut tokens);
    tokens
}

fn push(stream: &TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream.clone() {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line });
                push(&group.stream(), tokens);
                let close_line = group.span_close().start().line;
                tokens.push(Token { text: close.to_owned(), line: close_line });
            }
            TokenTree::Literal(_) => tokens.push(Token { text: "\"\"".to_owned(), line }),
            other => tokens.push(Token { text: other.to_string(), line }),
        }
    }
}

/// Whether the tokens from `at` on spell the pattern.
pub(super) fn spells(tokens: &[Token], at: usize, pattern: &[&str]) -> bool {
    tokens.len() >= at + pattern.len()
        && pattern.iter().zip(&tokens[at..]).all(|(word, token)| *word == token.text)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn macro_arguments_are_seen_and_strings_are_not() {
        let source = "// dbg!\nfn f() {\n  assert!(dbg!(true), \"todo!\");\n}\n";
        let tokens = flatten(&TokenStream::from_str(source).expect("it is Rust"));
        let words: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
        let expected =
            "fn f ( ) { assert ! ( dbg ! ( true ) , \"\" ) ; }".split(' ').collect::<Vec<_>>();
        assert_eq!(words, expected);
        assert_eq!(tokens[8].line, 3);
        assert!(spells(&tokens, 8, &["dbg", "!"]));
        assert!(!spells(&tokens, words.len() - 1, &["}", "}"]));
    }
}
