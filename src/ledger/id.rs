//! Names of runs: 26 characters, sortable by time, unique without asking
//! anyone.
//!
//! Laid out as a ULID (<https://github.com/ulid/spec>): 48 bits of
//! milliseconds, 80 random bits, Crockford's base 32. Not secret: a run's id
//! grants nothing.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Crockford's alphabet: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new id.
pub(super) fn new() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = jiff::Timestamp::now();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&now.as_nanosecond().to_le_bytes());
    hasher.update(&std::process::id().to_le_bytes());
    hasher.update(&COUNTER.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    // The keys of the standard library's hash maps come from the system's
    // random numbers: containers share clocks and process ids.
    hasher.update(&RandomState::new().hash_one(0_u8).to_le_bytes());
    let digest = hasher.finalize();
    let mut random = [0; 16];
    random[6..].copy_from_slice(&digest.as_bytes()[..10]);
    encode(now.as_millisecond(), u128::from_be_bytes(random))
}

/// `random`: its low 80 bits count.
fn encode(milliseconds: i64, random: u128) -> String {
    let time = u128::try_from(milliseconds).unwrap_or_default() & ((1 << 48) - 1);
    let bits = (time << 80) | (random & ((1 << 80) - 1));
    (0..26).rev().map(|place| ALPHABET[((bits >> (place * 5)) & 31) as usize] as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_laid_out_as_the_ulid_specification_says() {
        // The specification's own example of a time: 1469918176385 is 01ARYZ6S41.
        assert_eq!(encode(1_469_918_176_385, 0), "01ARYZ6S410000000000000000");
        assert_eq!(encode((1 << 48) - 1, u128::MAX), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }

    #[test]
    fn ids_sort_by_time_and_do_not_meet() {
        assert!(encode(1, u128::MAX) < encode(2, 0));
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| new()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 26));
    }
}
