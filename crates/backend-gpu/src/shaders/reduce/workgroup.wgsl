// Sums over teams of TEAM consecutive threads, through workgroup memory: for devices without
// subgroups, or whose subgroups have no fixed size.
//
// TEAM is a power of two. All threads of the workgroup call together.
var<workgroup> team_partials: array<f32, WORKGROUP * SUMS>;

// Replaces each of `values` by its sum over the thread's team.
fn team_sums(values: ptr<function, array<f32, SUMS>>, thread: u32) {
    workgroupBarrier();
    for (var s = 0u; s < SUMS; s++) {
        team_partials[s * WORKGROUP + thread] = (*values)[s];
    }
    for (var half = TEAM / 2u; half > 0u; half >>= 1u) {
        workgroupBarrier();
        if thread % TEAM < half {
            for (var s = 0u; s < SUMS; s++) {
                team_partials[s * WORKGROUP + thread] += team_partials[s * WORKGROUP + thread + half];
            }
        }
    }
    workgroupBarrier();
    for (var s = 0u; s < SUMS; s++) {
        (*values)[s] = team_partials[s * WORKGROUP + thread / TEAM * TEAM];
    }
}
