//! The key of a hash table that strangers' addresses are put into: random and known to nobody outside,
//! so that nobody can choose addresses that collide. Whoever makes the table brings the randomness.

use std::fmt;
use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

/// The key. It is never shown.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) [u64; 2]);

impl BuildHasher for Secret {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0[0], self.0[1])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
