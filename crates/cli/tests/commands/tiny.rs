//! The binary, run as a user runs it, on the tiny checkpoint of `testdata/oracle`.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gguf::{MappedFile, Tensor, Value, WriterBuilder};
use tempfile::TempDir;

/// Where the oracle's files are.
pub(crate) fn checkpoint() -> PathBuf {
    oracle("tiny_nano")
}

/// A folder of what others say.
pub(crate) fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/oracle").join(name)
}

/// A folder in which the binary runs, so that messages name files without a path.
pub(crate) struct Folder {
    dir: TempDir,
}

/// What is written to a file that a test has changed.
pub(crate) struct Content {
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) tensors: Vec<Tensor>,
}

impl Folder {
    /// A folder with the tiny checkpoint as `tiny.gguf`, in f32.
    pub(crate) fn with_tiny() -> Self {
        let folder = Self::empty();
        let checkpoint = checkpoint();
        let checkpoint = checkpoint.to_str().expect("the repository's path is UTF-8");
        folder.succeed(&["convert", checkpoint, "tiny.gguf", "--type", "f32"], b"");
        folder
    }

    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        Self { dir: TempDir::new().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the binary with `stdin` to its end.
    pub(crate) fn run(&self, args: &[&str], stdin: &[u8]) -> Output {
        self.run_with(args, stdin, &[])
    }

    /// Runs the binary with `stdin` to its end, with variables of the environment.
    pub(crate) fn run_with(
        &self,
        args: &[&str],
        stdin: &[u8],
        variables: &[(&str, String)],
    ) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ironstar"))
            .args(args)
            .current_dir(self.dir.path())
            // Nothing of the user's own: settings, models, conversations.
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("home/.config"))
            .env("IRONSTAR_DATA_DIR", self.path("data"))
            .env("HF_HOME", self.path("hf"))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            // Mesa's device chooser looks for a desktop and complains where there is none.
            .env("NODEVICE_SELECT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        // One that does not read its input may have closed it.
        let _ = child.stdin.take().expect("it was piped").write_all(stdin);
        child.wait_with_output().expect("the binary ends")
    }

    /// Runs the binary, which is to succeed, and returns its standard output.
    pub(crate) fn succeed(&self, args: &[&str], stdin: &[u8]) -> Vec<u8> {
        let output = self.run(args, stdin);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?} ended with {}: {stderr}", output.status);
        output.stdout
    }

    /// Writes `tiny.gguf` again under another name, changed.
    pub(crate) fn rewrite(&self, name: &str, change: impl FnOnce(&mut Content)) {
        let file = MappedFile::open(self.path("tiny.gguf")).expect("it was converted");
        let header = file.header();
        let tensors = header.tensors.iter().map(|t| file.tensor(&t.name).expect("it is listed"));
        let metadata = header.metadata.iter().map(|(key, value)| (key.to_owned(), value.clone()));
        let mut content = Content { metadata: metadata.collect(), tensors: tensors.collect() };
        change(&mut content);
        let mut builder = WriterBuilder::new();
        for (key, value) in content.metadata {
            builder.metadata(&key, value).expect("keys differ");
        }
        for tensor in &content.tensors {
            builder.tensor(&tensor.name, &tensor.dims, tensor.kind).expect("tensors are sound");
        }
        let out = File::create(self.path(name)).expect("the folder is writable");
        let mut writer = builder.begin(BufWriter::new(out)).expect("the header can be written");
        for tensor in &content.tensors {
            writer.tensor(&tensor.name, &tensor.data).expect("the data can be written");
        }
        writer.finish().expect("everything declared was written");
    }
}

impl Content {
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        let pair = self.metadata.iter_mut().find(|(name, _)| name == key);
        pair.unwrap_or_else(|| panic!("no {key}")).1 = value.into();
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.metadata.retain(|(name, _)| name != key);
    }
}
