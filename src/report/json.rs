//! The report as the contract's JSON document (`heal.fix/1`, `heal.verify/1`).
//!
//! Fields are added, never renamed or removed, under the same schema number.

use super::RunReport;

/// The report as pretty JSON, one line end at its end.
pub fn render(report: &RunReport) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report has only text keys");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::Value;

    use super::super::samples;
    use super::*;

    /// The contract's own example: every field, in order, `null`s included.
    const CONTRACT: &str = include_str!("contract.json");

    /// The keys of `document` that the contract has too, as paths, in order.
    fn keys(document: &Value, contract: &Value, at: &str, out: &mut Vec<String>) {
        match (document, contract) {
            (Value::Object(document), Value::Object(contract)) => {
                for (key, value) in document {
                    if let Some(other) = contract.get(key) {
                        out.push(format!("{at}.{key}"));
                        keys(value, other, &format!("{at}.{key}"), out);
                    }
                }
            }
            (Value::Array(document), Value::Array(contract)) => {
                if let (Some(value), Some(other)) = (document.first(), contract.first()) {
                    keys(value, other, &format!("{at}[]"), out);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn the_document_has_the_contracts_fields_in_the_contracts_order() {
        let contract: Value = serde_json::from_str(CONTRACT).expect("JSON");
        let document: Value = serde_json::from_str(&render(&samples::verified())).expect("JSON");
        let (mut wanted, mut found) = (Vec::new(), Vec::new());
        keys(&contract, &contract, "", &mut wanted);
        keys(&document, &contract, "", &mut found);
        assert_eq!(found, wanted);
    }

    #[test]
    fn the_document_is_read_back_as_it_was_written() {
        for report in [samples::verified(), samples::several(), samples::hostile()] {
            assert_eq!(serde_json::from_str::<RunReport>(&render(&report)).expect("read"), report);
        }
    }

    #[test]
    fn the_contracts_example_is_read_as_a_report_once_what_it_leaves_out_is_added() {
        let mut example: Value = serde_json::from_str(CONTRACT).expect("JSON");
        let ours: Value = serde_json::from_str(&render(&samples::verified())).expect("JSON");
        fill(&mut example, &ours);
        let report: RunReport = serde_json::from_value(example).expect("a report");
        assert_eq!(report.failures[0].proposals[0].evidence.agreement, 2);
    }

    fn fill(document: &mut Value, with: &Value) {
        match (document, with) {
            (Value::Object(document), Value::Object(with)) => {
                for (key, value) in with {
                    fill(document.entry(key.clone()).or_insert(value.clone()), value);
                }
            }
            (Value::Array(document), Value::Array(with)) => {
                document.iter_mut().zip(with).for_each(|(value, with)| fill(value, with));
            }
            _ => {}
        }
    }

    #[test]
    fn a_document_is_pinned() {
        insta::assert_snapshot!(render(&samples::verified()));
    }
}
