//! The numbers as OpenMetrics text 1.0 for a dashboard
//! (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>).
//!
//! Gauges where a later run may lower a number (a failure that was abstained
//! on is fixed), counters where it cannot.

use super::Stats;
use crate::report::clean;

/// The text; ends in `# EOF`.
pub fn render(stats: &Stats) -> String {
    let mut out = Exposition(String::new());
    out.family("heal_runs", "gauge", "Runs that heal", |row| {
        row(&[("state", "finished")], (stats.runs.all - stats.runs.unfinished) as f64);
        row(&[("state", "unfinished")], stats.runs.unfinished as f64);
    });
    out.family("heal_failures", "gauge", "Distinct failures by runner and outcome", |row| {
        for one in &stats.runners {
            row(&[("runner", &one.runner), ("outcome", "verified")], one.fixed as f64);
            row(&[("runner", &one.runner), ("outcome", "abstained")], one.abstained as f64);
        }
    });
    out.family("heal_abstentions", "gauge", "Distinct failures without a verified patch, by reason", |row| {
        for one in &stats.reasons {
            row(&[("reason", &one.reason)], one.failures as f64);
        }
    });
    out.family("heal_fixes", "gauge", "Distinct failures with a verified patch, by its source", |row| {
        for one in &stats.sources {
            row(&[("source", &one.source)], one.fixed as f64);
        }
    });
    for (name, help, value) in [
        ("heal_fix_ratio", "Failures with a verified patch, of all", stats.fix_rate),
        ("heal_abstention_ratio", "Failures without a verified patch, of all", stats.abstention_rate),
        ("heal_revert_ratio", "Proposals taken back, of those applied", stats.revert_rate),
    ] {
        // What is not known has no sample.
        out.family(name, "gauge", help, |row| value.into_iter().for_each(|value| row(&[], value)));
    }
    out.repair(stats);
    out.counters(stats);
    out.0.push_str("# EOF\n");
    out.0
}

/// A text under way.
struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.0.push_str(&format!("# TYPE {name} {kind}\n# HELP {name} {help}.\n"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.0.push_str(&format!("{name}{labels} {value}\n"));
    }

    fn family(&mut self, name: &str, kind: &str, help: &str, rows: impl FnOnce(&mut dyn FnMut(&[(&str, &str)], f64))) {
        self.head(name, kind, help);
        let sample = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        rows(&mut |labels, value| self.sample(&sample, labels, value));
    }

    fn repair(&mut self, stats: &Stats) {
        let (name, times) = ("heal_repair_seconds", stats.time_to_repair);
        self.head(name, "summary", "From the first run that saw a failure to its first verified patch");
        self.0.push_str(&format!("# UNIT {name} seconds\n"));
        if times.count > 0 {
            self.sample(name, &[("quantile", "0.5")], times.median_s);
            self.sample(name, &[("quantile", "0.9")], times.p90_s);
        }
        self.sample(&format!("{name}_count"), &[], times.count as f64);
        self.sample(&format!("{name}_sum"), &[], times.sum_s);
    }

    fn counters(&mut self, stats: &Stats) {
        self.family("heal_proposals_applied", "counter", "Proposals that were applied, by source", |row| {
            stats.sources.iter().for_each(|one| row(&[("source", &one.source)], one.applied as f64));
        });
        self.family("heal_proposals_undone", "counter", "Proposals that were taken back, by source", |row| {
            stats.sources.iter().for_each(|one| row(&[("source", &one.source)], one.undone as f64));
        });
        self.family("heal_model_calls", "counter", "Calls of models", |row| {
            for one in &stats.models {
                row(&[("model", &one.model), ("end", "answered")], one.cost.calls as f64);
                row(&[("model", &one.model), ("end", "cut-off")], one.cost.cut_off as f64);
            }
        });
        self.family("heal_model_tokens", "counter", "Tokens of answered calls", |row| {
            for one in &stats.models {
                row(&[("model", &one.model), ("direction", "input")], one.cost.input_tokens as f64);
                row(&[("model", &one.model), ("direction", "output")], one.cost.output_tokens as f64);
            }
        });
        self.family(
            "heal_model_cost_usd",
            "counter",
            "US dollars for answered calls, where the price is known",
            |row| {
                for one in &stats.models {
                    one.cost.usd.into_iter().for_each(|usd| row(&[("model", &one.model)], usd));
                }
            },
        );
    }
}

/// A label's value (escaping, 4.1.1): backslash, quote, line end.
fn escaped(value: &str) -> String {
    clean(value).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::count::tests::week;
    use super::*;

    #[test]
    fn the_numbers_are_openmetrics() {
        let (facts, delivered) = week();
        insta::assert_snapshot!(render(&super::super::of(&facts, &delivered, None)));
    }

    #[test]
    fn an_empty_record_has_its_families_and_its_end() {
        let text = render(&super::super::of(&[], &[], None));
        assert!(
            text.ends_with("heal_model_cost_usd US dollars for answered calls, where the price is known.\n# EOF\n")
        );
        assert!(!text.contains("NaN") && text.contains("heal_repair_seconds_count 0\n"), "{text}");
    }
}
