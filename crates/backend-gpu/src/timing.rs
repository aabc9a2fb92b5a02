//! Time of kernels on the device, measured there.
//!
//! While kernels are timed, each dispatch is a pass of its own with a timestamp at both ends, and
//! every submission is waited for. The sum is what kernels take one by one; together they overlap
//! a little.

use std::collections::HashMap;

use backend::KernelTime;

use crate::device::Device;

/// Timestamps of a submission at most: two a dispatch.
const MAX_TIMESTAMPS: u32 = 4096;
const TIMESTAMP_BYTES: u64 = 8;

/// Sums by kernel and grid, and the means to fill them.
pub(crate) struct Timing {
    timestamps: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// Nanoseconds of a tick.
    period: f64,
    /// What was dispatched since the last submission.
    pending: Vec<String>,
    sums: HashMap<String, (u64, f64)>,
}

impl Timing {
    /// `None` if the device has no timestamps.
    pub(crate) fn new(device: &Device) -> Option<Self> {
        use wgpu::BufferUsages as Usage;
        if !device.raw.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let buffer = |usage| {
            device.raw.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: TIMESTAMP_BYTES * u64::from(MAX_TIMESTAMPS),
                usage,
                mapped_at_creation: false,
            })
        };
        Some(Self {
            timestamps: device.raw.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: MAX_TIMESTAMPS,
            }),
            resolved: buffer(Usage::QUERY_RESOLVE | Usage::COPY_SRC),
            staging: buffer(Usage::MAP_READ | Usage::COPY_DST),
            period: f64::from(device.queue.get_timestamp_period()),
            pending: Vec::new(),
            sums: HashMap::new(),
        })
    }

    /// Begins a pass for one dispatch.
    pub(crate) fn begin(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        kernel: &str,
        grid: [u32; 3],
    ) -> wgpu::ComputePass<'static> {
        let first = 2 * self.pending.len() as u32;
        self.pending.push(format!("{kernel} {}x{}x{}", grid[0], grid[1], grid[2]));
        let timestamp_writes = Some(wgpu::ComputePassTimestampWrites {
            query_set: &self.timestamps,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        });
        let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
        encoder.begin_compute_pass(&descriptor).forget_lifetime()
    }

    /// Records that the timestamps leave the device; the passes have ended.
    pub(crate) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        let n = 2 * self.pending.len() as u32;
        if n > 0 {
            encoder.resolve_query_set(&self.timestamps, 0..n, &self.resolved, 0);
            let bytes = TIMESTAMP_BYTES * u64::from(n);
            encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, bytes);
        }
    }

    /// Waits for the submission and adds its times up. A device that fails says so to whoever waits
    /// next.
    pub(crate) fn collect(&mut self, device: &Device) {
        let pending = std::mem::take(&mut self.pending);
        let bytes = 2 * TIMESTAMP_BYTES * pending.len() as u64;
        if bytes == 0 {
            return;
        }
        self.staging.map_async(wgpu::MapMode::Read, 0..bytes, |_| ());
        if device.wait().is_err() {
            return;
        }
        if let Ok(mapped) = self.staging.slice(0..bytes).get_mapped_range() {
            let ticks: &[u64] = bytemuck::cast_slice(&mapped);
            for (name, ticks) in pending.into_iter().zip(ticks.as_chunks::<2>().0) {
                let (n, seconds) = self.sums.entry(name).or_default();
                *n += 1;
                *seconds += ticks[1].saturating_sub(ticks[0]) as f64 * self.period * 1e-9;
            }
        }
        self.staging.unmap();
    }

    /// The sums so far, the longest first; they begin anew.
    pub(crate) fn take(&mut self) -> Vec<KernelTime> {
        let sums = std::mem::take(&mut self.sums).into_iter();
        let time = |(name, (n_dispatches, seconds))| KernelTime { name, n_dispatches, seconds };
        let mut times: Vec<KernelTime> = sums.map(time).collect();
        times.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then_with(|| a.name.cmp(&b.name)));
        times
    }
}
