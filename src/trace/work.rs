//! How the work of reading a log grows with its length, counted in bytes that
//! are allocated: a reader that begins anew at every line, or copies the rest
//! of the log for every failure, allocates by the square.
//!
//! Measures no time. A scan that allocates nothing is not counted.

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::cell::Cell;

use super::table;
use crate::source::RelPath;

/// The system's allocator, counting for each thread.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    // A thread that is ending has no counter any more.
    let _ = BYTES.try_with(|counted| counted.set(counted.get() + bytes as u64));
}

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `System`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: `at` came from `System`.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Four times the log may be this many times the work.
const GROWTH: u64 = 6;
/// What is set up once (patterns, tables), in bytes.
const SET_UP: u64 = 4 << 20;

/// Bytes that reading `text` allocates.
fn work(text: &str) -> u64 {
    let before = BYTES.get();
    super::failures(text.as_bytes(), &table::places(), &RelPath::root());
    BYTES.get() - before
}

/// Why the work for `unit` grows faster than its repetitions.
fn grows_too_fast(unit: &str, times: usize) -> Option<String> {
    let (once, more) = (work(&unit.repeat(times)), work(&unit.repeat(4 * times)));
    (more > GROWTH * once + SET_UP).then(|| format!("{once} bytes, then {more}, for {times} times\n{unit}"))
}

#[test]
fn a_reader_that_copies_the_rest_for_every_line_would_be_seen() {
    let squared = |lines: usize| {
        let text = "a line of a log\n".repeat(lines);
        let before = BYTES.get();
        let mut rest = text.clone();
        while let Some((_, after)) = rest.split_once('\n') {
            rest = after.to_owned();
        }
        BYTES.get() - before
    };
    assert!(squared(4000) > GROWTH * squared(1000) + SET_UP, "{} and {}", squared(1000), squared(4000));
}

#[test]
fn four_times_the_log_is_about_four_times_the_work_for_every_runner() {
    for (folder, lines) in table::lines_by_folder() {
        let unit: String = lines.iter().take(300).map(|line| format!("{line}\n")).collect();
        assert_eq!(grows_too_fast(&unit, 3), None, "{folder}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 32, ..Default::default() })]

    #[test]
    fn any_few_lines_many_times_are_read_without_quadratic_work(
        folder in 0usize..64,
        picks in proptest::collection::vec(0usize..100_000, 1..4),
    ) {
        let folders = table::lines_by_folder();
        let lines = folders.values().nth(folder % folders.len()).expect("a folder");
        let unit: String = picks.iter().map(|pick| format!("{}\n", lines[pick % lines.len()])).collect();
        proptest::prop_assert_eq!(grows_too_fast(&unit, 150), None);
    }
}
