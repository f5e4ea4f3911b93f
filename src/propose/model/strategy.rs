//! Which call comes next: one, feedback rounds, one fresh sample.
//!
//! A pure state machine; asks nobody and reads nothing.

/// A call, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The failure and the slice.
    First,
    /// The same, and what became of the patches so far.
    Feedback {
        /// 1-based.
        round: usize,
    },
    /// The failure and the slice, with the refuted ideas only.
    Fresh,
    /// No further call.
    Stop,
}

/// What a call brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Patches that can be tried.
    pub candidates: usize,
    /// Patches that cannot.
    pub unusable: usize,
    /// Whether the model says that there is no fix.
    pub says_no_fix: bool,
}

/// Where a failure's calls stand.
#[derive(Clone, Debug)]
pub struct Strategy {
    rounds: usize,
    done: Vec<(Step, Brought)>,
}

impl Strategy {
    /// Most calls for one failure, whatever the rounds.
    pub const MOST_CALLS: usize = 4;

    /// At most `rounds` rounds of feedback.
    pub fn new(rounds: usize) -> Strategy {
        Strategy { rounds: rounds.min(Strategy::MOST_CALLS - 2), done: Vec::new() }
    }

    /// The next call. `has_feedback`: whether there is something to tell that
    /// the model does not know.
    pub fn next_step(&self, has_feedback: bool) -> Step {
        let Some((_, last)) = self.done.last() else { return Step::First };
        let rounds_done = self.done.iter().filter(|(step, _)| matches!(step, Step::Feedback { .. })).count();
        let was_fresh = self.done.iter().any(|(step, _)| *step == Step::Fresh);
        // Twice the same answer, asked in two ways: more would only cost.
        let no_fix = self.done.iter().filter(|(_, brought)| brought.says_no_fix && brought.candidates == 0).count();
        if was_fresh || no_fix >= 2 || self.done.len() >= Strategy::MOST_CALLS {
            return Step::Stop;
        }
        let can_learn = has_feedback && last.candidates + last.unusable > 0;
        if can_learn && rounds_done < self.rounds {
            return Step::Feedback { round: rounds_done + 1 };
        }
        Step::Fresh
    }

    /// Takes note of an answered call.
    pub fn record(&mut self, step: Step, brought: Brought) {
        self.done.push((step, brought));
    }

    /// Calls that were answered.
    pub fn calls(&self) -> usize {
        self.done.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Brought = Brought { candidates: 2, unusable: 0, says_no_fix: false };
    const NO_FIX: Brought = Brought { candidates: 0, unusable: 0, says_no_fix: true };
    const BROKEN: Brought = Brought { candidates: 0, unusable: 1, says_no_fix: false };

    fn steps(rounds: usize, brought: &[Brought]) -> Vec<Step> {
        let mut strategy = Strategy::new(rounds);
        let mut steps = Vec::new();
        for brought in brought.iter().chain(std::iter::repeat(&SOME)) {
            let step = strategy.next_step(true);
            steps.push(step);
            if step == Step::Stop {
                return steps;
            }
            strategy.record(step, *brought);
        }
        steps
    }

    #[test]
    fn there_are_at_most_four_calls() {
        let (one, two) = (Step::Feedback { round: 1 }, Step::Feedback { round: 2 });
        for (rounds, brought, wanted) in [
            (2, vec![], vec![Step::First, one, two, Step::Fresh, Step::Stop]),
            (9, vec![], vec![Step::First, one, two, Step::Fresh, Step::Stop]),
            (1, vec![], vec![Step::First, one, Step::Fresh, Step::Stop]),
            (0, vec![], vec![Step::First, Step::Fresh, Step::Stop]),
            (2, vec![NO_FIX, NO_FIX], vec![Step::First, Step::Fresh, Step::Stop]),
            (2, vec![BROKEN, NO_FIX], vec![Step::First, one, Step::Fresh, Step::Stop]),
            (2, vec![BROKEN, NO_FIX, NO_FIX], vec![Step::First, one, Step::Fresh, Step::Stop]),
        ] {
            assert_eq!(steps(rounds, &brought), wanted, "{rounds} {brought:?}");
        }
    }

    #[test]
    fn without_news_the_next_call_is_the_fresh_one() {
        let mut strategy = Strategy::new(2);
        strategy.record(strategy.next_step(false), SOME);
        assert_eq!(strategy.next_step(false), Step::Fresh);
    }
}
