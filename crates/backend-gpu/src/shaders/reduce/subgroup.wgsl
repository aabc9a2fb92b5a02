// Sums over teams of TEAM consecutive threads, on devices whose subgroups have SUBGROUP threads.
//
// TEAM and SUBGROUP are powers of two. All threads of the workgroup call together.
var<workgroup> team_partials: array<f32, (WORKGROUP / SUBGROUP) * SUMS>;

// Replaces each of `values` by its sum over the thread's team.
fn team_sums(values: ptr<function, array<f32, SUMS>>, thread: u32) {
    for (var s = 0u; s < SUMS; s++) {
        var sum = (*values)[s];
        if TEAM >= SUBGROUP {
            sum = subgroupAdd(sum);
        } else {
            for (var far = TEAM / 2u; far > 0u; far >>= 1u) {
                sum += subgroupShuffleXor(sum, far);
            }
        }
        (*values)[s] = sum;
    }
    if TEAM > SUBGROUP {
        workgroupBarrier();
        if thread % SUBGROUP == 0u {
            for (var s = 0u; s < SUMS; s++) {
                team_partials[thread / SUBGROUP * SUMS + s] = (*values)[s];
            }
        }
        workgroupBarrier();
        let first = thread / TEAM * (TEAM / SUBGROUP);
        for (var s = 0u; s < SUMS; s++) {
            var sum = 0.0;
            for (var i = 0u; i < TEAM / SUBGROUP; i++) {
                sum += team_partials[(first + i) * SUMS + s];
            }
            (*values)[s] = sum;
        }
    }
}
