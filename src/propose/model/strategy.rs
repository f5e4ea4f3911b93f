//! Which call comes next, and whose: samples, feedback rounds, the next model.
//!
//! With one model: a first call, feedback rounds, one fresh sample. With
//! several, the cheap ones named first: after two calls that brought nothing
//! that verifies, or one that brought nothing to try, the next model starts
//! afresh with what was refuted, and learns from the rounds that are left. A
//! model that gives no answer is passed over, and the others go on as if it
//! had not been named.
//!
//! A pure state machine; asks nobody and reads nothing.

/// What a call asks, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The failure and the slice.
    First,
    /// The same, what became of the patches so far, and what the model asked to
    /// see.
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
    /// Definitions that the model asked to see, and can be shown.
    pub seen: usize,
    /// Whether the model says that there is no fix.
    pub says_no_fix: bool,
}

impl Brought {
    /// Whether there is nothing to try, and nothing to go on with.
    fn gives_up(&self) -> bool {
        self.says_no_fix && self.candidates == 0 && self.seen == 0
    }
}

/// A call: whom to ask, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The model, by its place among those that were named, 0-based.
    pub model: usize,
    /// What is asked; never [`Step::Stop`].
    pub step: Step,
}

/// Where a failure's calls stand.
#[derive(Clone, Debug)]
pub struct Strategy {
    models: usize,
    rounds: usize,
    done: Vec<(Call, Brought)>,
    /// Models that gave no answer.
    out: Vec<usize>,
}

impl Strategy {
    /// Most calls for one failure of one model or two, whatever the rounds.
    pub const MOST_CALLS: usize = 4;
    /// Calls in a row of a model while another waits.
    const TURN: usize = 2;

    /// At most `rounds` rounds of feedback, by all models together.
    pub fn new(rounds: usize) -> Strategy {
        let rounds = rounds.min(Strategy::MOST_CALLS - 2);
        Strategy { models: 1, rounds, done: Vec::new(), out: Vec::new() }
    }

    /// Takes one more model, to be asked after those before it.
    pub fn add_model(&mut self) {
        self.models += 1;
    }

    /// The next call; `None` for no further one. `has_feedback`: whether there
    /// is something to tell that the models do not know; `has_passing`: whether
    /// the tests pass with a patch, though they check it too little.
    pub fn next_call(&self, has_feedback: bool, has_passing: bool) -> Option<Call> {
        let mut usable = (0..self.models).filter(|model| !self.out.contains(model));
        let first = usable.clone().next()?;
        let Some((last, brought)) = self.done.last() else { return Some(Call { model: first, step: Step::First }) };
        // Twice the same answer, asked in two ways: more would only cost.
        let no_fix = self.done.iter().filter(|(_, brought)| brought.gives_up()).count();
        // Nor would one that knows of nothing better than what passes.
        let is_content = has_passing && brought.gives_up();
        if no_fix >= 2 || is_content || self.done.len() >= self.most_calls() || self.is_sampled_again() {
            return None;
        }
        let waiting = usable.find(|model| !self.done.iter().any(|(call, _)| call.model == *model));
        let rounds_done = self.done.iter().filter(|(call, _)| matches!(call.step, Step::Feedback { .. })).count();
        let has_news = brought.seen > 0 || (has_feedback && brought.candidates + brought.unusable > 0);
        // Of a patch that the tests cannot tell from a right one nothing can be learnt:
        // who is asked for better ones has none. Another model may think of others.
        let is_settled = has_passing && brought.seen == 0;
        let can_learn = has_news && !is_settled && rounds_done < self.rounds;
        let is_useful = brought.candidates + brought.seen > 0;
        let may_stay = waiting.is_none() || (is_useful && self.turn() < Strategy::TURN);
        if can_learn && may_stay && !self.out.contains(&last.model) {
            return Some(Call { model: last.model, step: Step::Feedback { round: rounds_done + 1 } });
        }
        if let Some(model) = waiting {
            return Some(Call { model, step: Step::Fresh });
        }
        let was_fresh = self.done.iter().any(|(call, _)| call.step == Step::Fresh);
        let model = if self.out.contains(&last.model) { first } else { last.model };
        // Where nothing was tried, the fresh question would be the one that it has
        // answered.
        let tried = self.done.iter().any(|(_, brought)| brought.candidates + brought.unusable > 0);
        let has_answered = model == last.model && brought.gives_up() && !tried;
        (!was_fresh && !has_answered && !is_settled).then_some(Call { model, step: Step::Fresh })
    }

    /// Each model has its sample, and all of them the rounds of feedback.
    fn most_calls(&self) -> usize {
        Strategy::MOST_CALLS.max(self.models + self.rounds)
    }

    /// Whether a model has been asked afresh that had been asked before.
    fn is_sampled_again(&self) -> bool {
        let is_again = |(index, (call, _)): (usize, &(Call, Brought))| {
            call.step == Step::Fresh && self.done[..index].iter().any(|(other, _)| other.model == call.model)
        };
        self.done.iter().enumerate().any(is_again)
    }

    /// Calls of the last model without another's in between.
    fn turn(&self) -> usize {
        let last = self.done.last().map(|(call, _)| call.model);
        self.done.iter().rev().take_while(|(call, _)| Some(call.model) == last).count()
    }

    /// Takes note of an answered call.
    pub fn record(&mut self, call: Call, brought: Brought) {
        self.done.push((call, brought));
    }

    /// Takes note of how many definitions can be shown that the last call
    /// asked to see.
    pub fn show(&mut self, seen: usize) {
        if let Some((_, brought)) = self.done.last_mut() {
            brought.seen = seen;
        }
    }

    /// Takes note of a model that gave no answer: it is passed over.
    pub fn pass_over(&mut self, model: usize) {
        self.out.push(model);
    }

    /// Calls that were answered.
    pub fn calls(&self) -> usize {
        self.done.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Brought = Brought { candidates: 2, unusable: 0, seen: 0, says_no_fix: false };
    const NO_FIX: Brought = Brought { candidates: 0, unusable: 0, seen: 0, says_no_fix: true };
    const LOOKS: Brought = Brought { candidates: 0, unusable: 0, seen: 2, says_no_fix: true };
    const BROKEN: Brought = Brought { candidates: 0, unusable: 1, seen: 0, says_no_fix: false };

    /// The calls of `models` models, each as its letter and its step; `out`
    /// names those that give no answer, and at which call.
    fn calls(models: usize, rounds: usize, brought: &[Brought], out: &[(usize, usize)]) -> Vec<String> {
        let mut strategy = Strategy::new(rounds);
        (1..models).for_each(|_| strategy.add_model());
        let mut calls = Vec::new();
        let mut brought = brought.iter().chain(std::iter::repeat(&SOME));
        while let Some(call) = strategy.next_call(true, false) {
            let letter = char::from(b'A' + call.model as u8);
            let step = match call.step {
                Step::First => "first".to_owned(),
                Step::Feedback { round } => format!("feedback {round}"),
                Step::Fresh => "fresh".to_owned(),
                Step::Stop => panic!("no call"),
            };
            calls.push(format!("{letter} {step}"));
            assert!(calls.len() < 20, "{calls:?}");
            match out.contains(&(call.model, calls.len())) {
                true => strategy.pass_over(call.model),
                false => strategy.record(call, *brought.next().expect("more")),
            }
        }
        calls
    }

    #[test]
    fn one_model_is_asked_at_most_four_times() {
        let (one, two) = ("A feedback 1", "A feedback 2");
        for (rounds, brought, wanted) in [
            (2, vec![], vec!["A first", one, two, "A fresh"]),
            (9, vec![], vec!["A first", one, two, "A fresh"]),
            (1, vec![], vec!["A first", one, "A fresh"]),
            (0, vec![], vec!["A first", "A fresh"]),
            // Nothing new could be told to who gives up at once.
            (2, vec![NO_FIX], vec!["A first"]),
            (2, vec![SOME, NO_FIX], vec!["A first", one, "A fresh"]),
            (2, vec![BROKEN, NO_FIX], vec!["A first", one, "A fresh"]),
            (2, vec![LOOKS, NO_FIX], vec!["A first", one]),
            (2, vec![LOOKS, LOOKS, LOOKS], vec!["A first", one, two, "A fresh"]),
            (0, vec![LOOKS], vec!["A first", "A fresh"]),
            (2, vec![BROKEN, NO_FIX, NO_FIX], vec!["A first", one, "A fresh"]),
        ] {
            assert_eq!(calls(1, rounds, &brought, &[]), wanted, "{rounds} {brought:?}");
        }
    }

    #[test]
    fn after_two_failing_calls_the_next_model_starts_afresh() {
        for (models, rounds, brought, wanted) in [
            (2, 2, vec![], vec!["A first", "A feedback 1", "B fresh", "B feedback 2"]),
            (2, 1, vec![], vec!["A first", "A feedback 1", "B fresh"]),
            (2, 0, vec![], vec!["A first", "B fresh"]),
            // Nothing to try is evidence enough: the rounds are the next one's.
            (2, 2, vec![BROKEN], vec!["A first", "B fresh", "B feedback 1", "B feedback 2"]),
            (2, 2, vec![NO_FIX], vec!["A first", "B fresh", "B feedback 1", "B feedback 2"]),
            (2, 2, vec![NO_FIX, NO_FIX], vec!["A first", "B fresh"]),
            (2, 2, vec![LOOKS], vec!["A first", "A feedback 1", "B fresh", "B feedback 2"]),
            (2, 2, vec![SOME, BROKEN, NO_FIX], vec!["A first", "A feedback 1", "B fresh"]),
            (3, 2, vec![], vec!["A first", "A feedback 1", "B fresh", "B feedback 2", "C fresh"]),
            (3, 2, vec![BROKEN, BROKEN], vec!["A first", "B fresh", "C fresh", "C feedback 1", "C feedback 2"]),
            (3, 0, vec![], vec!["A first", "B fresh", "C fresh"]),
        ] {
            assert_eq!(calls(models, rounds, &brought, &[]), wanted, "{models} {rounds} {brought:?}");
        }
    }

    #[test]
    fn a_model_without_an_answer_is_passed_over() {
        for (models, out, wanted) in [
            (1, vec![(0, 1)], vec!["A first"]),
            (1, vec![(0, 2)], vec!["A first", "A feedback 1"]),
            // The other goes on as if it were alone.
            (2, vec![(0, 1)], vec!["A first", "B first", "B feedback 1", "B feedback 2", "B fresh"]),
            (2, vec![(1, 3)], vec!["A first", "A feedback 1", "B fresh", "A feedback 2", "A fresh"]),
            (2, vec![(0, 2)], vec!["A first", "A feedback 1", "B fresh", "B feedback 1", "B feedback 2"]),
            (2, vec![(1, 4)], vec!["A first", "A feedback 1", "B fresh", "B feedback 2"]),
            (2, vec![(0, 1), (1, 2)], vec!["A first", "B first"]),
        ] {
            assert_eq!(calls(models, 2, &[], &out), wanted, "{models} {out:?}");
        }
    }

    #[test]
    fn what_passes_is_not_asked_for_again_but_of_another_model_or_with_code_that_was_asked_for() {
        for (models, brought, wanted) in [
            (1, vec![SOME], None),
            (1, vec![BROKEN], None),
            (1, vec![LOOKS], Some((0, Step::Feedback { round: 1 }))),
            (1, vec![LOOKS, SOME], None),
            (1, vec![LOOKS, NO_FIX], None),
            (2, vec![SOME], Some((1, Step::Fresh))),
            (2, vec![NO_FIX], None),
            (2, vec![SOME, SOME], None),
        ] {
            let mut strategy = Strategy::new(2);
            (1..models).for_each(|_| strategy.add_model());
            for brought in &brought {
                strategy.record(strategy.next_call(true, true).expect("a call"), *brought);
            }
            let next = strategy.next_call(true, true).map(|call| (call.model, call.step));
            assert_eq!(next, wanted, "{models} {brought:?}");
        }
    }

    #[test]
    fn without_news_the_next_call_is_the_fresh_one() {
        let mut strategy = Strategy::new(2);
        strategy.record(strategy.next_call(false, false).expect("the first"), SOME);
        assert_eq!(strategy.next_call(false, false), Some(Call { model: 0, step: Step::Fresh }));
        strategy.add_model();
        assert_eq!(strategy.next_call(false, false), Some(Call { model: 1, step: Step::Fresh }));
    }
}
