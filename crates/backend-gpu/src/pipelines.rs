//! Kernels: WGSL put together from parts and constants, and compiled when first used.
//!
//! A kernel is a head of constants, parts that several kernels share (a weight format, a
//! reduction) and its own text. The parts are WGSL as they stand; nothing is generated but
//! `const` lines.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

use crate::device::{Device, IMMEDIATE_BYTES};
use crate::profile::DeviceProfile;

/// Buffers that a text which is bound elsewhere declares at most.
const MAX_PART_BINDINGS: u32 = 9;

/// One kernel in one variant: everything that its text is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kernel {
    /// Names the kernel in messages and goldens.
    pub(crate) name: &'static str,
    /// `const` lines, all u32.
    pub(crate) constants: Vec<(&'static str, u32)>,
    /// Texts, in any order that reads well.
    pub(crate) parts: Vec<Part>,
}

/// A piece of WGSL.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// As it stands.
    Text(&'static str),
    /// A text that serves more than one weight: names begin with `name` instead of `weight`, and
    /// bindings with `binding`.
    Weight { text: &'static str, name: &'static str, binding: u32 },
    /// Texts that a kernel holds more than once: `name_` goes in front of everything that they
    /// declare and of constants that the kernel has under such a name; bindings begin with
    /// `binding`.
    Instance { texts: &'static [&'static str], name: &'static str, binding: u32 },
}

impl Part {
    /// Texts are told apart by where they are: kernels are looked up with every dispatch, and
    /// hashing kilobytes would take longer than recording one.
    fn identity(&self) -> (*const u8, usize, Option<(&'static str, u32)>) {
        match *self {
            Self::Text(text) => (text.as_ptr(), text.len(), None),
            Self::Weight { text, name, binding } => {
                (text.as_ptr(), text.len(), Some((name, binding)))
            }
            Self::Instance { texts, name, binding } => {
                (texts.as_ptr().cast(), texts.len(), Some((name, binding)))
            }
        }
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Part {}

impl Hash for Part {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl From<&'static str> for Part {
    fn from(text: &'static str) -> Self {
        Self::Text(text)
    }
}

impl Part {
    /// A weight format whose names begin with `name` instead of `weight`, bound from `binding` on.
    pub(crate) fn weight(text: &'static str, name: &'static str, binding: u32) -> Self {
        Self::Weight { text, name, binding }
    }

    fn write(&self, constants: &[(&'static str, u32)], out: &mut String) {
        match *self {
            Self::Text(text) => out.push_str(text),
            Self::Weight { text, name, binding } => {
                out.push_str(&rebound(&text.replace("weight_", &format!("{name}_")), binding));
            }
            Self::Instance { texts, name, binding } => {
                let text = texts.join("\n");
                out.push_str(&rebound(&renamed(&text, name, constants), binding));
            }
        }
    }
}

/// The text with bindings from `first` on.
fn rebound(text: &str, first: u32) -> String {
    let mut text = text.to_owned();
    // From the last one down, so that no number is moved twice.
    for part in (0..MAX_PART_BINDINGS).rev() {
        text = text.replace(&format!("@binding({part})"), &format!("@binding({})", first + part));
    }
    text
}

/// The text with `name_` in front of what it declares, and of what is a constant by that name.
fn renamed(text: &str, name: &str, constants: &[(&'static str, u32)]) -> String {
    let declared: HashSet<&str> = text.lines().filter_map(declared_name).collect();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        out.push_str(&rest[..start]);
        let word = &rest[start..];
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        let word = &word[..end];
        let with_name = format!("{name}_{word}");
        let is_field = out.ends_with('.');
        let is_constant = constants.iter().any(|(constant, _)| *constant == with_name);
        let is_own = !is_field && (is_constant || declared.contains(word));
        out.push_str(if is_own { &with_name } else { word });
        rest = &rest[start + end..];
    }
    out.push_str(rest);
    out
}

/// What a line declares for the whole module.
fn declared_name(line: &str) -> Option<&str> {
    let function_or_constant = line.strip_prefix("fn ").or_else(|| line.strip_prefix("const "));
    let rest = function_or_constant.or_else(|| {
        let is_variable = line.starts_with("@group") || line.starts_with("var<");
        let (_, variable) = line.split_once("var<").filter(|_| is_variable)?;
        variable.split_once("> ").map(|(_, rest)| rest)
    })?;
    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
}

impl Kernel {
    /// The text that is compiled.
    pub(crate) fn source(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.constants {
            writeln!(text, "const {name}: u32 = {value}u;").expect("a String takes any text");
        }
        for part in &self.parts {
            text.push('\n');
            part.write(&self.constants, &mut text);
        }
        // WGSL wants its directives first; parts state those that they need.
        let is_directive = |line: &&str| line.starts_with("enable ");
        let mut directives: Vec<&str> = text.lines().filter(is_directive).collect();
        if directives.is_empty() {
            return text;
        }
        directives.sort_unstable();
        directives.dedup();
        let rest = text.lines().filter(|line| !is_directive(line));
        directives.into_iter().chain(rest).flat_map(|line| [line, "\n"]).collect()
    }
}

/// Names a kernel where its text need not be put together to find it: the numbers are all that the
/// text depends on, beside the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    name: &'static str,
    numbers: [u32; 8],
}

impl Variant {
    /// A kernel with one text a device.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::new(name, &[])
    }

    /// One of the texts of a kernel; there are at most eight numbers.
    pub(crate) fn new(name: &'static str, numbers: &[u32]) -> Self {
        let mut all = [0; 8];
        all[..numbers.len()].copy_from_slice(numbers);
        Self { name, numbers: all }
    }
}

/// A compiled kernel.
pub(crate) struct Pipeline {
    pub(crate) name: &'static str,
    pub(crate) raw: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
    pub(crate) n_dispatches: u64,
}

/// Compiled kernels, by the number of each.
#[derive(Default)]
pub(crate) struct Pipelines {
    pub(crate) compiled: Vec<Pipeline>,
    kernels: HashMap<Kernel, usize>,
    variants: HashMap<Variant, usize>,
}

impl Pipelines {
    /// Number of the kernel; `writes` says of each of its bindings whether it is written.
    pub(crate) fn of_kernel(
        &mut self,
        device: &Device,
        kernel: &Kernel,
        writes: impl Iterator<Item = bool>,
    ) -> usize {
        if let Some(id) = self.kernels.get(kernel) {
            return *id;
        }
        let id = self.compiled.len();
        self.compiled.push(compile(device, kernel, &writes.collect::<Vec<bool>>()));
        self.kernels.insert(kernel.clone(), id);
        id
    }

    /// The same for a kernel that `build` makes.
    pub(crate) fn of_variant(
        &mut self,
        device: &Device,
        variant: Variant,
        build: impl FnOnce(&DeviceProfile) -> Kernel,
        writes: impl Iterator<Item = bool>,
    ) -> usize {
        if let Some(id) = self.variants.get(&variant) {
            return *id;
        }
        let id = self.of_kernel(device, &build(&device.profile), writes);
        self.variants.insert(variant, id);
        id
    }
}

#[expect(unsafe_code, reason = "kernels without a clamp on every index, which costs them speed")]
fn compile(device: &Device, kernel: &Kernel, writes: &[bool]) -> Pipeline {
    let device = &device.raw;
    let entries: Vec<_> = writes.iter().zip(0..).map(|(w, i)| layout_entry(i, *w)).collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(kernel.name),
        entries: &entries,
    });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(kernel.name),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: IMMEDIATE_BYTES,
    });
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: wgpu::ShaderSource::Wgsl(kernel.source().into()),
    };
    let checks = wgpu::ShaderRuntimeChecks::unchecked();
    // SAFETY: the text is ours, and so are all buffers; every op asserts the shapes from which its
    // kernel computes indexes and loop bounds, so no access leaves a buffer and no loop is endless.
    let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
    let raw = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(kernel.name),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &[],
            zero_initialize_workgroup_memory: false,
        },
        cache: None,
    });
    Pipeline { name: kernel.name, raw, layout, n_dispatches: 0 }
}

fn layout_entry(binding: u32, writes: bool) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: !writes },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}
