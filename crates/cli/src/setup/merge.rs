//! Puts our settings into a file that holds others, which stay as they are.
//!
//! Refuses: files that do not read as what they should be. They are left alone.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use toml_edit::{DocumentMut, Item, TableLike};

use super::clients::Layout;

/// What a file is to become.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// It was not there.
    New(String),
    /// It has everything already.
    Same,
    Changed(String),
}

/// Merges our text into an old one.
pub(super) fn merge(layout: Layout, old: &str, ours: &str) -> Result<Merged> {
    let new = match layout {
        Layout::Json => json(old, ours)?,
        Layout::Toml => toml(old, ours)?,
        Layout::Lines => lines(old, ours),
        Layout::Whole if old == ours => return Ok(Merged::Same),
        Layout::Whole => {
            bail!("it is there already and holds something else; add the text by hand")
        }
    };
    Ok(if new == old { Merged::Same } else { Merged::Changed(new) })
}

fn json(old: &str, ours: &str) -> Result<String> {
    if old.trim().is_empty() {
        return Ok(ours.to_owned());
    }
    let mut settings: Value =
        serde_json::from_str(old).context("it is not plain JSON; add the text by hand")?;
    if !settings.is_object() {
        bail!("it holds no JSON object; add the text by hand");
    }
    let before = settings.clone();
    let ours = serde_json::from_str(ours).expect("ours is JSON");
    put_json(&mut settings, ours);
    if settings == before {
        return Ok(old.to_owned());
    }
    Ok(format!("{settings:#}\n"))
}

/// Objects are merged, anything else is replaced.
fn put_json(into: &mut Value, ours: Value) {
    match (into, ours) {
        (Value::Object(into), Value::Object(ours)) => {
            for (key, value) in ours {
                put_json(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, ours) => *into = ours,
    }
}

fn toml(old: &str, ours: &str) -> Result<String> {
    let mut settings: DocumentMut = old.parse().context("it is not TOML; add the text by hand")?;
    let ours: DocumentMut = ours.parse().expect("ours is TOML");
    put_toml(settings.as_table_mut(), ours.as_table());
    Ok(settings.to_string())
}

fn put_toml(into: &mut dyn TableLike, ours: &dyn TableLike) {
    for (key, item) in ours.iter() {
        let both = (into.get_mut(key).and_then(Item::as_table_like_mut), item.as_table_like());
        if let (Some(into), Some(ours)) = both {
            put_toml(into, ours);
            continue;
        }
        match (into.get_mut(key), item) {
            // What stands before and behind a value, comments too, stays.
            (Some(Item::Value(old)), Item::Value(ours)) => {
                let mut ours = ours.clone();
                *ours.decor_mut() = old.decor().clone();
                *old = ours;
            }
            (Some(old), ours) => *old = ours.clone(),
            (None, ours) => {
                into.insert(key, ours.clone());
            }
        }
    }
}

/// Lines that set one of our names are replaced, the others stay, new ones go to the end.
fn lines(old: &str, ours: &str) -> String {
    let name = |line: &str| {
        let line = line.trim_start().trim_start_matches("export ");
        line.split_once(['=', ':']).map(|(name, _)| name.trim().to_owned())
    };
    let mut rest: Vec<&str> = ours.lines().collect();
    let mut new = String::new();
    for line in old.lines() {
        // Indented lines belong to what stands above them.
        let is_ours = |ours: &&str| !line.starts_with([' ', '#']) && name(ours) == name(line);
        match rest.iter().position(is_ours) {
            Some(at) => new.push_str(rest.remove(at)),
            None => new.push_str(line),
        }
        new.push('\n');
    }
    for line in rest {
        new.push_str(line);
        new.push('\n');
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(layout: Layout, old: &str, ours: &str, expected: &str) {
        let merged = merge(layout, old, ours).expect("it can be merged");
        assert_eq!(merged, Merged::Changed(expected.to_owned()));
        assert_eq!(merge(layout, expected, ours).expect("it can be merged"), Merged::Same);
    }

    #[test]
    fn json_keeps_other_keys_in_their_order() {
        changed(
            Layout::Json,
            r#"{"z": 1, "env": {"A": "old", "B": "stays"}, "list": [1]}"#,
            r#"{"env": {"A": "new", "C": "more"}}"#,
            "{\n  \"z\": 1,\n  \"env\": {\n    \"A\": \"new\",\n    \"B\": \"stays\",\n    \"C\": \
             \"more\"\n  },\n  \"list\": [\n    1\n  ]\n}\n",
        );
        for bad in ["// comment\n{}", "[1]", "{"] {
            assert!(merge(Layout::Json, bad, "{}").is_err(), "{bad}");
        }
    }

    #[test]
    fn toml_keeps_comments_and_other_tables() {
        changed(
            Layout::Toml,
            "# mine\nmodel = \"gpt\" # liked\n\n[model_providers.other]\nname = \"x\"\n",
            "model = \"flash\"\n\n[model_providers.ironstar]\nname = \"ironstar\"\n",
            "# mine\nmodel = \"flash\" # liked\n\n[model_providers.other]\nname = \"x\"\n\n\
             [model_providers.ironstar]\nname = \"ironstar\"\n",
        );
        assert!(merge(Layout::Toml, "model = ", "a = 1\n").is_err());
    }

    #[test]
    fn lines_are_replaced_where_they_stand() {
        changed(
            Layout::Lines,
            "# keys\nOTHER=1\nOPENAI_API_KEY=old\n",
            "OPENAI_API_KEY=new\nOPENAI_MODEL=m\n",
            "# keys\nOTHER=1\nOPENAI_API_KEY=new\nOPENAI_MODEL=m\n",
        );
        changed(
            Layout::Lines,
            "model: old\nlint-cmd:\n  model: stays",
            "model: new\n",
            "model: new\nlint-cmd:\n  model: stays\n",
        );
    }

    #[test]
    fn a_file_of_another_layout_is_left_alone() {
        assert_eq!(merge(Layout::Whole, "a", "a").expect("the same"), Merged::Same);
        assert!(merge(Layout::Whole, "a", "b").is_err());
    }
}
