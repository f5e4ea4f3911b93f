//! Chooses the faults that are seeded into a checkout. Writes no file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use heal::source::RelPath;

use super::noted::Fault;

/// Faults in one function, at most: one long function is not the project.
const MOST_IN_A_FUNCTION: usize = 3;

/// A fault of a file.
pub struct Seeded {
    /// The file.
    pub path: RelPath,
    /// The fault.
    pub fault: Fault,
    /// The name of a fault that was not seeded.
    pub name: Option<String>,
}

impl Seeded {
    /// Names it in rows: file, byte, sort of change.
    pub fn id(&self) -> String {
        let seeded = || format!("{}:{}:{}", self.path, self.fault.bytes.start, self.fault.kind);
        self.name.clone().unwrap_or_else(seeded)
    }
}

/// The faults that `faults` finds in the code's files, in an order that the
/// seed alone decides.
pub fn chosen(tree: &Path, seed: u64, faults: &dyn Fn(&RelPath, &str) -> Vec<Fault>) -> Result<Vec<Seeded>> {
    let mut found: Vec<(u64, Seeded)> = Vec::new();
    for path in tracked(tree)? {
        let name = path.as_str();
        let is_code = heal::language::of_path(&path).is_some_and(|language| !(language.is_test_file)(&path));
        let beside = ["doc", "docs", "bench", "benchmarks", "examples", "setup.py", "misc"];
        if !is_code || beside.iter().any(|folder| name.split('/').next() == Some(folder)) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(path.under(tree)) else { continue };
        found.extend(faults(&path, &text).into_iter().map(|fault| {
            let seeded = Seeded { path: path.clone(), fault, name: None };
            (order(seed, &seeded.id()), seeded)
        }));
    }
    found.sort_by_key(|(order, _)| *order);
    let mut in_function: BTreeMap<(RelPath, String), usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for (_, seeded) in found {
        let count = in_function.entry((seeded.path.clone(), seeded.fault.function.clone())).or_default();
        *count += 1;
        if *count <= MOST_IN_A_FUNCTION {
            kept.push(seeded);
        }
    }
    Ok(kept)
}

/// The files git tracks.
pub fn tracked(tree: &Path) -> Result<Vec<RelPath>> {
    let listed = Command::new("git").arg("-C").arg(tree).args(["ls-files", "-z"]).output()?;
    let text = String::from_utf8_lossy(&listed.stdout);
    Ok(text.split('\0').filter(|name| !name.is_empty()).filter_map(|name| RelPath::new(name).ok()).collect())
}

/// A number that the seed and the name alone decide.
pub fn order(seed: u64, id: &str) -> u64 {
    let digest = blake3::hash(format!("{seed} {id}").as_bytes());
    u64::from_le_bytes(digest.as_bytes()[..8].try_into().expect("a digest has 32 bytes"))
}
