//! A verified patch as a mail that `git am` takes, and `git apply` too.
//!
//! ```text
//! mail = "From " zeros date NL headers NL body NL "---" NL diff NL "-- " NL version
//! ```
//!
//! The form is that of `git format-patch` (gitformat-patch-id(1), git-am(1)).
//! Composes text; writes nothing.

use super::branch::Message;
use crate::patch::Patch;

/// The mail of a patch; `date` as in RFC 2822.
pub fn compose(patch: &Patch, message: &Message, date: &str) -> String {
    let whole = message.render();
    let (subject, body) = whole.split_once('\n').unwrap_or((&whole, ""));
    let body: Vec<String> = body.trim().lines().map(harmless).collect();
    format!(
        "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n\
         From: heal <heal@localhost>\nDate: {date}\nSubject: [PATCH] {subject}\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n\
         {}\n---\n\n{}-- \nheal {}\n",
        body.join("\n"),
        patch.diff(),
        env!("CARGO_PKG_VERSION"),
    )
}

/// A line of the message that `git am` would take for the end of it
/// (`mailinfo.c`: `---`, `diff -`, `Index: `; `From ` begins the next mail, and
/// `>From ` is the mbox form of it), and scissors.
fn harmless(line: &str) -> String {
    let trimmed = line.trim_end();
    let ends = trimmed.starts_with("---") || line.starts_with("diff -") || line.starts_with("Index: ");
    let cuts = line.contains(">8") || line.contains("8<") || line.contains(">%") || line.contains("%<");
    if ends || cuts || line.starts_with("From ") { format!("| {line}") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    #[test]
    fn nothing_in_an_explanation_ends_the_mail() {
        let message = Message {
            failure: "t::é".into(),
            fingerprint: "ab12".into(),
            explanation: "The bound.\n---\ndiff --git a/x b/x\nFrom me\nIndex: x\n-- >8 --\nEnd.".into(),
            run: "01J".into(),
            source: "rule off-by-one".into(),
            evidence: "target 3/3".into(),
            ledger: "ff".into(),
        };
        let patch = Patch::of_file(RelPath::new("a.py").expect("path"), "x = 1\n", "x = 2\n");
        insta::assert_snapshot!(compose(&patch, &message, "Fri, 27 Nov 2026 10:00:00 +0000"), @r"
        From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
        From: heal <heal@localhost>
        Date: Fri, 27 Nov 2026 10:00:00 +0000
        Subject: [PATCH] Fix t::é
        MIME-Version: 1.0
        Content-Type: text/plain; charset=UTF-8
        Content-Transfer-Encoding: 8bit

        The bound.
        | ---
        | diff --git a/x b/x
        | From me
        | Index: x
        | -- >8 --
        End.

        Heal-Run: 01J
        Heal-Failure: ab12
        Heal-Source: rule off-by-one
        Heal-Evidence: target 3/3
        Heal-Ledger: ff
        ---

        diff --git a/a.py b/a.py
        --- a/a.py
        +++ b/a.py
        @@ -1 +1 @@
        -x = 1
        +x = 2
        -- 
        heal 0.1.0
        ");
    }
}
