//! The abstention reasons: their words, what they mean, what a person can do,
//! and the exit code each leads to.
//!
//! A table; decides nothing.

/// One reason to abstain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The contract's word.
    pub word: &'static str,
    /// heal's exit code for it.
    pub exit: i32,
    /// What it means, one sentence.
    pub meaning: &'static str,
    /// What to do next, one or two sentences.
    pub advice: &'static str,
}

/// Every reason.
pub const REASONS: &[Reason] = &[
    Reason {
        word: "not-reproduced",
        exit: 3,
        meaning: "It did not fail when heal ran it.",
        advice: "Name the command that fails: heal fix -- COMMAND. What differs: environment, services, ignored files?",
    },
    Reason {
        word: "flaky",
        exit: 3,
        meaning: "It passes and fails at random.",
        advice: "Fix its seed, clock or order first: heal mends only what fails every time.",
    },
    Reason {
        word: "environment",
        exit: 5,
        meaning: "Something outside the code is at fault.",
        advice: "See what is missing: heal doctor",
    },
    Reason {
        word: "scratch-not-exercised",
        exit: 5,
        meaning: "The tests do not run the code in heal's copy of the project.",
        advice: "Let them import it from its own folder, not from another installation of it.",
    },
    Reason {
        word: "order-dependent",
        exit: 1,
        meaning: "Alone it passes; after other tests it fails.",
        advice: "Look for state that the tests share: files, globals, caches.",
    },
    Reason {
        word: "sandbox",
        exit: 5,
        meaning: "A sandbox was required, and none is to be had here.",
        advice: "Run without one: heal fix --sandbox auto",
    },
    Reason {
        word: "test-suspected",
        exit: 1,
        meaning: "The test, not the code, is probably wrong.",
        advice: "Check what the test expects; heal does not change tests.",
    },
    Reason {
        word: "no-candidate",
        exit: 1,
        meaning: "No source had a patch to propose.",
        advice: "Let a model propose: heal fix --model PROVIDER/NAME",
    },
    Reason {
        word: "none-verified",
        exit: 1,
        meaning: "Every patch that was tried missed a gate.",
        advice: "Let a model propose (heal fix --model PROVIDER/NAME), or ask for more: --candidates, --rounds",
    },
    Reason {
        word: "only-weak",
        exit: 1,
        meaning: "A patch passes, but the tests hardly constrain it.",
        advice: "Add an assertion that tells right from wrong here, then run heal fix again.",
    },
    Reason {
        word: "budget",
        exit: 4,
        meaning: "The cap was spent before a patch verified.",
        advice: "Raise that cap and go on: heal fix --resume",
    },
    Reason {
        word: "provider",
        exit: 4,
        meaning: "The model could not be reached.",
        advice: "Check its endpoint and key (heal doctor), then go on: heal fix --resume",
    },
    Reason {
        word: "policy",
        exit: 1,
        meaning: "The patches that were found touch what they may not.",
        advice: "Allow those paths if that is right: heal fix --allow GLOB",
    },
    Reason {
        word: "timeout",
        exit: 1,
        meaning: "The run's time was over.",
        advice: "Give it more (--timeout 40m) and go on: heal fix --resume",
    },
    Reason {
        word: "interrupted",
        exit: 130,
        meaning: "The run was interrupted.",
        advice: "Go on where it stopped: heal fix --resume",
    },
];

/// The row of `word`; `None` for a word of a newer heal.
pub fn of(word: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|reason| reason.word == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_word_with_a_sentence_and_a_documented_exit_code() {
        for (row, reason) in REASONS.iter().enumerate() {
            assert!(REASONS[..row].iter().all(|other| other.word != reason.word), "{} twice", reason.word);
            assert!(reason.word.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", reason.word);
            assert!(reason.meaning.ends_with('.') && !reason.advice.is_empty(), "{}", reason.word);
            assert!([1, 3, 4, 5, 130].contains(&reason.exit), "{}", reason.word);
            assert_eq!(of(reason.word), Some(reason));
        }
        assert_eq!(of("because"), None);
    }
}
