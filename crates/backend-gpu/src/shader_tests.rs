//! Kernels are sound without a device: naga accepts every variant and translates it for Metal.
//!
//! Golden: `goldens/*.metal`, what naga makes of the kernels of the published model on an Apple
//! GPU, with the options that wgpu gives it. A test that finds another text leaves it beside the
//! golden as `*.metal.new`, to be read and renamed. Nobody here has run them.

use std::path::PathBuf;

use naga::back::msl;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

use crate::catalogue::{FORMATS, of_format, with_large_matrices, without_format};
use crate::pipelines::Kernel;
use crate::profile::DeviceProfile;
use crate::weights::Format;

/// What wgpu tells naga of a device with subgroups and immediates.
fn capabilities() -> Capabilities {
    Capabilities::IMMEDIATES
        | Capabilities::SUBGROUP
        | Capabilities::SHADER_FLOAT16_IN_FLOAT32
        | Capabilities::SHADER_FLOAT16
        | Capabilities::COOPERATIVE_MATRIX
}

fn validated(name: &str, kernel: &Kernel) -> (naga::Module, ModuleInfo) {
    let source = kernel.source();
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&source)));
    let info = Validator::new(ValidationFlags::all(), capabilities())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&source)));
    (module, info)
}

/// The Metal text, translated as wgpu does for unchecked modules.
fn metal(name: &str, kernel: &Kernel) -> String {
    let (module, info) = validated(name, kernel);
    let unchecked = BoundsCheckPolicy::Unchecked;
    let options = msl::Options {
        lang_version: (3, 1),
        fake_missing_bindings: true,
        bounds_check_policies: BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        zero_initialize_workgroup_memory: false,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        ..msl::Options::default()
    };
    let (text, _) = msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    text
}

/// Bytes of workgroup memory that a kernel takes.
fn workgroup_bytes(module: &naga::Module) -> u32 {
    let of_workgroup = module
        .global_variables
        .iter()
        .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup);
    let bytes = of_workgroup.map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()));
    // Each variable begins at a multiple of 16 at worst.
    bytes.map(|bytes| bytes.next_multiple_of(16)).sum()
}

fn has_matrices(module: &naga::Module) -> bool {
    module.types.iter().any(|(_, t)| matches!(t.inner, naga::TypeInner::CooperativeMatrix { .. }))
}

/// Whether every variable of workgroup memory has whole multiples of 16 bytes.
fn tiles_are_aligned(module: &naga::Module) -> bool {
    let mut variables = module.global_variables.iter();
    variables.all(|(_, variable)| {
        variable.space != naga::AddressSpace::WorkGroup
            || module.types[variable.ty].inner.size(module.to_ctx()).is_multiple_of(16)
    })
}

fn check_variant(profile: &DeviceProfile, name: &str, kernel: &Kernel) {
    let (module, _) = validated(name, kernel);
    let bytes = workgroup_bytes(&module);
    assert!(bytes <= profile.workgroup_bytes, "{name}: {bytes} bytes of workgroup memory");
    let text = metal(name, kernel);
    // Metal has 8x8 matrices only; naga writes the name of a larger one without a word.
    assert!(!text.contains("16x16"), "{name}: a matrix type that Metal lacks");
}

fn profiles() -> [DeviceProfile; 4] {
    let apple = DeviceProfile::apple();
    [None, Some(8), Some(32), Some(64)].map(|subgroup_size| DeviceProfile {
        subgroup_size,
        packed_dot: subgroup_size.is_some(),
        ..apple
    })
}

#[test]
fn every_variant_is_valid_and_fits_an_apple_gpu() {
    for profile in profiles() {
        for (name, kernel) in without_format(&profile) {
            check_variant(&profile, name, &kernel);
        }
        for (format_name, format) in FORMATS {
            for aligned in [true, false] {
                for (name, kernel) in of_format(&profile, format, aligned) {
                    check_variant(&profile, &format!("{name} of {format_name}"), &kernel);
                }
            }
        }
    }
}

/// Larger matrices than Metal has.
#[test]
fn variants_with_large_matrices_are_valid() {
    let profile = DeviceProfile {
        packed_dot: true,
        matrix_size: Some(16),
        workgroup_bytes: 48 << 10,
        ..DeviceProfile::apple()
    };
    let mut kernels = with_large_matrices();
    for (_, format) in FORMATS {
        kernels.extend(of_format(&profile, format, true));
    }
    for (name, kernel) in kernels {
        let (module, info) = validated(name, &kernel);
        let options = naga::back::spv::Options { lang_version: (1, 6), ..Default::default() };
        let words = naga::back::spv::write_vec(&module, &info, &options, None);
        assert!(words.is_ok_and(|words| !words.is_empty()), "{name}: no SPIR-V");
        assert!(
            !has_matrices(&module) || tiles_are_aligned(&module),
            "{name}: see matmul_matrices"
        );
        let bytes = workgroup_bytes(&module);
        assert!(bytes <= profile.workgroup_bytes, "{name}: {bytes} bytes");
    }
}

/// Names and kernels of the goldens: the published recipes.
fn golden_kernels() -> Vec<(String, Kernel)> {
    let apple = DeviceProfile::apple();
    let mut kernels: Vec<(String, Kernel)> = without_format(&apple)
        .into_iter()
        .map(|(name, kernel)| (name.to_owned(), kernel))
        .collect();
    let wanted = |name: &str, format: Format| match format {
        Format::F16 => ["embed", "hc_project", "hc_slices", "matvec", "matmul"].contains(&name),
        Format::Q8_0 => ["matvec", "matvec_few", "matmul", "matmul_matrices"].contains(&name),
        Format::Iq2Xxs => ["expert_gate_up", "expert_matmul", "expert_matrices"].contains(&name),
        Format::Q2K => ["expert_down", "expert_matmul", "expert_matrices"].contains(&name),
        Format::Q4K => ["expert_gate_up", "expert_down"].contains(&name),
        Format::F32 | Format::Bf16 | Format::Mxfp4 => name == "matvec",
    };
    for (format_name, format) in FORMATS {
        for (name, kernel) in of_format(&apple, format, true) {
            if wanted(name, format) {
                kernels.push((format!("{name}_{format_name}"), kernel));
            }
        }
    }
    kernels
}

fn goldens() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/goldens"))
}

#[test]
fn metal_text_is_that_of_the_goldens() {
    let mut changed = Vec::new();
    for (name, kernel) in golden_kernels() {
        let text = metal(&name, &kernel);
        let golden = std::fs::read_to_string(goldens().join(format!("{name}.metal")));
        if golden.is_ok_and(|golden| golden == text) {
            continue;
        }
        let new = goldens().join(format!("{name}.metal.new"));
        std::fs::write(&new, text).expect("the folder can be written");
        changed.push(name);
    }
    assert!(changed.is_empty(), "read goldens/*.metal.new, then rename them: {changed:?}");
    let n_files = std::fs::read_dir(goldens()).expect("goldens are committed").count();
    assert_eq!(n_files, golden_kernels().len(), "goldens/ holds a file for each kernel");
}
