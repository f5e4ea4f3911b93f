//! What heal puts into a Python test process: its modules, and their bytecode,
//! so that not every run compiles them again.
//!
//! Holds texts and bytes; writes nothing and runs nothing.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// heal's half of the channel, and the two runners above it.
const ALWAYS: &[(&str, &str)] = &[
    ("heal_channel.py", include_str!("heal_channel.py")),
    ("heal_locals.py", include_str!("heal_locals.py")),
    ("heal_pytest.py", include_str!("heal_pytest.py")),
    ("heal_pytest_hooks.py", include_str!("heal_pytest_hooks.py")),
    ("heal_unittest.py", include_str!("heal_unittest.py")),
];

/// What the differential probe adds.
const PROBE: &[(&str, &str)] = &[
    ("heal_probe.py", include_str!("heal_probe.py")),
    ("heal_probe_calls.py", include_str!("heal_probe_calls.py")),
    ("heal_probe_code.py", include_str!("heal_probe_code.py")),
    ("heal_probe_inputs.py", include_str!("heal_probe_inputs.py")),
    ("heal_probe_values.py", include_str!("heal_probe_values.py")),
];

/// What the sieve adds.
const SIEVE: &[(&str, &str)] = &[
    ("heal_sieve.py", include_str!("heal_sieve.py")),
    ("heal_sieve_code.py", include_str!("heal_sieve_code.py")),
    ("heal_sieve_pytest.py", include_str!("heal_sieve_pytest.py")),
    ("heal_sieve_unittest.py", include_str!("heal_sieve_unittest.py")),
    ("heal_sieve_watch.py", include_str!("heal_sieve_watch.py")),
];

/// A module compiled by the interpreter that is to load it: where it lies below
/// the folder of the module, and its bytes. It names its source by a digest and
/// is loaded without a look at times (PEP 552, unchecked).
pub type Bytecode = (String, Vec<u8>);

/// Python 3.7 and newer: an expression's worth of statements that add to `found`
/// the bytecode of the modules which stand, name and text by turns, among the
/// arguments. What another Python finds has another name and is never looked at.
pub const COMPILE: &str = r##"
try:
    import base64, marshal
    from importlib import util
    for name, text in zip(sys.argv[1::2], sys.argv[2::2]):
        place = util.cache_from_source(name).replace(os.sep, "/")
        head = util.MAGIC_NUMBER + b"\x01\0\0\0" + util.source_hash(text.encode("utf-8"))
        code = marshal.dumps(compile(text, name, "exec", dont_inherit=True))
        found["bytecode"].append([place, base64.b64encode(head + code).decode("ascii")])
except Exception:
    found["bytecode"] = []
"##;

/// The arguments that [`COMPILE`] reads.
pub fn arguments() -> impl Iterator<Item = &'static str> {
    [ALWAYS, PROBE, SIEVE].into_iter().flatten().flat_map(|(name, text)| [*name, *text])
}

/// Reads what [`COMPILE`] found; a place that is none is left out.
pub fn read(found: Vec<(String, String)>) -> Arc<[Bytecode]> {
    let one = |(place, text): (String, String)| {
        let name = place.strip_prefix("__pycache__/")?;
        let known = name.starts_with("heal_") && name.ends_with(".pyc") && !name.contains('/');
        Some((place, BASE64_STANDARD.decode(text).ok()?)).filter(|_| known)
    };
    found.into_iter().filter_map(one).collect()
}

/// The files of one run: path below the channel's folder, and content.
pub fn files(probe: bool, sieve: bool, bytecode: &[Bytecode]) -> impl Iterator<Item = (&str, &[u8])> {
    let lists = [(ALWAYS, true), (PROBE, probe), (SIEVE, sieve)];
    let modules = lists.into_iter().filter(|(_, wanted)| *wanted).flat_map(|(list, _)| list);
    modules.flat_map(move |(name, text)| {
        // `heal_x.cpython-311.pyc`, and not that of `heal_x_y`.
        let stem = &name[..name.len() - 2];
        let compiled =
            bytecode.iter().filter(move |(place, _)| place.rsplit('/').next().is_some_and(|it| it.starts_with(stem)));
        std::iter::once((*name, text.as_bytes()))
            .chain(compiled.map(|(place, bytes)| (place.as_str(), bytes.as_slice())))
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_run_gets_the_bytecode_of_its_own_modules() {
        let place = |name: &str| (format!("__pycache__/{name}.cpython-311.pyc"), vec![1]);
        let bytecode = ["heal_channel", "heal_pytest", "heal_pytest_hooks", "heal_probe", "heal_sieve"].map(place);
        let names = |probe, sieve| -> Vec<&str> {
            files(probe, sieve, &bytecode).map(|(path, _)| path).filter(|path| path.contains('/')).collect()
        };
        let always = ["heal_channel", "heal_pytest", "heal_pytest_hooks"].map(|name| place(name).0);
        assert_eq!(names(false, false), always);
        assert_eq!(names(true, false), [&always[..], &[place("heal_probe").0]].concat());
        assert_eq!(names(false, true), [&always[..], &[place("heal_sieve").0]].concat());
    }

    #[test]
    fn only_bytecode_of_heals_own_modules_is_taken() {
        let found = [
            ("__pycache__/heal_channel.cpython-311.pyc", "AQI="),
            ("__pycache__/../heal_channel.pyc", "AQI="),
            ("/elsewhere/heal_channel.cpython-311.pyc", "AQI="),
            ("__pycache__/os.cpython-311.pyc", "AQI="),
            ("__pycache__/heal_sieve.cpython-311.pyc", "no base64!"),
        ];
        let found = found.map(|(place, text)| (place.to_owned(), text.to_owned())).to_vec();
        assert_eq!(read(found).to_vec(), [("__pycache__/heal_channel.cpython-311.pyc".to_owned(), vec![1, 2])]);
    }
}
