//! Files that do not fit: everything wrong is named at once, in a sentence.

use crate::support::{Fixture, all_f32, nano};
use backend::KvRounding;
use backend::reference::Reference;
use gguf::{TensorType, Value};
use model::{Model, Options};

/// Loads a changed nano model and compares the message.
fn check(change: impl FnOnce(&mut Fixture), expected: &str) {
    let mut fixture = Fixture::new(&nano(), all_f32, 1);
    change(&mut fixture);
    let options = Options::new(8, KvRounding::Applied);
    let loaded = Model::load(Reference, &fixture.write(), options, &mut |_| ());
    let error = loaded.err().expect("the file is refused");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_sound_file_loads_and_reports_every_byte() {
    let fixture = Fixture::new(&nano(), all_f32, 1);
    let options = Options::new(8, KvRounding::Applied);
    let mut bound = 0;
    Model::load(Reference, &fixture.write(), options, &mut |bytes| bound = bytes).unwrap();
    assert_eq!(bound, fixture.tensors.iter().map(|t| t.data.len() as u64).sum::<u64>());
}

#[test]
fn another_architecture_is_refused_by_name() {
    check(
        |f| f.set("general.architecture", Value::from("llama".to_owned())),
        "the file holds a `llama` model; ironstar runs DeepSeek V4 Flash (`deepseek4`) and nothing else",
    );
    check(
        |f| f.set("general.architecture", Value::from("deepseek_v41".to_owned())),
        "the file holds DeepSeek V4.1 (`deepseek_v41`), another architecture than V4 (`deepseek4`), which is the one ironstar runs",
    );
}

#[test]
fn metadata_that_contradicts_itself_is_listed() {
    check(
        |f| {
            f.set("deepseek4.rope.dimension_count", Value::U32(15));
            f.set("deepseek4.expert_used_count", Value::U32(9));
            f.set("deepseek4.attention.head_count_kv", Value::U32(2));
        },
        "the file's metadata does not fit together: an odd number of rotated channels; \
         the channels that are not rotated must be a multiple of 64; more experts used than there are; \
         attention.head_count_kv is 2, only 1 is implemented",
    );
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    check(
        |f| f.set("deepseek4.embedding_length", Value::U64(u64::MAX)),
        "the file's metadata does not fit together: a dimension is 0 or absurd",
    );
}

#[test]
fn all_tensor_mismatches_are_reported_at_once() {
    check(
        |f| {
            f.remove("blk.2.attn_kv.weight");
            let wrong = f.tensor_mut("blk.3.attn_q_a.weight");
            wrong.dims = vec![32, 64];
            let wrong = f.tensor_mut("output.weight");
            wrong.kind = TensorType::I32;
        },
        "the file's tensors do not fit its metadata: blk.2.attn_kv.weight is missing; \
         blk.3.attn_q_a.weight has shape [32, 64], expected [64, 32]; \
         output.weight is stored as I32, accepted are F32, F16, BF16, Q8_0, Q4_K",
    );
}

#[test]
fn a_long_list_is_cut() {
    let mut fixture = Fixture::new(&nano(), all_f32, 1);
    fixture.tensors.retain(|tensor| !tensor.name.starts_with("blk."));
    let options = Options::new(8, KvRounding::Applied);
    let error = Model::load(Reference, &fixture.write(), options, &mut |_| ()).err().unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with(
            "the file's tensors do not fit its metadata: blk.0.hc_attn_fn.weight is missing;"
        ),
        "{text}"
    );
    assert!(text.ends_with("more") && text.len() < 500, "{text}");
}

#[test]
fn hash_tables_are_proven_once() {
    check(
        |f| {
            let table = f.tensor_mut("blk.0.ffn_gate_tid2eid.weight");
            let mut bytes = table.data.to_vec();
            bytes[4 * 3 * 7..][..4].copy_from_slice(&(-1i32).to_le_bytes());
            table.data = bytes.into();
        },
        "the file's tensors do not fit its metadata: \
         blk.0.ffn_gate_tid2eid.weight sends token 7 to expert -1, there are 8 experts",
    );
}

#[test]
fn the_router_bias_may_be_absent() {
    let mut fixture = Fixture::new(&nano(), all_f32, 1);
    fixture.remove("blk.3.exp_probs_b.bias");
    let options = Options::new(8, KvRounding::Applied);
    assert!(Model::load(Reference, &fixture.write(), options, &mut |_| ()).is_ok());
}
