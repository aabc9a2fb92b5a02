//! The folder of saved conversations: one file each, named after the conversation.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::conversation::{Conversation, check_name};
use crate::files::{new_temporary_file, read_bounded};

/// Longer files are no conversations: at a million tokens the text is a few megabytes.
const MAX_BYTES: u64 = 1 << 28;

/// Saved conversations.
#[derive(Debug)]
pub(super) struct Library {
    folder: PathBuf,
}

impl Library {
    /// A folder, which is made when the first conversation is saved.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        check_name(name).is_ok() && self.path(name).exists()
    }

    /// Writes a conversation as a whole or not at all.
    pub(super) fn save(&self, conversation: &Conversation) -> Result<PathBuf> {
        check_name(&conversation.name)?;
        let path = self.path(&conversation.name);
        let cannot_save = || format!("cannot save the conversation as {}", path.display());
        fs::create_dir_all(&self.folder).with_context(cannot_save)?;
        let mut file = new_temporary_file(&path)?;
        file.write_all(conversation.to_json().as_bytes()).with_context(cannot_save)?;
        file.as_file().sync_all().with_context(cannot_save)?;
        file.persist(&path).with_context(cannot_save)?;
        Ok(path)
    }

    /// Reads what was saved under this name, or under the only name that begins so.
    pub(super) fn load(&self, name: &str) -> Result<Conversation> {
        if self.has(name) {
            return Self::read(&self.path(name));
        }
        let names = self.names()?;
        match &names.iter().filter(|known| known.starts_with(name)).collect::<Vec<_>>()[..] {
            [] => bail!("no conversation is called {name}; /list shows them"),
            [only] => Self::read(&self.path(only)),
            several => bail!("{} conversations begin with {name}; say more of it", several.len()),
        }
    }

    /// Reads a conversation's file, wherever it is.
    pub(super) fn read(path: &Path) -> Result<Conversation> {
        let cannot_read = || format!("cannot read the conversation {}", path.display());
        let bytes = read_bounded(path, MAX_BYTES)?;
        let text = String::from_utf8(bytes).with_context(cannot_read)?;
        let conversation = Conversation::from_json(&text).with_context(cannot_read)?;
        check_name(&conversation.name).with_context(cannot_read)?;
        Ok(conversation)
    }

    /// Names of all saved conversations, in order.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let cannot_list = || format!("cannot list {}", self.folder.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).with_context(cannot_list)? {
            let name = entry.with_context(cannot_list)?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".json"));
            names.extend(name.filter(|name| check_name(name).is_ok()).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use chat::Thinking;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn conversations_are_found_by_name_and_by_its_beginning() {
        let folder = TempDir::new().expect("a temporary folder");
        let library = Library::new(folder.path().join("not/yet"));
        assert_eq!(library.names().expect("nothing is no error"), [""; 0]);
        for name in ["plans", "plants", "zebra"] {
            let conversation = Conversation::new(name.to_owned(), None, Thinking::Off);
            library.save(&conversation).expect("it is writable");
            library.save(&conversation).expect("it may be saved again");
        }
        assert_eq!(library.names().expect("they are there"), ["plans", "plants", "zebra"]);
        assert_eq!(library.load("z").expect("the only one").name, "zebra");
        let error = |name| library.load(name).expect_err("it is refused").to_string();
        assert_eq!(error("pla"), "2 conversations begin with pla; say more of it");
        assert_eq!(error("../zebra"), "no conversation is called ../zebra; /list shows them");
        fs::write(library.path("torn"), "{").expect("it is writable");
        let message = error("torn");
        assert!(message.starts_with("cannot read the conversation "), "{message}");
    }
}
