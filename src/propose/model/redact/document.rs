//! Whole documents without secrets: what is recorded, logged and reported.
//!
//! One map for all that a run shows, so that a secret has the same placeholder
//! everywhere. Works in memory.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Redactor;

/// Takes secrets out of what a run shows. Cheap to clone; all clones share
/// their placeholders.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    redactor: Arc<Mutex<Redactor>>,
}

impl Shown {
    /// `values`: exact texts that are secret.
    pub fn new(values: &[String]) -> Shown {
        Shown { redactor: Arc::new(Mutex::new(Redactor::new(values))) }
    }

    /// `text` without secrets.
    pub fn text(&self, text: &str) -> String {
        self.redactor.lock().unwrap_or_else(PoisonError::into_inner).redact(text)
    }

    /// `document` without secrets in any of its texts.
    pub fn document<T: Serialize + DeserializeOwned + Clone>(&self, document: &T) -> T {
        let Ok(mut value) = serde_json::to_value(document) else { return document.clone() };
        let mut changed = false;
        self.clean(&mut value, &mut changed);
        // A number may lose its last digit on the way through JSON.
        if !changed {
            return document.clone();
        }
        serde_json::from_value(value).unwrap_or_else(|_| document.clone())
    }

    fn clean(&self, value: &mut Value, changed: &mut bool) {
        match value {
            Value::String(text) => {
                let clean = self.text(text);
                if clean != *text {
                    *changed = true;
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean(item, changed)),
            Value::Object(map) => map.values_mut().for_each(|item| self.clean(item, changed)),
            _ => {}
        }
    }
}
