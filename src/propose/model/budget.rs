//! Hard caps on what a run may spend, checked before a call against its worst
//! case.
//!
//! Counts; asks nobody. Where a model's price is not known the token cap alone
//! holds, and the outcome says so.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::propose::provider::Usage;

/// The caps of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Caps {
    /// US dollars.
    pub usd: f64,
    /// Tokens, input and output; 0 for no cap.
    pub tokens: u64,
    /// Calls, those that were cut off as well; 0 for no cap.
    pub calls: usize,
}

/// What a call takes at worst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worst {
    /// Tokens, input and output.
    pub tokens: u64,
    /// US dollars; `None` where the price is not known.
    pub usd: Option<f64>,
}

impl Worst {
    /// Of a call that takes nothing: a person's answer, or the record's.
    pub const NOTHING: Worst = Worst { tokens: 0, usd: Some(0.0) };
}

/// What has been spent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Calls that were answered.
    pub calls: usize,
    /// Tokens, those of lost calls at worst.
    pub usage: Usage,
    /// US dollars, of the calls whose price is known; lost ones at worst.
    pub usd: f64,
    /// Whether the price of some call is not known.
    pub has_unpriced: bool,
    /// The calls among them whose answer was lost.
    pub lost: Lost,
}

/// Calls that were cut off before their answer was whole: they may have been
/// billed, nobody knows how much, and count at their worst case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lost {
    /// How many.
    pub calls: usize,
    /// Tokens at worst.
    pub tokens: u64,
    /// US dollars at worst; `None` where a price is not known.
    pub usd: Option<f64>,
}

impl Default for Lost {
    fn default() -> Lost {
        Lost { calls: 0, tokens: 0, usd: Some(0.0) }
    }
}

impl Lost {
    /// Takes note of one more call.
    pub fn add(&mut self, worst: Worst) {
        self.calls += 1;
        self.tokens = self.tokens.saturating_add(worst.tokens);
        self.usd = self.usd.zip(worst.usd).map(|(all, one)| all + one);
    }
}

impl Spent {
    /// Books what a call took.
    pub fn add(&mut self, usage: Usage, usd: Option<f64>) {
        self.calls += 1;
        self.usage.input += usage.input;
        self.usage.cached += usage.cached;
        self.usage.written += usage.written;
        self.usage.output += usage.output;
        self.usd += usd.unwrap_or(0.0);
        self.has_unpriced |= usd.is_none();
    }

    /// Books the worst case of a call whose answer was lost.
    pub fn add_lost(&mut self, worst: Worst) {
        self.usage.input += worst.tokens;
        self.usd += worst.usd.unwrap_or(0.0);
        self.has_unpriced |= worst.usd.is_none();
        self.lost.add(worst);
    }
}

/// A call that would pass a cap.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Denied {
    /// The cap in dollars.
    #[error("the next call may cost {worst:.4} USD and {left:.4} USD are left of --max-cost {cap}")]
    Usd {
        /// At worst.
        worst: f64,
        /// Left of the cap.
        left: f64,
        /// The cap.
        cap: f64,
    },
    /// The cap in tokens.
    #[error("the next call may take {worst} tokens and {left} are left of --max-tokens {cap}")]
    Tokens {
        /// At worst.
        worst: u64,
        /// Left of the cap.
        left: u64,
        /// The cap.
        cap: u64,
    },
    /// The cap in calls.
    #[error("{made} calls were made of --max-calls {cap}")]
    Calls {
        /// Made, or under way.
        made: usize,
        /// The cap.
        cap: usize,
    },
}

/// The account of a run. Cheap to clone; all clones are the same account, so
/// that failures asked about side by side cannot pass a cap together.
#[derive(Clone, Debug)]
pub struct Budget {
    caps: Caps,
    /// By the runs that this one goes on with.
    earlier: Spent,
    account: Arc<Mutex<Account>>,
}

#[derive(Debug, Default)]
struct Account {
    spent: Spent,
    /// What calls under way may take.
    held_usd: f64,
    held_tokens: u64,
    held_calls: usize,
}

/// The worst case of a call under way, held until it is settled or given back.
/// One that is dropped was cut off, and is booked as lost: whoever stops
/// waiting for an answer does not know what it cost.
#[derive(Debug)]
pub struct Hold {
    budget: Budget,
    worst: Worst,
    is_settled: bool,
}

impl Budget {
    /// An account with nothing spent.
    pub fn new(caps: Caps) -> Budget {
        Budget::going_on(caps, Spent::default())
    }

    /// An account of a run that goes on with others, which have spent
    /// `earlier` of the same caps.
    pub fn going_on(caps: Caps, earlier: Spent) -> Budget {
        Budget { caps, earlier, account: Arc::default() }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        // Every change of the account is complete in itself.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the worst case of a call.
    ///
    /// # Errors
    /// The cap it would pass.
    pub fn hold(&self, worst: Worst) -> Result<Hold, Denied> {
        let mut account = self.account();
        let tokens = self.earlier.usage.total().saturating_add(account.spent.usage.total());
        let tokens_left = self.caps.tokens.saturating_sub(tokens.saturating_add(account.held_tokens));
        if self.caps.tokens > 0 && worst.tokens > tokens_left {
            return Err(Denied::Tokens { worst: worst.tokens, left: tokens_left, cap: self.caps.tokens });
        }
        let done = |spent: &Spent| spent.calls + spent.lost.calls;
        let made = done(&self.earlier) + done(&account.spent) + account.held_calls;
        if self.caps.calls > 0 && worst != Worst::NOTHING && made >= self.caps.calls {
            return Err(Denied::Calls { made, cap: self.caps.calls });
        }
        let usd_left = (self.caps.usd - self.earlier.usd - account.spent.usd - account.held_usd).max(0.0);
        if let Some(usd) = worst.usd
            && usd > usd_left
        {
            return Err(Denied::Usd { worst: usd, left: usd_left, cap: self.caps.usd });
        }
        account.held_calls += 1;
        account.held_tokens += worst.tokens;
        account.held_usd += worst.usd.unwrap_or(0.0);
        drop(account);
        Ok(Hold { budget: self.clone(), worst, is_settled: false })
    }

    /// What this run has spent so far.
    pub fn spent(&self) -> Spent {
        self.account().spent
    }

    /// What the runs had spent that this one goes on with.
    pub fn earlier(&self) -> Spent {
        self.earlier
    }
}

impl Hold {
    /// Books what the call took.
    pub fn settle(mut self, usage: Usage, usd: Option<f64>) {
        self.is_settled = true;
        let mut account = self.budget.account();
        account.spent.add(usage, usd);
    }

    /// Books the worst case of a call that may have been billed although its
    /// answer was lost. It counts as no answered call.
    pub fn settle_lost(self) {
        drop(self);
    }

    /// Gives back what was held: the call took nothing.
    pub fn release(mut self) {
        self.is_settled = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut account = self.budget.account();
        account.held_calls = account.held_calls.saturating_sub(1);
        account.held_tokens = account.held_tokens.saturating_sub(self.worst.tokens);
        account.held_usd -= self.worst.usd.unwrap_or(0.0);
        if !self.is_settled {
            account.spent.add_lost(self.worst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(tokens: u64, usd: Option<f64>) -> Worst {
        Worst { tokens, usd }
    }

    #[test]
    fn a_call_whose_worst_case_passes_a_cap_is_denied() {
        let budget = Budget::new(Caps { usd: 1.0, tokens: 1000, calls: 0 });
        budget.hold(worst(600, Some(0.6))).expect("within").settle(Usage { input: 500, ..Usage::default() }, Some(0.5));
        assert_eq!(
            budget.hold(worst(501, None)).expect_err("tokens"),
            Denied::Tokens { worst: 501, left: 500, cap: 1000 }
        );
        assert!(matches!(budget.hold(worst(1, Some(0.51))), Err(Denied::Usd { .. })));
        assert!(budget.hold(worst(500, Some(0.5))).is_ok());
    }

    #[test]
    fn calls_are_counted_whether_answered_under_way_or_cut_off() {
        let mut earlier = Spent::default();
        earlier.add(Usage::default(), Some(0.0));
        let budget = Budget::going_on(Caps { usd: 1.0, tokens: 0, calls: 3 }, earlier);
        let under_way = budget.hold(worst(1, None)).expect("the second");
        drop(budget.hold(worst(1, None)).expect("the third"));
        assert_eq!(budget.hold(worst(1, None)).expect_err("a fourth"), Denied::Calls { made: 3, cap: 3 });
        budget.hold(Worst::NOTHING).expect("what the record answers is no call").release();
        under_way.release();
        assert!(budget.hold(worst(1, None)).is_ok(), "one was never sent");
    }

    #[test]
    fn what_an_interrupted_run_has_spent_counts() {
        let mut earlier = Spent::default();
        earlier.add(Usage { input: 100, ..Usage::default() }, Some(0.25));
        earlier.add_lost(worst(300, Some(0.25)));
        let budget = Budget::going_on(Caps { usd: 1.0, tokens: 1000, calls: 0 }, earlier);
        assert!(matches!(budget.hold(worst(601, None)), Err(Denied::Tokens { left: 600, .. })));
        assert!(matches!(budget.hold(worst(1, Some(0.51))), Err(Denied::Usd { left, .. }) if left == 0.5));
        budget.hold(worst(600, Some(0.5))).expect("within").settle(Usage::default(), Some(0.0));
        assert_eq!((budget.spent().calls, budget.spent().lost.calls, budget.earlier().calls), (1, 0, 1));
    }

    #[test]
    fn calls_under_way_count_until_they_end() {
        let budget = Budget::new(Caps { usd: 1.0, tokens: 0, calls: 0 });
        let hold = budget.hold(worst(10, Some(0.7))).expect("within");
        assert!(budget.clone().hold(worst(10, Some(0.7))).is_err());
        hold.release();
        assert_eq!(budget.spent(), Spent::default());
        budget.hold(worst(10, Some(0.7))).expect("given back").settle_lost();
        assert!(budget.hold(worst(10, Some(0.7))).is_err());
        assert_eq!((budget.spent().calls, budget.spent().usage.total()), (0, 10));
    }

    #[test]
    fn a_call_that_is_cut_off_counts_at_its_worst() {
        let budget = Budget::new(Caps { usd: 1.0, tokens: 0, calls: 0 });
        drop(budget.hold(worst(10, Some(0.7))).expect("within"));
        assert_eq!(budget.spent().lost, Lost { calls: 1, tokens: 10, usd: Some(0.7) });
        assert!(budget.hold(worst(10, Some(0.7))).is_err());
        drop(budget.hold(worst(5, None)).expect("no price"));
        assert_eq!(budget.spent().lost, Lost { calls: 2, tokens: 15, usd: None });
        budget.hold(Worst::NOTHING).expect("free").settle(Usage::default(), Some(0.0));
        assert_eq!((budget.spent().calls, budget.spent().lost.calls), (1, 2));
    }

    #[test]
    fn without_a_price_the_token_cap_holds_and_it_is_said() {
        let budget = Budget::new(Caps { usd: 0.0, tokens: 100, calls: 0 });
        budget.hold(worst(60, None)).expect("no price").settle(Usage { output: 60, ..Usage::default() }, None);
        assert!(budget.spent().has_unpriced);
        assert!(matches!(budget.hold(worst(60, None)), Err(Denied::Tokens { .. })));
    }
}
