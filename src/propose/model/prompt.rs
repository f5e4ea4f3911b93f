//! The prompt: a stable part, the failure and its slice, and in later calls
//! what became of the fixes so far.
//!
//! Everything that comes from the project is fenced: it stands between
//! `[tag …]` and `[/tag]`, where the tag is derived from the text itself with
//! a key that only the caller knows, so that no file or test output can write
//! the closing line. The same key and text give the same tag. A prompt's
//! digest is taken with the tag left out, so that a replay finds the record
//! without the key. Renders; sends nothing.

mod echo;

use minijinja::Environment;
use minijinja::UndefinedBehavior;
use minijinja::Value;
use minijinja::context;
use minijinja::syntax::SyntaxConfig;

use super::redact::Redactor;
use super::strategy::Step;
use crate::diagnose::Diagnosis;
use crate::diagnose::Part;
use crate::diagnose::Role;
use crate::diagnose::Slice;
use crate::failure::Local;
use crate::failure::normalise;
use crate::source::RelPath;

/// Characters kept of a failing test's output: its end says most.
const OUTPUT: usize = 1500;
/// Characters kept of a message or a value.
const MESSAGE: usize = 1000;
/// Characters kept of a tried fix's output, and of its change.
const TRIED_OUTPUT: usize = 800;
const TRIED_CHANGE: usize = 2000;
/// Fixes that are told about; the last ones.
const TRIED: usize = 8;
/// Stands for the tag in what the digest is taken of.
const NO_TAG: &str = "tag";

/// The templates of the prompts, in minijinja's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    /// The stable part; sees no variables.
    pub system: String,
    /// The failure and the slice.
    pub repair: String,
    /// What is added in later calls.
    pub retry: String,
}

impl Default for Templates {
    /// Those that are compiled in.
    fn default() -> Templates {
        Templates {
            system: include_str!("../../../prompts/system.md").to_owned(),
            repair: include_str!("../../../prompts/repair.md").to_owned(),
            retry: include_str!("../../../prompts/retry.md").to_owned(),
        }
    }
}

impl Templates {
    /// Digest of all of them: 16 hexadecimal digits.
    pub fn digest(&self) -> String {
        digest_of(&[&self.system, &self.repair, &self.retry])
    }
}

/// A template that cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[error("the prompt `{name}.md` cannot be rendered: {source}")]
pub struct PromptError {
    /// `system`, `repair` or `retry`.
    name: &'static str,
    #[source]
    source: minijinja::Error,
}

/// A fix that was tried, or could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Its root cause, in the model's words.
    pub idea: String,
    /// The diff, or the edits as they were written.
    pub change: String,
    /// The gate it missed and how, or why it could not be used; one line.
    pub missed: String,
    /// The end of the gate's output; may be empty.
    pub output: String,
    /// Whether nothing speaks against it: the tests pass with it and check it
    /// too little.
    pub passes: bool,
}

/// A rendered prompt, secrets redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The stable part.
    pub system: String,
    /// The rest.
    pub user: String,
    /// Identity of the prompt, whatever its tag, and whatever changes from run
    /// to run in what tests print (times, addresses); 32 hexadecimal digits.
    pub digest: String,
}

impl Prompt {
    /// Both parts, as they are kept and shown.
    pub fn whole(&self) -> String {
        format!("{}\n\n{}", self.system.trim_end(), self.user)
    }
}

/// What a prompt is made for.
pub struct Request<'a> {
    /// The failure and the slice.
    pub diagnosis: &'a Diagnosis,
    /// Which call.
    pub step: Step,
    /// How many fixes to ask for.
    pub candidates: usize,
    /// What became of the fixes so far.
    pub attempts: &'a [Attempt],
    /// What the models asked to see; shown in later calls.
    pub seen: Option<&'a Slice>,
    /// Mixed into the digest: the model, so that another is asked anew.
    pub asked: &'a str,
}

/// Renders the prompt; secrets become `redactor`'s placeholders.
///
/// # Errors
/// A template of the user's own that does not render.
pub fn render(
    templates: &Templates,
    request: &Request<'_>,
    redactor: &mut Redactor,
    key: &[u8; 32],
) -> Result<Prompt, PromptError> {
    let texts = Texts::new(request, redactor, &str::to_owned);
    let plain = texts.user(templates, NO_TAG)?;
    // A run that goes on must find its answers again, although the tests have
    // taken another time, objects lie elsewhere, and an endless loop was ended
    // at another turn.
    let mut stable = Texts::new(request, redactor, &normalise);
    stable.locals.clear();
    let stable = stable.user(templates, NO_TAG)?;
    let tag = tag(key, &texts.repair(templates, NO_TAG)?, &plain);
    let user = texts.user(templates, &tag)?;
    let system = rendered("system", &templates.system, context! {})?;
    let digest = blake3_of(&[&system, &stable, request.asked]).to_hex()[..32].to_owned();
    Ok(Prompt { system, user, digest })
}

/// A word that the prompt does not hold and that nobody without the key can
/// foresee: a file that tries to hold its own tag changes it by trying, and
/// six hexadecimal digits leave one chance in sixteen million. Derived from
/// the part that later calls repeat, so that they begin with the same bytes
/// and a provider's cache holds.
fn tag(key: &[u8; 32], repair: &str, whole: &str) -> String {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(repair.as_bytes());
    loop {
        let tag = hasher.finalize().to_hex()[..6].to_owned();
        if !whole.contains(&tag) {
            return tag;
        }
        hasher.update(b"again");
    }
}

/// The texts of a prompt, redacted and cut to size.
struct Texts {
    candidates: usize,
    failure: Value,
    /// Where the failing frame stood, and what its names held there.
    place: String,
    locals: Vec<String>,
    parts: Vec<Value>,
    /// Functions that are not shown, by file.
    beside: Vec<Value>,
    attempts: Vec<Value>,
    seen: Vec<Value>,
    /// What was asked for and cannot be shown.
    unseen: String,
    step: Step,
}

impl Texts {
    /// `settle` is what happens to the words of tests.
    fn new(request: &Request<'_>, redactor: &mut Redactor, settle: &dyn Fn(&str) -> String) -> Texts {
        let mut clean = |text: &str| redactor.redact(text);
        let Diagnosis { failure, also, suspects: _, .. } = request.diagnosis;
        let value = |text: &Option<String>, clean: &mut dyn FnMut(&str) -> String| {
            text.as_deref().map(|text| head(settle(&clean(text)).trim_end(), MESSAGE)).unwrap_or_default()
        };
        let others = also.iter().filter(|id| **id != failure.id).take(5).cloned().collect::<Vec<_>>().join(", ");
        let (expected, actual) = (value(&failure.expected, &mut clean), value(&failure.actual, &mut clean));
        let told = context! {
            id => one_line(&clean(&failure.id)),
            kind => kind(failure.kind),
            message => head(settle(&clean(&failure.message)).trim(), MESSAGE),
            expected => expected,
            actual => actual,
            also => one_line(&clean(&others)),
            output => end(&squeezed(&settle(&clean(&echo::cut(&failure.output, &request.diagnosis.slice)))), OUTPUT),
        };
        let place = failure.location().map(|frame| match (&frame.path, frame.line) {
            (Some(path), Some(line)) => format!("{path}:{line}"),
            _ => frame.written.clone(),
        });
        let place = one_line(&clean(&place.unwrap_or_default()));
        let local = |local: &Local| one_line(&clean(&format!("{} = {}", local.name, local.value)));
        let locals = failure.locals.iter().map(local).collect();
        let mut shown = |slice: &Slice| -> Vec<Value> {
            let part = |part: &Part| {
                let text = clean(&part.text);
                context! { head => heading(part, request.diagnosis), text => text.trim_end_matches(['\n', '\r']) }
            };
            slice.parts.iter().map(part).collect()
        };
        let parts = shown(&request.diagnosis.slice);
        let seen = request.seen.map(&mut shown).unwrap_or_default();
        let unseen = request.seen.map(|seen| one_line(&clean(&seen.dropped.join(", ")))).unwrap_or_default();
        let beside = request.diagnosis.slice.beside.iter();
        let beside = beside.map(|(path, names)| one_line(&clean(&format!("{path}: {}", names.join(", ")))));
        let beside = beside.map(Value::from).collect();
        let from = request.attempts.len().saturating_sub(TRIED);
        let attempts = request.attempts[from..].iter().map(|attempt| {
            context! {
                idea => head(clean(&attempt.idea).trim(), MESSAGE),
                change => head(clean(&attempt.change).trim_end(), TRIED_CHANGE),
                missed => one_line(&head(&settle(&clean(&attempt.missed)), MESSAGE)),
                output => end(&squeezed(&settle(&clean(&attempt.output))), TRIED_OUTPUT),
                passes => attempt.passes,
            }
        });
        let attempts = attempts.collect();
        let (candidates, step) = (request.candidates, request.step);
        Texts { candidates, failure: told, place, locals, parts, beside, attempts, seen, unseen, step }
    }

    fn repair(&self, templates: &Templates, tag: &str) -> Result<String, PromptError> {
        let Texts { candidates, failure, place, locals, parts, beside, .. } = self;
        rendered("repair", &templates.repair, context! { tag, candidates, failure, place, locals, parts, beside })
    }

    fn user(&self, templates: &Templates, tag: &str) -> Result<String, PromptError> {
        let candidates = self.candidates;
        let mut text = self.repair(templates, tag)?;
        if !matches!(self.step, Step::First | Step::Stop) {
            let fresh = self.step == Step::Fresh;
            let Texts { attempts, seen, unseen, .. } = self;
            let context = context! { tag, candidates, fresh, attempts, seen, unseen };
            text.push_str(&rendered("retry", &templates.retry, context)?);
        }
        Ok(text)
    }
}

fn rendered(name: &'static str, template: &str, context: Value) -> Result<String, PromptError> {
    let failed = |source| PromptError { name, source };
    let mut environment = Environment::new();
    // A line with a tag alone leaves no empty line behind.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(failed)?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.render_str(template, context).map_err(failed)
}

/// `gcd.py:1-5 suspect gcd, most suspect line 5`: what the line numbers are,
/// outside of the code.
fn heading(part: &Part, diagnosis: &Diagnosis) -> String {
    let role = match part.role {
        Role::Suspect => "suspect",
        Role::Test => "failing test",
        Role::Helper => "used by the test",
        Role::Definition => "definition",
        Role::Imports => "imports and constants",
    };
    let mut text = format!("{}:{}-{} {role}", part.path, part.lines.start, part.lines.end);
    if let Some(symbol) = &part.symbol {
        text.push_str(&format!(" {}", one_line(symbol)));
    }
    let same = |path: &RelPath, line| *path == part.path && part.lines.contains(line);
    let hot =
        diagnosis.suspects.iter().flat_map(|suspect| suspect.hot.iter().map(move |(line, _)| (&suspect.path, *line)));
    let mut hot: Vec<u32> =
        hot.filter(|(path, line)| part.role == Role::Suspect && same(path, *line)).map(|(_, line)| line).collect();
    hot.truncate(3);
    if !hot.is_empty() && hot.len() < part.lines.count() as usize {
        let listed = hot.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(", most suspect line{} {listed}", if hot.len() > 1 { "s" } else { "" }));
    }
    text
}

fn kind(kind: crate::failure::Kind) -> &'static str {
    use crate::failure::Kind;
    match kind {
        Kind::Assertion => "assertion",
        Kind::Exception => "exception",
        Kind::CompileError => "does not compile",
        Kind::Collection => "cannot be loaded",
        Kind::Timeout => "does not end",
        Kind::Crash => "crash",
        Kind::Exit => "exit code",
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(char::is_control, "")
}

fn head(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The last lines of a text, at most `most` characters of them.
fn end(text: &str, most: usize) -> String {
    let text = text.trim_end().trim_start_matches(['\n', '\r']);
    let Some(skip) = text.chars().count().checked_sub(most).filter(|skip| *skip > 0) else { return text.to_owned() };
    let at = text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at);
    let rest = &text[at..];
    let whole = rest.find('\n').filter(|_| !text[..at].ends_with('\n')).map_or(rest, |line| &rest[line + 1..]);
    format!("…\n{}", if whole.is_empty() { rest } else { whole })
}

/// A text whose runs of one to four lines that repeat are said once: a
/// recursion's trace tells nothing new a thousand times.
fn squeezed(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let times = |size: usize| {
            let unit = lines.get(at..at + size).unwrap_or_default();
            if unit.is_empty() { 0 } else { lines[at..].chunks_exact(size).take_while(|run| *run == unit).count() }
        };
        match (1..=4).map(|size| (size, times(size))).find(|(_, times)| *times >= 3) {
            Some((size, times)) => {
                out.extend(lines[at..at + size].iter().map(ToString::to_string));
                let what = if size == 1 { "this line".to_owned() } else { format!("these {size} lines") };
                out.push(format!("… {what} {times} times"));
                at += size * times;
            }
            None => {
                out.push(lines[at].to_owned());
                at += 1;
            }
        }
    }
    out.join("\n")
}

/// Digest of several texts, 16 hexadecimal digits.
pub(super) fn digest_of(texts: &[&str]) -> String {
    blake3_of(texts).to_hex()[..16].to_owned()
}

fn blake3_of(texts: &[&str]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
pub(super) mod tests;
