//! Which vector instructions a machine has, decided once at start.

/// A set of vector instructions that this crate has kernels for.
///
/// All of them give the same bits: the order of every reduction is part of its definition, not of
/// the width of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Portable code, on any machine.
    Scalar,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, DQ, VL, VNNI and VBMI: Ice Lake, Zen 4 and later.
    Avx512,
    /// 64-bit Arm's vector unit with its dot product instructions.
    Neon,
}

impl Isa {
    /// Every set, the plainest first.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::Avx512, Self::Neon];

    /// The fastest set of this machine.
    pub fn detect() -> Self {
        let fastest_first = [Self::Avx512, Self::Avx2, Self::Neon];
        fastest_first.into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Scalar)
    }

    /// Whether this machine has the set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
                    && is_x86_feature_detected!("avx512vbmi")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("dotprod"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => false,
        }
    }
}

/// An instruction set that this machine was seen to have: the licence to run its kernels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Available(Isa);

impl Available {
    /// The licence for `isa`, if this machine has it.
    pub(crate) fn new(isa: Isa) -> Option<Self> {
        isa.is_available().then_some(Self(isa))
    }

    /// Which set it is.
    pub(crate) fn isa(self) -> Isa {
        self.0
    }
}

/// Compiles a portable loop once per instruction set and calls the one that the machine has.
///
/// The body must be written so that its result does not depend on vector width: reductions go
/// through arrays of a fixed number of lanes.
macro_rules! per_isa {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {
        $($(#[$doc])*
        pub(crate) fn $name(isa: $crate::isa::Available, $($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            fn portable($($arg: $type),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2($($arg: $type),*) $(-> $ret)? {
                portable($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,f16c")]
            fn avx512($($arg: $type),*) $(-> $ret)? {
                portable($($arg),*)
            }

            match isa.isa() {
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "compiled for an instruction set")]
                // SAFETY: `isa` proves that the machine has it.
                $crate::Isa::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "compiled for an instruction set")]
                // SAFETY: `isa` proves that the machine has it.
                $crate::Isa::Avx512 => unsafe { avx512($($arg),*) },
                _ => portable($($arg),*),
            }
        })*
    };
}
pub(crate) use per_isa;
