use backend::*; use crate::encode::Context; use crate::memory::*; use crate::weights::Weight;
pub(crate) fn route(_: &mut Context, _: &mut Routing, _: &Tensor, _: &Weight, _: &RouterChoice<'_, crate::Gpu>, _: &RouterParams) { panic!() }
pub(crate) fn routed_experts(_: &mut Context, _: &mut Tensor, _: &Tensor, _: &Routing, _: &ExpertWeights<'_, Weight>, _: f32) { panic!() }
pub(crate) fn shared_expert(_: &mut Context, _: &mut Tensor, _: &Tensor, _: &ExpertWeights<'_, Weight>, _: f32) { panic!() }
