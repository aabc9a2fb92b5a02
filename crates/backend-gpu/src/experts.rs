//! Routing and the experts.
//!
//! The shared expert is a stack of one, to which a fixed routing sends every token.

use backend::{ExpertWeights, RouterChoice, RouterParams};

use crate::Gpu;
use crate::buffers::{Buffer, Scratch};
use crate::encode::{Binding, Context};
use crate::linear::{
    MATVEC_TOKENS, MatrixTiles, Rows, TILE_ROWS, WORKGROUP, activations, is_aligned, is_packable,
    product, reduction, team,
};
use crate::memory::{Routing, Tensor};
use crate::pipelines::{Kernel, Part};
use crate::profile::DeviceProfile;
use crate::weights::{Format, Weight};

/// Choices in a tile of an expert's product: a prefill chunk brings each expert about a dozen.
const TILE_CHOICES: usize = 32;
/// Choices of an expert on average from which on tiles of the dense product are worth it.
const WIDE_CHOICES: usize = 80;
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

impl<'a> Routed<'a> {
    fn of(routing: &'a Routing, experts: &ExpertWeights<'_, Weight>) -> Self {
        Self {
            experts: &routing.experts,
            weights: &routing.weights,
            n_chosen: routing.n_experts_per_token,
            n_experts: experts.gate.n_rows() / experts.gate.rows_per_expert(),
        }
    }
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
    let routed = Routed::of(routing, experts);
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
    if x.n_rows > MATVEC_TOKENS {
        return run_shared(context, out, x, expert, limit);
    }
    let [experts, weights] = context.routing_to_one(x.n_rows);
    let routed = Routed { experts: &experts, weights: &weights, n_chosen: 1, n_experts: 1 };
    run_experts(context, out, x, routed, expert, limit, true);
}

/// Both kinds, in two dispatches where the tokens are few and the experts are alike.
pub(crate) fn all_experts(
    context: &mut Context,
    out: &mut Tensor,
    x: &Tensor,
    routing: &Routing,
    (experts, shared): (&ExpertWeights<'_, Weight>, &ExpertWeights<'_, Weight>),
    limit: f32,
) {
    let few = FewTokens::of(x, experts, Some(shared));
    let shape = |experts: &ExpertWeights<'_, Weight>| {
        let ExpertWeights { gate, up, down } = experts;
        [gate, up, down].map(|weight| [weight.columns(), weight.rows_per_expert()])
    };
    if x.n_rows > MATVEC_TOKENS
        || shape(experts) != shape(shared)
        || few.n_bindings() > context.device.profile.storage_buffers
    {
        routed_experts(context, out, x, routing, experts, limit);
        shared_expert(context, out, x, shared, limit);
        return;
    }
    assert_eq!(out.n_rows, x.n_rows, "rows in use");
    assert!(x.n_rows <= routing.capacity, "the routing holds the tokens");
    assert_eq!(shared.gate.n_rows(), shared.gate.rows_per_expert(), "one expert");
    let ExpertWeights { gate, up, down } = experts;
    assert_eq!((gate.columns(), up.columns()), (x.width, x.width), "columns");
    assert_eq!(down.columns(), gate.rows_per_expert(), "width of an expert");
    assert_eq!(up.rows_per_expert(), gate.rows_per_expert(), "width of an expert");
    assert_eq!(down.rows_per_expert(), out.width, "rows of the result");
    let routed = Routed::of(routing, experts);
    run_few(context, out, x, routed, (experts, Some(shared)), limit, false);
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
        run_few(context, out, x, routed, (experts, None), limit, adds);
    } else {
        run_tiled(context, out, x, routed, experts, limit, adds);
    }
}

/// Experts of a few tokens: every choice's matrices are streamed past its token.
fn run_few(
    context: &mut Context,
    out: &Tensor,
    x: &Tensor,
    routed: Routed<'_>,
    experts: (&ExpertWeights<'_, Weight>, Option<&ExpertWeights<'_, Weight>>),
    limit: f32,
    adds: bool,
) {
    let few = FewTokens::of(x, experts.0, experts.1);
    let hidden = gate_up(context, x, routed, &few, experts, limit);
    sum_down(context, out, &hidden, routed, &few, experts, adds);
}

/// Bindings in front of the weights: output, activations in f32 and rounded, experts; gates also
/// have the experts' weights.
const GATE_BINDING: u32 = 6;
const DOWN_BINDING: u32 = 5;
/// Hidden values that a team makes at once.
const HIDDEN_ROWS: usize = 2;

/// What the kernels of a few tokens are built for.
#[derive(Clone, Copy)]
pub(crate) struct FewTokens {
    /// Formats of the routed experts' gate, up and down.
    pub(crate) routed: [Format; 3],
    /// Those of the expert that all tokens pass, where it runs with them.
    pub(crate) shared: Option<[Format; 3]>,
    /// Groups of a row of gate and up, and of down.
    pub(crate) n_groups: [usize; 2],
    /// How activations and hidden values may be read.
    pub(crate) aligned: [bool; 2],
    pub(crate) packable: [bool; 2],
}

impl FewTokens {
    fn of(
        x: &Tensor,
        routed: &ExpertWeights<'_, Weight>,
        shared: Option<&ExpertWeights<'_, Weight>>,
    ) -> Self {
        let formats = |experts: &ExpertWeights<'_, Weight>| {
            [experts.gate.format(), experts.up.format(), experts.down.format()]
        };
        let widths = [x.width, routed.down.columns()];
        Self {
            routed: formats(routed),
            shared: shared.map(formats),
            n_groups: [routed.gate.groups(), routed.down.groups()],
            aligned: widths.map(|width| is_aligned(width, width)),
            packable: widths.map(|width| is_packable(width, width)),
        }
    }

    fn packs(&self, profile: &DeviceProfile, input: usize, matrices: &[usize]) -> bool {
        let all = [Some(self.routed), self.shared];
        let mut formats =
            all.iter().flatten().flat_map(|formats| matrices.iter().map(|i| formats[*i]));
        profile.packed_dot && self.packable[input] && formats.any(Format::packs)
    }

    /// Whether activations are wanted as int8.
    fn packs_input(&self, profile: &DeviceProfile) -> bool {
        self.packs(profile, 0, &[0, 1])
    }

    /// Whether hidden values are.
    fn packs_hidden(&self, profile: &DeviceProfile) -> bool {
        self.packs(profile, 1, &[2])
    }

    /// Whether gates and ups of routed experts are read two groups at a time.
    fn pairs_groups(&self, profile: &DeviceProfile) -> bool {
        self.packs_input(profile) && self.routed[..2] == [Format::Iq2Xxs; 2]
    }

    /// Threads that share a row of gate and up: few, so that a workgroup makes whole blocks.
    fn gate_team(&self) -> usize {
        team(self.n_groups[0]).min(32)
    }

    /// Threads that share a row of down, whose experts come one after the other.
    fn down_team(&self) -> usize {
        if self.n_groups[1] >= 64 { 64 } else { team(self.n_groups[1]) }
    }

    fn gate_rows(&self) -> usize {
        WORKGROUP / self.gate_team() * HIDDEN_ROWS
    }

    /// Bindings of the larger of the two kernels.
    fn n_bindings(&self) -> u32 {
        let pair = |formats: [Format; 3]| formats[0].n_bindings() + formats[1].n_bindings();
        GATE_BINDING + pair(self.routed) + self.shared.map_or(0, pair) + 2
    }
}

/// Parts of a kernel that reads matrices: their names, in order, with their formats.
fn matrices(
    parts: &mut Vec<Part>,
    mut binding: u32,
    packed: bool,
    named: &[(&'static str, Option<Format>)],
) -> u32 {
    for (name, format) in named {
        let Some(format) = format else {
            parts.push(Part::weight(include_str!("shaders/expert_none.wgsl"), name, 0));
            continue;
        };
        parts.push(format.part(name, binding));
        parts.push(format.product_part(name, packed));
        binding += format.n_bindings();
    }
    binding
}

/// Texts that read activations.
fn inputs(aligned: bool, packed: bool) -> Vec<Part> {
    let mut parts = vec![activations(aligned)];
    if packed {
        parts.push(include_str!("shaders/activations_packed.wgsl").into());
        parts.push(include_str!("shaders/packed/dot.wgsl").into());
    }
    parts
}

pub(crate) fn gate_up_kernel(profile: &DeviceProfile, few: &FewTokens) -> Kernel {
    let (mut constants, reduction) = reduction(profile, few.gate_team(), 2 * HIDDEN_ROWS);
    constants.push(("ROWS", HIDDEN_ROWS as u32));
    constants.push(("GROUPS", few.n_groups[0] as u32));
    constants.push(("SHARED", u32::from(few.shared.is_some())));
    let packed = few.packs_input(profile);
    let mut parts = inputs(few.aligned[0], packed);
    let mut binding = GATE_BINDING;
    if few.pairs_groups(profile) {
        let rows = include_str!("shaders/expert_rows_iq2_xxs.wgsl");
        parts.push(Part::weight(rows, "routed", binding));
        binding += 2 * Format::Iq2Xxs.n_bindings();
    } else {
        let [gate, up, _] = few.routed.map(Some);
        let named = [("routed_gate", gate), ("routed_up", up)];
        binding = matrices(&mut parts, binding, packed, &named);
        parts.push(Part::weight(include_str!("shaders/expert_rows.wgsl"), "routed", 0));
    }
    let [gate, up, _] = few.shared.map_or([None; 3], |formats| formats.map(Some));
    let named = [("shared_gate", gate), ("shared_up", up)];
    let binding = matrices(&mut parts, binding, packed, &named);
    parts.push(Part::weight(include_str!("shaders/expert_rows.wgsl"), "shared", 0));
    if few.packs_hidden(profile) {
        parts.push(include_str!("shaders/packed/round.wgsl").into());
        parts.push(Part::weight(include_str!("shaders/expert_pack.wgsl"), "hidden", binding));
    } else {
        parts.push(include_str!("shaders/expert_pack_none.wgsl").into());
    }
    parts.extend([
        reduction,
        include_str!("shaders/swiglu.wgsl").into(),
        include_str!("shaders/expert_gate_up.wgsl").into(),
    ]);
    Kernel { name: "expert_gate_up", constants, parts }
}

/// Hidden values `[n, choices, width]` of a few tokens.
fn gate_up(
    context: &mut Context,
    x: &Tensor,
    routed: Routed<'_>,
    few: &FewTokens,
    (experts, shared): (&ExpertWeights<'_, Weight>, Option<&ExpertWeights<'_, Weight>>),
    limit: f32,
) -> Buffer {
    let (gate, up) = (experts.gate, experts.up);
    let n_rows = gate.rows_per_expert();
    let n_choices = x.n_rows * (routed.n_chosen + usize::from(shared.is_some()));
    let hidden = context.scratch(Scratch::ExpertGate, n_choices * n_rows);
    let kernel = gate_up_kernel(&context.device.profile, few);
    let packed = few
        .packs_input(&context.device.profile)
        .then(|| context.packed(&x.buffer, x.n_rows * x.width));
    let (quants, scales) =
        packed.as_ref().map_or((&x.buffer, &x.buffer), |packed| (&packed.quants, &packed.scales));
    let mut bindings = vec![
        Binding::Write(&hidden),
        Binding::Read(&x.buffer),
        Binding::Read(quants),
        Binding::Read(scales),
        Binding::Read(routed.experts),
        Binding::Read(routed.weights),
    ];
    bindings.extend(gate.buffers().iter().chain(up.buffers()).map(Binding::Read));
    if let Some(shared) = shared {
        let buffers = shared.gate.buffers().iter().chain(shared.up.buffers());
        bindings.extend(buffers.map(Binding::Read));
    }
    let packs = few.packs_hidden(&context.device.profile);
    let packed_hidden = packs.then(|| context.packed_room(&hidden));
    if let Some(packed) = &packed_hidden {
        bindings.extend([Binding::Write(&packed.quants), Binding::Write(&packed.scales)]);
    }
    let parameters = [n_rows as u32, x.width as u32, routed.n_chosen as u32, limit.to_bits()];
    let n_blocks = n_rows.div_ceil(few.gate_rows()) * (n_choices / x.n_rows);
    let grid = [n_blocks as u32, x.n_rows as u32, 1];
    context.dispatch(&kernel, &bindings, &parameters, grid);
    if packs {
        context.packed_is_current(&hidden, n_choices * n_rows);
    }
    hidden
}

pub(crate) fn down_kernel(profile: &DeviceProfile, few: &FewTokens) -> Kernel {
    let (mut constants, reduction) = reduction(profile, few.down_team(), 1);
    constants.push(("GROUPS", few.n_groups[1] as u32));
    constants.push(("SHARED", u32::from(few.shared.is_some())));
    let packed = few.packs_hidden(profile);
    let mut parts = inputs(few.aligned[1], packed);
    let named =
        [("down", Some(few.routed[2])), ("shared_down", few.shared.map(|formats| formats[2]))];
    matrices(&mut parts, DOWN_BINDING, packed, &named);
    let share = match few.routed[2] {
        Format::Q2K if packed => include_str!("shaders/expert_down_rows_q2_k.wgsl"),
        _ => include_str!("shaders/expert_down_rows.wgsl"),
    };
    parts.push(Part::weight(share, "down", 0));
    parts.extend([reduction, include_str!("shaders/expert_down.wgsl").into()]);
    Kernel { name: "expert_down", constants, parts }
}

fn sum_down(
    context: &mut Context,
    out: &Tensor,
    hidden: &Buffer,
    routed: Routed<'_>,
    few: &FewTokens,
    (experts, shared): (&ExpertWeights<'_, Weight>, Option<&ExpertWeights<'_, Weight>>),
    adds: bool,
) {
    let down = experts.down;
    let columns = down.columns();
    let kernel = down_kernel(&context.device.profile, few);
    let n_choices = out.n_rows * (routed.n_chosen + usize::from(shared.is_some()));
    let packed = few
        .packs_hidden(&context.device.profile)
        .then(|| context.packed(hidden, n_choices * columns));
    let (quants, scales) =
        packed.as_ref().map_or((hidden, hidden), |packed| (&packed.quants, &packed.scales));
    let mut bindings = vec![
        Binding::Write(&out.buffer),
        Binding::Read(hidden),
        Binding::Read(quants),
        Binding::Read(scales),
        Binding::Read(routed.experts),
    ];
    bindings.extend(down.buffers().iter().map(Binding::Read));
    if let Some(shared) = shared {
        bindings.extend(shared.down.buffers().iter().map(Binding::Read));
    }
    let parameters = [out.width, columns, routed.n_chosen, usize::from(adds)];
    let rows_per_workgroup = WORKGROUP / few.down_team();
    let grid = [out.width.div_ceil(rows_per_workgroup) as u32, out.n_rows as u32, 1];
    context.dispatch(&kernel, &bindings, &parameters.map(|word| word as u32), grid);
}

pub(crate) fn lists_kernel(n_experts: usize, tile_choices: usize) -> Kernel {
    let constants = vec![("N_EXPERTS", n_experts as u32), ("TOKENS", tile_choices as u32)];
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

/// A product of experts on matrix units.
pub(crate) fn matrix_kernel(tiles: MatrixTiles, format: Format) -> Kernel {
    let (constants, [matrices, product]) = tiles.parts();
    let [stored, begin] = format.tile_parts("weight", 3);
    let parts = vec![
        include_str!("shaders/matmul_experts.wgsl").into(),
        matrices,
        stored,
        begin,
        product,
        include_str!("shaders/matrices/experts.wgsl").into(),
    ];
    Kernel { name: "expert_matrices", constants, parts }
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
    /// Those of matrix units, where all three products run there.
    matrices: Option<MatrixTiles>,
}

fn make_lists(
    context: &mut Context,
    routed: Routed<'_>,
    n_choices: usize,
    matrices: Option<MatrixTiles>,
) -> Lists {
    let tile_choices = matrices.map_or(TILE_CHOICES, MatrixTiles::tokens);
    // Every expert that is chosen may have one tile that is not full.
    let max_tiles = n_choices / tile_choices + n_choices.min(routed.n_experts);
    let buffer = context.scratch(Scratch::ExpertLists, 3 * max_tiles + n_choices);
    let bindings = [Binding::Write(&buffer), Binding::Read(routed.experts)];
    let parameters = [n_choices as u32, max_tiles as u32];
    let kernel = lists_kernel(routed.n_experts, tile_choices);
    context.dispatch(&kernel, &bindings, &parameters, [1, 1, 1]);
    Lists { buffer, max_tiles, matrices }
}

/// One matrix of the experts times the choices that go to them, row by row of choices.
fn tiled_product(
    context: &mut Context,
    out: &Buffer,
    x: Rows<'_>,
    n_x_rows: usize,
    weight: &Weight,
    lists: &Lists,
    choices_per_row: usize,
) {
    let n_rows = weight.rows_per_expert();
    let (kernel, halves, tile_rows) = if let Some(tiles) = lists.matrices {
        let halves = context.halves(x.buffer, n_x_rows, x.width, tiles.planes());
        (matrix_kernel(tiles, weight.format()), Some(halves), tiles.rows())
    } else {
        let aligned = is_aligned(weight.columns(), x.width);
        (tiled_kernel(weight.format(), aligned), None, TILE_ROWS)
    };
    let x_buffer = halves.as_ref().unwrap_or(x.buffer);
    let mut bindings =
        vec![Binding::Write(out), Binding::Read(x_buffer), Binding::Read(&lists.buffer)];
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
    let grid = [n_rows.div_ceil(tile_rows) as u32, lists.max_tiles as u32, 1];
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
    let formats = [experts.gate.format(), experts.up.format(), experts.down.format()];
    let aligned = is_aligned(x.width, x.width) && is_aligned(width, width);
    let narrow = n_choices < WIDE_CHOICES * routed.n_experts;
    let matrices = MatrixTiles::of(&context.device.profile, &formats, aligned, narrow);
    let lists = make_lists(context, routed, n_choices, matrices);
    let gate = context.scratch(Scratch::ExpertGate, n_choices * width);
    let up = context.scratch(Scratch::ExpertUp, n_choices * width);
    tiled_product(context, &gate, x.into(), x.n_rows, experts.gate, &lists, routed.n_chosen);
    tiled_product(context, &up, x.into(), x.n_rows, experts.up, &lists, routed.n_chosen);
    make_hidden(context, &gate, &up, routed.weights, (n_choices, width), limit);
    let down = context.scratch(Scratch::ExpertDown, n_choices * out.width);
    let hidden = Rows { buffer: &gate, width };
    tiled_product(context, &down, hidden, n_choices, experts.down, &lists, 1);
    sum_choices(context, out, &down, routed.n_chosen, adds);
}

/// The expert that all tokens pass, added to `out`: three dense products.
fn run_shared(
    context: &mut Context,
    out: &Tensor,
    x: &Tensor,
    expert: &ExpertWeights<'_, Weight>,
    limit: f32,
) {
    let ExpertWeights { gate, up, down } = expert;
    assert_eq!(out.n_rows, x.n_rows, "rows in use");
    assert_eq!(down.columns(), gate.n_rows(), "width of the expert");
    let (n_tokens, width) = (x.n_rows, gate.n_rows());
    let gates = context.scratch(Scratch::ExpertGate, n_tokens * width);
    let ups = context.scratch(Scratch::ExpertUp, n_tokens * width);
    let hidden = Rows { buffer: &gates, width };
    product(context, hidden, x.into(), gate, 1, n_tokens);
    product(context, Rows { buffer: &ups, width }, x.into(), up, 1, n_tokens);
    let [_, weights] = context.routing_to_one(n_tokens);
    make_hidden(context, &gates, &ups, &weights, (n_tokens, width), limit);
    let results = context.scratch(Scratch::ExpertDown, n_tokens * out.width);
    product(context, Rows { buffer: &results, width: out.width }, hidden, down, 1, n_tokens);
    sum_choices(context, out, &results, 1, true);
}

/// Hidden values `[n_choices, width]` in place of the gate's.
fn make_hidden(
    context: &mut Context,
    gate: &Buffer,
    up: &Buffer,
    weights: &Buffer,
    (n_choices, width): (usize, usize),
    limit: f32,
) {
    let bindings = [Binding::Write(gate), Binding::Read(up), Binding::Read(weights)];
    let grid = [width.div_ceil(CHANNELS) as u32, n_choices as u32, 1];
    context.dispatch(&hidden_kernel(), &bindings, &[width as u32, limit.to_bits()], grid);
}

/// Sums the results of each token's choices.
fn sum_choices(context: &mut Context, out: &Tensor, down: &Buffer, n_chosen: usize, adds: bool) {
    let bindings = [Binding::Write(&out.buffer), Binding::Read(down)];
    let parameters = [out.width as u32, n_chosen as u32, u32::from(adds)];
    let grid = [out.width.div_ceil(CHANNELS) as u32, out.n_rows as u32, 1];
    context.dispatch(&sum_kernel(), &bindings, &parameters, grid);
}
