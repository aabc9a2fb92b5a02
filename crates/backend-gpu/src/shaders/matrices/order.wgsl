// A barrier that matrices in workgroup memory respect.
//
// For kernels with matrices the translator declares a memory model in which a barrier orders only what
// says that it takes part, and it does not say so for plain reads and writes: drivers may move them
// across (seen on an H200, as scores of rows that were not there yet). Atomics always take part. So every
// barrier reads one, which is 0, and what follows adds it to its indexes: an index that is not known
// before the barrier cannot be used before it.
var<workgroup> order: atomic<u32>;

// Once, before the first barrier.
fn begin_order(thread: u32) {
    if thread == 0u {
        atomicStore(&order, 0u);
    }
}

// Waits for all threads of the workgroup; returns 0.
fn barrier() -> u32 {
    workgroupBarrier();
    return atomicLoad(&order);
}
