use backend::*; use crate::encode::Context; use crate::memory::*; use crate::weights::Weight;
pub(crate) struct Compressor<'a> { pub(crate) ape: &'a Weight, pub(crate) gain: &'a Weight, pub(crate) rotation: &'a Rotation, pub(crate) params: &'a CompressParams }
pub(crate) fn store_kv(_: &mut Context, _: &mut KvRows, _: &Tensor, _: Run) { panic!() }
pub(crate) fn compress(_: &mut Context, _: &mut KvRows, _: &mut CompressorState<Tensor>, _: &Tensor, _: &Tensor, _: &Compressor, _: Run) { panic!() }
