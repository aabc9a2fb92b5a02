//! Whether it is worth asking for a real graphics device at all.

use std::path::Path;

/// What a Linux kernel calls the devices of its graphics drivers: direct rendering (all open
/// drivers), NVIDIA's own, Windows' from inside Linux, and those of phones and boards.
const LINUX_NODES: [&str; 5] =
    ["/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0"];

/// False where there is certainly none. Enumerating adapters loads every driver that is installed,
/// software ones too, which takes time and makes some of them complain on standard error.
pub(crate) fn may_be_present() -> bool {
    !cfg!(target_os = "linux") || LINUX_NODES.iter().any(|node| Path::new(node).exists())
}
