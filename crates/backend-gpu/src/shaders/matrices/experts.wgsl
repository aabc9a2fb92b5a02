// A workgroup for every tile that there may be; those that there are not have no choices.
@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    if lists[3u * workgroup.y + 2u] > 0u {
        multiply(workgroup, thread);
    }
}
