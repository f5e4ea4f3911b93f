//! A share of the failures: `2/4` is the second of four.
//!
//! Reckons; heals nothing.

use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use crate::propose::model::budget::Caps;

/// Shards at most: more jobs than any CI system starts for one matrix.
pub const MOST: usize = 256;

/// One of several jobs that heal the same tree, each its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 1.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// Whether what has this name is of this share. The same name is of the
    /// same share in every job, whatever else that job sees.
    pub fn takes(self, name: &str) -> bool {
        let digest = blake3::hash(name.as_bytes());
        let first: [u8; 8] = digest.as_bytes()[..8].try_into().unwrap_or_default();
        (u64::from_le_bytes(first) % self.of.max(1) as u64) as usize + 1 == self.index
    }

    /// This share of a run's caps, so that all together keep to them; `None`
    /// where not one call is left for it.
    pub fn caps(self, caps: Caps) -> Option<Caps> {
        let of = self.of.max(1);
        let calls = match caps.calls {
            0 => 0,
            // The first shards have those that cannot be divided.
            calls => match calls / of + usize::from(self.index <= calls % of) {
                0 => return None,
                share => share,
            },
        };
        let tokens = match caps.tokens {
            0 => 0,
            tokens => (tokens / of as u64).max(1),
        };
        Some(Caps { usd: caps.usd / of as f64, tokens, calls })
    }

    /// Whether it is one: a document may hold anything.
    pub fn is_sound(self) -> bool {
        (1..=self.of).contains(&self.index) && self.of <= MOST
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let wrong = || format!("`{text}` is no shard; write which of how many, as in 2/4 (at most {MOST})");
        let (index, of) = text.trim().split_once('/').ok_or_else(wrong)?;
        let shard = Shard { index: index.parse().map_err(|_| wrong())?, of: of.parse().map_err(|_| wrong())? };
        if shard.is_sound() { Ok(shard) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_read_as_it_is_written() {
        for (text, sound) in [
            ("1/1", true),
            ("4/4", true),
            (" 2/4 ", true),
            ("0/4", false),
            ("5/4", false),
            ("1/0", false),
            ("1/257", false),
            ("2", false),
            ("a/b", false),
            ("-1/4", false),
        ] {
            let read = text.parse::<Shard>();
            assert_eq!(read.is_ok(), sound, "{text}");
            assert!(read.is_err() || read.is_ok_and(|shard| shard.to_string() == text.trim()));
        }
    }

    #[test]
    fn every_name_is_of_one_share_and_the_caps_of_all_are_the_runs() {
        let caps = Caps { usd: 1.0, tokens: 400_000, calls: 5 };
        for of in [1, 3, 4, 8] {
            let shards: Vec<Shard> = (1..=of).map(|index| Shard { index, of }).collect();
            for n in 0..50 {
                let name = format!("exception|KeyError|shop.py|f{n}");
                assert_eq!(shards.iter().filter(|shard| shard.takes(&name)).count(), 1, "{name} of {of}");
            }
            let shares: Vec<Caps> = shards.iter().filter_map(|shard| shard.caps(caps)).collect();
            assert_eq!(shares.iter().map(|share| share.calls).sum::<usize>(), 5);
            assert!(shares.iter().map(|share| share.usd).sum::<f64>() <= 1.0 + 1e-9);
            assert!(shares.iter().map(|share| share.tokens).sum::<u64>() <= 400_000);
        }
        assert_eq!(Shard { index: 8, of: 8 }.caps(caps), None);
        let none = Shard { index: 1, of: 2 }.caps(Caps { calls: 0, tokens: 0, ..caps }).expect("caps");
        assert_eq!((none.calls, none.tokens), (0, 0), "no cap stays none");
    }
}
