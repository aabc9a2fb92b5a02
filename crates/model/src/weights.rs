//! Every tensor of the model, bound to a backend under the name it has in the file.
//!
//! The whole directory is checked before anything is bound, so one look at the message shows all
//! that is wrong with a file. Fields keep the file's spelling: `grep` goes from file to code.

use backend::{Backend, ExpertWeights, HcWeights};
use gguf::{MappedFile, Tensor, TensorType};

use crate::error::{Error, Mismatch, Result};
use crate::geometry::Geometry;
use crate::tensors::{Role, TensorSpec, tensor_specs};

/// A hyper-connection site.
pub(crate) struct HyperConnection<W> {
    function: W,
    base: W,
    scale: W,
}

impl<W> HyperConnection<W> {
    pub(crate) fn weights(&self) -> HcWeights<'_, W> {
        HcWeights { function: &self.function, base: &self.base, scale: &self.scale }
    }
}

/// A compressor: of attention rows or of index rows.
pub(crate) struct Compressor<W> {
    pub(crate) ape: W,
    pub(crate) kv: W,
    pub(crate) gate: W,
    pub(crate) norm: W,
}

/// The lightning indexer of a ratio-4 layer.
pub(crate) struct Indexer<W> {
    pub(crate) attn_q_b: W,
    pub(crate) proj: W,
    pub(crate) compressor: Compressor<W>,
}

/// Gate, up and down of one expert or of a stack.
pub(crate) struct Experts<W> {
    gate: W,
    up: W,
    down: W,
}

impl<W> Experts<W> {
    pub(crate) fn weights(&self) -> ExpertWeights<'_, W> {
        ExpertWeights { gate: &self.gate, up: &self.up, down: &self.down }
    }
}

/// How a layer's experts are chosen.
pub(crate) enum Router<W> {
    /// `exp_probs_b`, which a file may leave out.
    Learned { bias: Option<W> },
    /// `ffn_gate_tid2eid`.
    Hashed { table: W },
}

pub(crate) struct Layer<W> {
    pub(crate) hc_attn: HyperConnection<W>,
    pub(crate) attn_norm: W,
    pub(crate) attn_q_a: W,
    pub(crate) attn_q_a_norm: W,
    pub(crate) attn_q_b: W,
    pub(crate) attn_kv: W,
    pub(crate) attn_kv_a_norm: W,
    pub(crate) attn_sinks: W,
    pub(crate) attn_output_a: W,
    pub(crate) attn_output_b: W,
    pub(crate) compressor: Option<Compressor<W>>,
    pub(crate) indexer: Option<Indexer<W>>,
    pub(crate) hc_ffn: HyperConnection<W>,
    pub(crate) ffn_norm: W,
    pub(crate) ffn_gate_inp: W,
    pub(crate) router: Router<W>,
    pub(crate) ffn_exps: Experts<W>,
    pub(crate) ffn_shexp: Experts<W>,
}

impl<W> Layer<W> {
    /// The large weights that every token reads, in the order in which they are read.
    pub(crate) fn dense(&self) -> impl Iterator<Item = &W> {
        let compressors = self.indexer.iter().map(|indexer| &indexer.compressor);
        let compressors = self.compressor.iter().chain(compressors);
        [&self.hc_attn.function, &self.attn_q_a, &self.attn_kv, &self.attn_q_b]
            .into_iter()
            .chain(compressors.flat_map(|compressor| [&compressor.kv, &compressor.gate]))
            .chain(self.indexer.iter().map(|indexer| &indexer.attn_q_b))
            .chain([&self.attn_output_a, &self.attn_output_b, &self.hc_ffn.function])
            .chain([&self.ffn_shexp.gate, &self.ffn_shexp.up, &self.ffn_shexp.down])
    }
}

pub(crate) struct Weights<W> {
    pub(crate) token_embd: W,
    pub(crate) layers: Vec<Layer<W>>,
    pub(crate) output_hc: HyperConnection<W>,
    pub(crate) output_norm: W,
    pub(crate) output: W,
}

impl<W> Weights<W> {
    /// The large weights of a layer that every token reads; behind the last layer, those of the
    /// output head.
    pub(crate) fn dense(&self, layer: usize) -> impl Iterator<Item = &W> {
        let head = (layer == self.layers.len()).then_some(&self.output);
        self.layers.get(layer).into_iter().flat_map(Layer::dense).chain(head)
    }
}

/// Compares a file's directory with the geometry.
///
/// # Errors
/// If anything is missing or different; all mismatches at once.
pub(crate) fn check(file: &MappedFile, geometry: &Geometry) -> Result<()> {
    let mut mismatches = Vec::new();
    for spec in tensor_specs(geometry) {
        match file.tensor(&spec.name) {
            None if spec.optional => {}
            None => mismatches.push(Mismatch::Missing { tensor: spec.name }),
            Some(tensor) => mismatches.extend(compare(&spec, &tensor, geometry)),
        }
    }
    if mismatches.is_empty() { Ok(()) } else { Err(Error::Tensors(mismatches)) }
}

fn compare(spec: &TensorSpec, tensor: &Tensor, geometry: &Geometry) -> Option<Mismatch> {
    if tensor.dims != spec.dims {
        return Some(Mismatch::Shape {
            tensor: spec.name.clone(),
            expected: spec.dims.clone(),
            found: tensor.dims.clone(),
        });
    }
    let accepted = spec.role.accepted();
    if !accepted.contains(&tensor.kind) {
        let accepted: Vec<String> = accepted.iter().map(TensorType::to_string).collect();
        return Some(Mismatch::Type {
            tensor: spec.name.clone(),
            found: tensor.kind.to_string(),
            accepted: accepted.join(", "),
        });
    }
    if spec.role == Role::HashTable {
        return check_expert_ids(tensor, geometry.n_experts);
    }
    None
}

/// Expert ids are used as indexes without a check in the token loop, so they are proven here.
fn check_expert_ids(table: &Tensor, n_experts: usize) -> Option<Mismatch> {
    let ids = table.decode_i32().expect("the type was compared before");
    let wrong =
        ids.iter().position(|id| usize::try_from(*id).map_or(true, |id| id >= n_experts))?;
    Some(Mismatch::Expert {
        tensor: table.name.clone(),
        token: wrong / table.columns(),
        expert: i64::from(ids[wrong]),
        n_experts,
    })
}

/// Binds checked tensors by name, under a layer's prefix.
struct Binder<'a, B: Backend> {
    backend: &'a mut B,
    file: &'a MappedFile,
    prefix: String,
    bound_bytes: u64,
    on_progress: &'a mut dyn FnMut(u64),
}

impl<B: Backend> Binder<'_, B> {
    fn optional(&mut self, name: &str) -> Result<Option<B::Weight>> {
        let Some(tensor) = self.file.tensor(&format!("{}{name}", self.prefix)) else {
            return Ok(None);
        };
        let weight = self
            .backend
            .bind(&tensor)
            .map_err(|source| Error::Backend { backend: self.backend.name(), source })?;
        self.bound_bytes += tensor.data.len() as u64;
        (self.on_progress)(self.bound_bytes);
        Ok(Some(weight))
    }

    fn bind(&mut self, name: &str) -> Result<B::Weight> {
        let missing = || Mismatch::Missing { tensor: format!("{}{name}", self.prefix) };
        let missing = missing();
        self.optional(name)?.ok_or_else(|| Error::Tensors(vec![missing]))
    }

    fn hyper_connection(&mut self, site: &str) -> Result<HyperConnection<B::Weight>> {
        Ok(HyperConnection {
            function: self.bind(&format!("{site}_fn.weight"))?,
            base: self.bind(&format!("{site}_base.weight"))?,
            scale: self.bind(&format!("{site}_scale.weight"))?,
        })
    }

    fn compressor(&mut self, site: &str) -> Result<Compressor<B::Weight>> {
        Ok(Compressor {
            ape: self.bind(&format!("{site}_ape.weight"))?,
            kv: self.bind(&format!("{site}_kv.weight"))?,
            gate: self.bind(&format!("{site}_gate.weight"))?,
            norm: self.bind(&format!("{site}_norm.weight"))?,
        })
    }

    fn indexer(&mut self) -> Result<Indexer<B::Weight>> {
        Ok(Indexer {
            attn_q_b: self.bind("indexer.attn_q_b.weight")?,
            proj: self.bind("indexer.proj.weight")?,
            compressor: self.compressor("indexer_compressor")?,
        })
    }

    fn experts(&mut self, suffix: &str) -> Result<Experts<B::Weight>> {
        Ok(Experts {
            gate: self.bind(&format!("ffn_gate_{suffix}.weight"))?,
            up: self.bind(&format!("ffn_up_{suffix}.weight"))?,
            down: self.bind(&format!("ffn_down_{suffix}.weight"))?,
        })
    }

    fn router(&mut self, hashed: bool) -> Result<Router<B::Weight>> {
        Ok(if hashed {
            Router::Hashed { table: self.bind("ffn_gate_tid2eid.weight")? }
        } else {
            Router::Learned { bias: self.optional("exp_probs_b.bias")? }
        })
    }

    fn layer(&mut self, geometry: &Geometry, layer: usize) -> Result<Layer<B::Weight>> {
        self.prefix = format!("blk.{layer}.");
        let compressed = geometry.compress_ratios[layer] > 0;
        Ok(Layer {
            hc_attn: self.hyper_connection("hc_attn")?,
            attn_norm: self.bind("attn_norm.weight")?,
            attn_q_a: self.bind("attn_q_a.weight")?,
            attn_q_a_norm: self.bind("attn_q_a_norm.weight")?,
            attn_q_b: self.bind("attn_q_b.weight")?,
            attn_kv: self.bind("attn_kv.weight")?,
            attn_kv_a_norm: self.bind("attn_kv_a_norm.weight")?,
            attn_sinks: self.bind("attn_sinks.weight")?,
            attn_output_a: self.bind("attn_output_a.weight")?,
            attn_output_b: self.bind("attn_output_b.weight")?,
            compressor: compressed.then(|| self.compressor("attn_compressor")).transpose()?,
            indexer: geometry.has_indexer(layer).then(|| self.indexer()).transpose()?,
            hc_ffn: self.hyper_connection("hc_ffn")?,
            ffn_norm: self.bind("ffn_norm.weight")?,
            ffn_gate_inp: self.bind("ffn_gate_inp.weight")?,
            router: self.router(layer < geometry.n_hash_layers)?,
            ffn_exps: self.experts("exps")?,
            ffn_shexp: self.experts("shexp")?,
        })
    }
}

/// Checks the file against the geometry, then binds every tensor.
///
/// `on_progress` hears the bytes bound so far.
///
/// # Errors
/// If the file does not fit the geometry, or the backend cannot take a tensor.
pub(crate) fn bind<B: Backend>(
    backend: &mut B,
    file: &MappedFile,
    geometry: &Geometry,
    on_progress: &mut dyn FnMut(u64),
) -> Result<Weights<B::Weight>> {
    check(file, geometry)?;
    let mut binder = Binder { backend, file, prefix: String::new(), bound_bytes: 0, on_progress };
    let token_embd = binder.bind("token_embd.weight")?;
    let layers: Result<Vec<_>> =
        (0..geometry.n_layers).map(|layer| binder.layer(geometry, layer)).collect();
    let layers = layers?;
    binder.prefix = String::new();
    Ok(Weights {
        token_embd,
        layers,
        output_hc: binder.hyper_connection("output_hc")?,
        output_norm: binder.bind("output_norm.weight")?,
        output: binder.bind("output.weight")?,
    })
}
