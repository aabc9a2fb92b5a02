//! Routing and the experts.
//!
//! The shared expert is a stack of one, to which a fixed routing sends every token.

use backend::{ExpertWeights, RouterChoice, RouterParams};

use crate::Gpu;
use crate::buffers::{Buffer, Scratch};
use crate::encode::{Binding, Context};
use crate::linear::{
    MATVEC_TOKENS, Rows, TILE_ROWS, WORKGROUP, activations, is_aligned, product, reduction, team,
};
use crate::memory::{Routing, Tensor};
use crate::pipelines::Kernel;
use crate::profile::DeviceProfile;
use crate::weights::{Format, Weight};

/// Choices in a tile of an expert's product: a prefill chunk brings each expert about a dozen.
const TILE_CHOICES: usize = 32;
/// Experts per token that the router's first threads can copy.
const MAX_CHOSEN: usize = 64;
/// Threads of a workgroup where each takes a channel.
const CHANNELS: usize = 256;

/// How a routing kernel chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choosing {
    Learned { has_bias: bool },
    Hashed,
}

pub(crate) fn route_kernel(n_experts: usize, n_chosen: usize, choosing: Choosing) -> Kernel {
    let mut constants = vec![("N_EXPERTS", n_experts as u32), ("N_CHOSEN", n_chosen as u32)];
    let choose = match choosing {
        Choosing::Learned { has_bias } => {
            constants.push(("HAS_BIAS", u32::from(has_bias)));
            include_str!("shaders/route_learned.wgsl")
        }
        Choosing::Hashed => include_str!("shaders/route_hashed.wgsl"),
    };
    let parts = vec![choose.into(), include_str!("shaders/route.wgsl").into()];
    Kernel { name: "route", constants, parts }
}

pub(crate) fn route(
    context: &mut Context,
    out: &mut Routing,
    x: &Tensor,
    gate: &Weight,
    choice: &RouterChoice<'_, Gpu>,
    params: &RouterParams,
) {
    let (n_experts, n_chosen) = (gate.n_rows(), params.n_experts_per_token);
    assert_eq!(out.n_experts_per_token, n_chosen, "experts per token");
    assert!(x.n_rows <= out.capacity && n_chosen <= n_experts.min(MAX_CHOSEN), "room");
    let logits = context.scratch(Scratch::RouterLogits, x.n_rows * n_experts);
    let logit_rows = Rows { buffer: &logits, width: n_experts };
    product(context, logit_rows, x.into(), gate, 1, x.n_rows);
    let mut bindings =
        vec![Binding::Write(&out.experts), Binding::Write(&out.weights), Binding::Read(&logits)];
    let bias;
    let choosing = match choice {
        RouterChoice::Learned { bias: given } => {
            bias = given.map_or_else(|| logits.clone(), |bias| bias.values(context).clone());
            assert!(given.is_none_or(|bias| bias.n_values() == n_experts), "bias");
            bindings.push(Binding::Read(&bias));
            Choosing::Learned { has_bias: given.is_some() }
        }
        RouterChoice::Hashed { table, tokens } => {
            assert_eq!(table.columns(), n_chosen, "experts per token id");
            assert_eq!(tokens.n_tokens, x.n_rows, "rows in use");
            bindings.push(Binding::Read(&tokens.buffer));
            bindings.push(Binding::Read(table.integers()));
            Choosing::Hashed
        }
    };
    let kernel = route_kernel(n_experts, n_chosen, choosing);
    let parameters = [params.scale.to_bits()];
    context.dispatch(&kernel, &bindings, &parameters, [x.n_rows as u32, 1, 1]);
}

/// Which token goes to which experts, and how many there are.
#[derive(Clone, Copy)]
struct Routed<'a> {
    experts: &'a Buffer,
    weights: &'a Buffer,
    n_chosen: usize,
    n_experts: usize,
}

pub(crate) fn routed_experts(
    context: &mut Context,
    out: &mut Tensor,
    x: &Tensor,
    routing: &Routing,
    experts: &ExpertWeights<'_, Weight>,
    limit: f32,
) {
    assert!(x.n_rows <= routing.capacity, "the routing holds the tokens");
    let routed = Routed {
        experts: &routing.experts,
        weights: &routing.weights,
        n_chosen: routing.n_experts_per_token,
        n_experts: experts.gate.n_rows() / experts.gate.rows_per_expert(),
    };
    run_experts(context, out, x, routed, experts, limit, false);
}

pub(crate) fn shared_expert(
    context: &mut Context,
    out: &mut Tensor,
    x: &Tensor,
    expert: &ExpertWeights<'_, Weight>,
    limit: f32,
) {
    assert_eq!(expert.gate.n_rows(), expert.gate.rows_per_expert(), "one expert");
    let [experts, weights] = context.routing_to_one(x.n_rows);
    let routed = Routed { experts: &experts, weights: &weights, n_chosen: 1, n_experts: 1 };
    run_experts(context, out, x, routed, expert, limit, true);
}

fn run_experts(
    context: &mut Context,
    out: &Tensor,
    x: &Tensor,
    routed: Routed<'_>,
    experts: &ExpertWeights<'_, Weight>,
    limit: f32,
    adds: bool,
) {
    let ExpertWeights { gate, up, down } = experts;
    assert_eq!(out.n_rows, x.n_rows, "rows in use");
    assert_eq!((gate.columns(), up.columns()), (x.width, x.width), "columns");
    assert_eq!((gate.n_rows(), gate.rows_per_expert()), (up.n_rows(), up.rows_per_expert()));
    assert_eq!(down.columns(), gate.rows_per_expert(), "width of an expert");
    assert_eq!(down.n_rows(), routed.n_experts * down.rows_per_expert(), "experts");
    assert_eq!(down.rows_per_expert(), out.width, "rows of the result");
    if x.n_rows <= MATVEC_TOKENS {
        let hidden = gate_up(context, x, routed, (gate, up), limit);
        sum_down(context, out, &hidden, routed, down, adds);
    } else {
        run_tiled(context, out, x, routed, experts, limit, adds);
    }
}

pub(crate) fn gate_up_kernel(
    profile: &DeviceProfile,
    (gate, up): (Format, Format),
    n_groups: usize,
    aligned: bool,
) -> Kernel {
    const FIRST: u32 = 4;
    let (constants, reduction) = reduction(profile, team(n_groups), 2);
    let parts = vec![
        activations(aligned),
        gate.part("gate", FIRST),
        up.part("up", FIRST + gate.n_bindings()),
        reduction,
        include_str!("shaders/swiglu.wgsl").into(),
        include_str!("shaders/expert_gate_up.wgsl").into(),
    ];
    Kernel { name: "expert_gate_up", constants, parts }
}

/// Hidden values `[n, n_chosen, width]` of a few tokens.
fn gate_up(
    context: &mut Context,
    x: &Tensor,
    routed: Routed<'_>,
    (gate, up): (&Weight, &Weight),
    limit: f32,
) -> Buffer {
    let n_rows = gate.rows_per_expert();
    let n_choices = x.n_rows * routed.n_chosen;
    let hidden = context.scratch(Scratch::ExpertGate, n_choices * n_rows);
    let formats = (gate.format(), up.format());
    let aligned = is_aligned(x.width, x.width);
    let kernel = gate_up_kernel(&context.device.profile, formats, gate.groups(), aligned);
    let mut bindings = vec![
        Binding::Write(&hidden),
        Binding::Read(&x.buffer),
        Binding::Read(routed.experts),
        Binding::Read(routed.weights),
    ];
    bindings.extend(gate.buffers().iter().chain(up.buffers()).map(Binding::Read));
    let parameters = [
        n_rows as u32,
        x.width as u32,
        gate.groups() as u32,
        routed.n_chosen as u32,
        limit.to_bits(),
    ];
    let rows_per_workgroup = WORKGROUP / team(gate.groups());
    let grid = [n_rows.div_ceil(rows_per_workgroup) as u32, n_choices as u32, 1];
    context.dispatch(&kernel, &bindings, &parameters, grid);
    hidden
}

pub(crate) fn down_kernel(
    profile: &DeviceProfile,
    format: Format,
    n_groups: usize,
    aligned: bool,
) -> Kernel {
    let (constants, reduction) = reduction(profile, team(n_groups), 1);
    let parts = vec![
        activations(aligned),
        format.part("weight", 3),
        reduction,
        include_str!("shaders/expert_down.wgsl").into(),
    ];
    Kernel { name: "expert_down", constants, parts }
}

fn sum_down(
    context: &mut Context,
    out: &Tensor,
    hidden: &Buffer,
    routed: Routed<'_>,
    down: &Weight,
    adds: bool,
) {
    let (columns, n_groups) = (down.columns(), down.groups());
    let aligned = is_aligned(columns, columns);
    let kernel = down_kernel(&context.device.profile, down.format(), n_groups, aligned);
    let mut bindings =
        vec![Binding::Write(&out.buffer), Binding::Read(hidden), Binding::Read(routed.experts)];
    bindings.extend(down.buffers().iter().map(Binding::Read));
    let parameters = [out.width, columns, n_groups, routed.n_chosen, usize::from(adds)];
    let rows_per_workgroup = WORKGROUP / team(n_groups);
    let grid = [out.width.div_ceil(rows_per_workgroup) as u32, out.n_rows as u32, 1];
    context.dispatch(&kernel, &bindings, &parameters.map(|word| word as u32), grid);
}

pub(crate) fn lists_kernel(n_experts: usize) -> Kernel {
    let constants = vec![("N_EXPERTS", n_experts as u32), ("TOKENS", TILE_CHOICES as u32)];
    let parts = vec![include_str!("shaders/expert_lists.wgsl").into()];
    Kernel { name: "expert_lists", constants, parts }
}

pub(crate) fn tiled_kernel(format: Format, aligned: bool) -> Kernel {
    let parts = vec![
        include_str!("shaders/matmul_experts.wgsl").into(),
        activations(aligned),
        format.part("weight", 3),
        include_str!("shaders/matmul.wgsl").into(),
    ];
    Kernel { name: "expert_matmul", constants: vec![("TOKENS", TILE_CHOICES as u32)], parts }
}

pub(crate) fn hidden_kernel() -> Kernel {
    let parts = vec![
        include_str!("shaders/swiglu.wgsl").into(),
        include_str!("shaders/expert_hidden.wgsl").into(),
    ];
    Kernel { name: "expert_hidden", constants: Vec::new(), parts }
}

pub(crate) fn sum_kernel() -> Kernel {
    let parts = vec![include_str!("shaders/expert_sum.wgsl").into()];
    Kernel { name: "expert_sum", constants: Vec::new(), parts }
}

/// Choices sorted by expert, cut into tiles.
struct Lists {
    buffer: Buffer,
    max_tiles: usize,
}

fn make_lists(context: &mut Context, routed: Routed<'_>, n_choices: usize) -> Lists {
    // Every expert that is chosen may have one tile that is not full.
    let max_tiles = n_choices / TILE_CHOICES + n_choices.min(routed.n_experts);
    let buffer = context.scratch(Scratch::ExpertLists, 3 * max_tiles + n_choices);
    let bindings = [Binding::Write(&buffer), Binding::Read(routed.experts)];
    let parameters = [n_choices as u32, max_tiles as u32];
    context.dispatch(&lists_kernel(routed.n_experts), &bindings, &parameters, [1, 1, 1]);
    Lists { buffer, max_tiles }
}

/// One matrix of the experts times the choices that go to them, row by row of choices.
fn tiled_product(
    context: &mut Context,
    out: &Buffer,
    x: Rows<'_>,
    weight: &Weight,
    lists: &Lists,
    choices_per_row: usize,
) {
    let n_rows = weight.rows_per_expert();
    let kernel = tiled_kernel(weight.format(), is_aligned(weight.columns(), x.width));
    let mut bindings =
        vec![Binding::Write(out), Binding::Read(x.buffer), Binding::Read(&lists.buffer)];
    bindings.extend(weight.buffers().iter().map(Binding::Read));
    let parameters = [
        n_rows,
        weight.columns(),
        weight.groups(),
        x.width,
        n_rows,
        choices_per_row,
        lists.max_tiles,
    ];
    let grid = [n_rows.div_ceil(TILE_ROWS) as u32, lists.max_tiles as u32, 1];
    context.dispatch(&kernel, &bindings, &parameters.map(|word| word as u32), grid);
}

/// Experts of many tokens: each expert's matrix meets all its tokens.
fn run_tiled(
    context: &mut Context,
    out: &Tensor,
    x: &Tensor,
    routed: Routed<'_>,
    experts: &ExpertWeights<'_, Weight>,
    limit: f32,
    adds: bool,
) {
    let n_choices = x.n_rows * routed.n_chosen;
    let width = experts.gate.rows_per_expert();
    let lists = make_lists(context, routed, n_choices);
    let gate = context.scratch(Scratch::ExpertGate, n_choices * width);
    let up = context.scratch(Scratch::ExpertUp, n_choices * width);
    tiled_product(context, &gate, x.into(), experts.gate, &lists, routed.n_chosen);
    tiled_product(context, &up, x.into(), experts.up, &lists, routed.n_chosen);
    let bindings = [Binding::Write(&gate), Binding::Read(&up), Binding::Read(routed.weights)];
    let grid = [width.div_ceil(CHANNELS) as u32, n_choices as u32, 1];
    context.dispatch(&hidden_kernel(), &bindings, &[width as u32, limit.to_bits()], grid);

    let down = context.scratch(Scratch::ExpertDown, n_choices * out.width);
    let hidden = Rows { buffer: &gate, width };
    tiled_product(context, &down, hidden, experts.down, &lists, 1);
    let bindings = [Binding::Write(&out.buffer), Binding::Read(&down)];
    let parameters = [out.width as u32, routed.n_chosen as u32, u32::from(adds)];
    let grid = [out.width.div_ceil(CHANNELS) as u32, out.n_rows as u32, 1];
    context.dispatch(&sum_kernel(), &bindings, &parameters, grid);
}
