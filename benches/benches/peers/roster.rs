//! The roster: every peer by its name, and how a visit reaches its pool.

use crate::peer::*;

/// Lists peers once, for the enumeration, the names and the visits.
macro_rules! roster {
    ($($(#[$meta:meta])* $name:ident, $text:literal, $pool:ty;)*) => {
        /// A peer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Peer { $($(#[$meta])* $name,)* }

        impl Peer {
            /// All that are there, in the order of a round.
            pub(crate) const ALL: &[Self] = &[$($(#[$meta])* Self::$name,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $($(#[$meta])* Self::$name => $text,)* }
            }

            /// Starts a pool, lets `visitor` use it, and ends it while it is quiet.
            pub(crate) fn visit<V: PoolVisitor>(self, visitor: V) -> V::Out {
                match self { $($(#[$meta])* Self::$name => visit::<$pool, V>(visitor),)* }
            }
        }
    };
}

roster! {
    Sequential, "sequential", sequential::Sequential;
    Ours, "zero-pool", ours::Ours;
    ZeroPool04, "zero-pool 0.4", zero_pool_04::ZeroPool04;
    ZeroPool09, "zero-pool 0.9", zero_pool_09::ZeroPool09;
    RayonOutside, "rayon, outside", rayon::Outside;
    RayonInside, "rayon, inside", rayon::Inside;
    Chili, "chili", chili::Chili;
    Orx, "orx-parallel", orx::Orx;
    Paralight, "paralight", paralight::Paralight;
    Bevy, "bevy_tasks", bevy::Bevy;
    Threadpool, "threadpool", threadpool::Channel;
    Tokio, "tokio", tokio::Tokio;
    Scoped, "thread::scope", scoped::Scoped;
    #[cfg(openmp)]
    OpenMp, "OpenMP", openmp::OpenMp;
    #[cfg(onetbb)]
    OneTbb, "oneTBB", onetbb::OneTbb;
}

/// Time for new workers to fall asleep, and for all to do so before the pool ends: the predecessor's 0.9 frees memory that
/// busy workers still use when it ends.
const SETTLE: std::time::Duration = std::time::Duration::from_micros(500);

fn visit<P: Pool, V: PoolVisitor>(visitor: V) -> V::Out {
    let pool = P::start();
    std::thread::sleep(SETTLE);
    let out = visitor.visit(&pool);
    std::thread::sleep(SETTLE);
    out
}

/// Returns the peers that were not compiled, with the reason.
pub(crate) fn missing() -> Vec<(&'static str, &'static str)> {
    let peers = [("OpenMP", env!("MISSING_OPENMP")), ("oneTBB", env!("MISSING_ONETBB"))];
    peers.into_iter().filter(|(_, reason)| !reason.is_empty()).collect()
}
