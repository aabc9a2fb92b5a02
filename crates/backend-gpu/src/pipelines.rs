//! Kernels: WGSL put together from parts and constants, and compiled when first used.
//!
//! A kernel is a head of constants, parts that several kernels share (a weight format, a
//! reduction) and its own text. The parts are WGSL as they stand; nothing is generated but
//! `const` lines.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

use crate::device::{Device, IMMEDIATE_BYTES};

/// Buffers that a text with a prefix declares at most.
const MAX_WEIGHT_PARTS: u32 = 5;

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
pub(crate) struct Part {
    text: &'static str,
    /// Prefix of names and first binding, for texts that serve more than one weight.
    weight: Option<(&'static str, u32)>,
}

impl Part {
    /// Texts are told apart by where they are: kernels are looked up with every dispatch, and
    /// hashing kilobytes would take longer than recording one.
    fn identity(&self) -> (*const u8, usize, Option<(&'static str, u32)>) {
        (self.text.as_ptr(), self.text.len(), self.weight)
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
        Self { text, weight: None }
    }
}

impl Part {
    /// A weight format whose names begin with `name` instead of `weight`, bound from `binding` on.
    pub(crate) fn weight(text: &'static str, name: &'static str, binding: u32) -> Self {
        Self { text, weight: Some((name, binding)) }
    }

    fn write(&self, out: &mut String) {
        let Some((name, binding)) = self.weight else {
            out.push_str(self.text);
            return;
        };
        let mut text = self.text.replace("weight_", &format!("{name}_"));
        // From the last one down, so that no number is moved twice.
        for part in (0..MAX_WEIGHT_PARTS).rev() {
            let bound = format!("@binding({})", binding + part);
            text = text.replace(&format!("@binding({part})"), &bound);
        }
        out.push_str(&text);
    }
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
            part.write(&mut text);
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

/// A compiled kernel.
pub(crate) struct Pipeline {
    pub(crate) id: usize,
    pub(crate) raw: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
}

/// Compiled kernels.
#[derive(Default)]
pub(crate) struct Pipelines {
    compiled: HashMap<Kernel, Pipeline>,
}

impl Pipelines {
    /// The compiled kernel; `writes` says of each of its bindings whether it is written.
    pub(crate) fn compiled(
        &mut self,
        device: &Device,
        kernel: &Kernel,
        writes: &[bool],
    ) -> &Pipeline {
        if !self.compiled.contains_key(kernel) {
            let id = self.compiled.len();
            self.compiled.insert(kernel.clone(), compile(device, kernel, writes, id));
        }
        &self.compiled[kernel]
    }
}

#[expect(unsafe_code, reason = "kernels without a clamp on every index, which costs them speed")]
fn compile(device: &Device, kernel: &Kernel, writes: &[bool], id: usize) -> Pipeline {
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
    Pipeline { id, raw, layout }
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
