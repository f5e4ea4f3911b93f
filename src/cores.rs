//! The same question asked of many things, on all cores.
//!
//! Starts threads that end before the answer is given; knows nothing of what
//! is asked.

/// The answers of `ask`, in the order of `things`. A core gets at least `few`
/// of them: fewer are not worth a thread.
///
/// # Panics
/// `ask` does.
pub fn asked<T: Sync, A: Send>(things: &[T], few: usize, ask: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parts = things.chunks(things.len().div_ceil(cores).max(few).max(1));
    let first = parts.next().unwrap_or_default();
    let ask = &ask;
    std::thread::scope(|scope| {
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || part.iter().map(ask).collect::<Vec<_>>())).collect();
        let mut answers = Vec::with_capacity(things.len());
        answers.extend(first.iter().map(ask));
        for worker in workers {
            match worker.join() {
                Ok(part) => answers.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        answers
    })
}

/// The answers of two; each has a core of its own where that is `worth` a thread.
///
/// # Panics
/// One of them does.
pub fn both<A, B: Send>(worth: bool, one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
    if !worth {
        return (one(), other());
    }
    std::thread::scope(|scope| {
        let worker = scope.spawn(other);
        let one = one();
        (one, worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_answered_with_a_thread_and_without() {
        for worth in [false, true] {
            assert_eq!(both(worth, || 1, || std::thread::current().id()).0, 1);
            let (here, there) = both(worth, || std::thread::current().id(), || std::thread::current().id());
            assert_eq!(here != there, worth);
        }
    }

    #[test]
    fn each_thing_has_its_answer_in_its_place() {
        for count in [0, 1, 2, 3, 7, 100, 1001] {
            let things: Vec<usize> = (0..count).collect();
            for few in [0, 1, 3, 2000] {
                let answers = asked(&things, few, |thing| thing * 2);
                assert_eq!(answers, things.iter().map(|thing| thing * 2).collect::<Vec<_>>(), "{count} {few}");
            }
        }
    }

    #[test]
    fn many_things_are_asked_on_several_cores() {
        let threads = asked(&[(); 1000], 1, |()| std::thread::current().id());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let distinct: std::collections::HashSet<_> = threads.into_iter().collect();
        assert_eq!(distinct.len() > 1, cores > 1);
    }
}
