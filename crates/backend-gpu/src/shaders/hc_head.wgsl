// Collapses the streams in front of the output head: a thread for each channel.
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    collapse(workgroup.y, workgroup.x * 256u + thread, inverse_rms(workgroup.y));
}
