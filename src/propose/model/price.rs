//! What a call costs: a dated table, which the caller can override.
//!
//! Looks up; never guesses a price it does not know.

use std::collections::BTreeMap;

use crate::propose::provider::Usage;

/// The day the table was read from the vendors' lists (litellm 1.106.2's
/// table).
pub const AS_OF: &str = "2026-11-23";

/// US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Input.
    pub input: f64,
    /// Output, thinking included.
    pub output: f64,
    /// Input written to a cache.
    pub written: f64,
    /// Input read from a cache.
    pub cached: f64,
    /// Input tokens above which everything costs twice; `None` for never.
    pub doubles_above: Option<u64>,
}

const fn price(input: f64, output: f64, written: f64, cached: f64) -> Price {
    Price { input, output, written, cached, doubles_above: None }
}

/// Models as their vendors name them, without a date at the end.
pub static PRICES: &[(&str, Price)] = &[
    ("claude-fable-5-1", price(10.0, 50.0, 12.5, 0.25)),
    ("claude-opus-5-5", price(4.0, 20.0, 5.0, 0.2)),
    ("claude-opus-5", price(5.0, 25.0, 6.25, 0.5)),
    ("claude-opus-4-8", price(5.0, 25.0, 6.25, 0.5)),
    ("claude-opus-4-7", price(5.0, 25.0, 6.25, 0.5)),
    ("claude-opus-4-6", price(5.0, 25.0, 6.25, 0.5)),
    ("claude-sonnet-5-5", price(2.0, 10.0, 2.5, 0.1)),
    ("claude-sonnet-5", price(2.0, 10.0, 2.5, 0.2)),
    ("claude-sonnet-4-6", price(3.0, 15.0, 3.75, 0.3)),
    ("claude-haiku-5-5", price(0.1, 0.5, 0.125, 0.01)),
    ("claude-haiku-4-5", price(1.0, 5.0, 1.25, 0.1)),
    ("gpt-6-astra", price(10.0, 50.0, 12.5, 1.0)),
    ("gpt-6.1-sol", Price { doubles_above: Some(272_000), ..price(2.0, 10.0, 2.5, 0.1) }),
    ("gpt-6-sol", price(2.0, 10.0, 2.5, 0.2)),
    ("gpt-6-luna", price(0.1, 0.5, 0.125, 0.01)),
    ("gpt-5.6-sol", price(4.0, 20.0, 5.0, 0.4)),
    ("gpt-5.6-terra", price(2.0, 12.0, 2.5, 0.2)),
    ("gpt-5.6-luna", price(0.2, 1.2, 0.25, 0.02)),
    // Writing to these caches costs as much as reading the input.
    ("gpt-5.4", price(2.5, 15.0, 2.5, 0.25)),
    ("gpt-5.4-mini", price(0.75, 4.5, 0.75, 0.075)),
    ("gpt-5.4-nano", price(0.2, 1.25, 0.2, 0.02)),
    ("gemini-4-argon", price(2.0, 10.0, 2.0, 0.1)),
    ("gemini-3.8-flash", price(0.75, 3.75, 0.75, 0.075)),
    ("gemini-3.7-flash", price(0.75, 3.75, 0.75, 0.075)),
    ("gemini-3.6-flash", price(0.75, 3.75, 0.75, 0.075)),
    ("gemini-3.1-pro-preview", price(2.0, 12.0, 2.0, 0.2)),
    ("gemini-2.5-flash", price(0.3, 2.5, 0.3, 0.03)),
    ("gemini-2.5-flash-lite", price(0.1, 0.4, 0.1, 0.01)),
];

/// The table with the caller's own prices.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    own: BTreeMap<String, Price>,
}

impl Prices {
    /// The table alone.
    pub fn built_in() -> Prices {
        Prices::default()
    }

    /// Sets the price of `model` (the name after the provider's slash).
    pub fn with(mut self, model: &str, price: Price) -> Prices {
        self.own.insert(model.to_owned(), price);
        self
    }

    /// The price of `model`; `None` where it is not known.
    pub fn of(&self, model: &str) -> Option<Price> {
        self.own.get(model).copied().or_else(|| {
            let name = key(model);
            PRICES.iter().find(|(known, _)| key(known) == name).map(|(_, price)| *price)
        })
    }

    /// What `usage` of `model` costs in US dollars; `None` where its price is
    /// not known.
    pub fn usd(&self, model: &str, usage: &Usage) -> Option<f64> {
        let price = self.of(model)?;
        let sum = usage.input as f64 * price.input
            + usage.written as f64 * price.written
            + usage.cached as f64 * price.cached
            + usage.output as f64 * price.output;
        let factor = if price.doubles_above.is_some_and(|limit| usage.all_input() > limit) { 2.0 } else { 1.0 };
        Some(sum * factor / 1e6)
    }
}

/// A model's name without its gateway's prefix and its date, with one spelling
/// of versions (gateways write `claude-opus-5.5`).
fn key(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or_default().to_lowercase().replace('.', "-");
    let is_digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    // `-20261101`, or `-2026-11-01`.
    if let Some((rest, date)) = name.rsplit_once('-')
        && is_digits(date, 8)
    {
        return rest.to_owned();
    }
    let parts: Vec<&str> = name.rsplitn(4, '-').collect();
    match parts.as_slice() {
        [day, month, year, rest] if is_digits(day, 2) && is_digits(month, 2) && is_digits(year, 4) => {
            (*rest).to_owned()
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage { input: 1_000_000, cached: 0, written: 0, output: 100_000 };

    #[test]
    fn a_call_costs_what_the_table_says() {
        let prices = Prices::built_in().with("mine", price(1.0, 1.0, 1.0, 1.0));
        for (model, wanted) in [
            ("claude-opus-5-5", Some(6.0)),
            ("claude-opus-5-5-20261101", Some(6.0)),
            ("gpt-6-sol-2026-11-01", Some(3.0)),
            ("gpt-6.1-sol", Some(6.0)),
            ("anthropic/claude-opus-5.5", Some(6.0)),
            ("gpt-5.4-mini", Some(1.2)),
            ("mine", Some(1.1)),
            ("claude-opus-9", None),
            ("", None),
        ] {
            let usd = prices.usd(model, &USAGE).map(|usd| (usd * 1e6).round() / 1e6);
            assert_eq!(usd, wanted, "{model}");
        }
    }

    #[test]
    fn every_row_of_the_table_is_found_by_its_name() {
        for (model, price) in PRICES {
            assert_eq!(Prices::built_in().of(model).as_ref(), Some(price), "{model}");
            assert!(
                price.cached <= price.input && price.input <= price.output && price.input <= price.written,
                "{model}"
            );
        }
    }

    #[test]
    fn cached_input_costs_less() {
        let usage = Usage { input: 0, cached: 1_000_000, written: 1_000_000, output: 0 };
        assert_eq!(Prices::built_in().usd("claude-sonnet-5-5", &usage), Some(2.6));
    }
}
