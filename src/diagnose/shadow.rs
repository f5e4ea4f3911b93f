//! Whether a name in a function is a variable of it, and not what is defined or
//! imported outside.
//!
//! Knows when a name is bound in each language; resolves none.

use super::file::SourceFile;

/// Whether `name`, used at `byte`, is a local variable or parameter.
pub(super) fn is_variable(file: &SourceFile, name: &str, byte: usize) -> bool {
    match file.language().name {
        "rust" => in_rust(file, name, byte),
        _ => in_python(file, name, byte),
    }
}

/// A name stands for a variable from behind its binding to the end of its
/// block, and where it is bound. A function inside another sees none of the
/// outer one's variables.
fn in_rust(file: &SourceFile, name: &str, byte: usize) -> bool {
    let user = function_around(file, byte);
    file.outline.locals.iter().any(|local| {
        local.name == name
            && (local.visible.contains(&byte) || local.pattern.contains(&byte))
            && binder(file, local.visible.start) == user
    })
}

/// A name that a function binds anywhere is its own everywhere in it, before
/// the binding too (Python reference, "Naming and binding"). A function or an
/// import that binds the name there is no variable.
fn in_python(file: &SourceFile, name: &str, byte: usize) -> bool {
    let locals = || file.outline.locals.iter().filter(|local| local.name == name);
    let mut function = function_around(file, byte);
    while let Some(at) = function {
        let bytes = &file.definition(at).bytes;
        let outer =
            file.outline.outer.iter().find(|outer| outer.name == name && function_around(file, outer.at) == Some(at));
        match outer {
            Some(outer) if outer.global => return false,
            Some(_) => {}
            None => {
                // Of comprehensions and lambdas only what is inside them.
                let bound = file.definition(at).parameters.iter().any(|parameter| parameter == name)
                    || locals().any(|local| {
                        binder(file, local.visible.start) == Some(at)
                            && (local.visible.end == bytes.end || local.visible.contains(&byte))
                    });
                if bound {
                    return !names_code(file, at, name);
                }
            }
        }
        function = callable_around(file, file.definition(at).parent);
    }
    // A comprehension or lambda outside every function.
    locals().any(|local| local.visible.contains(&byte) && binder(file, local.visible.start).is_none())
}

/// Whether a function or an import inside function `at` bears the name.
fn names_code(file: &SourceFile, at: usize, name: &str) -> bool {
    let lines = file.definition(at).lines;
    let inner = file.named(name).iter().any(|found| file.definition(*found).parent == Some(at));
    inner
        || file.outline.imports.iter().any(|import| {
            lines.contains(import.lines.start)
                && callable_around(file, file.enclosing(import.lines.start)) == Some(at)
                && import.locals().contains(&name)
        })
}

/// The innermost function whose body holds `byte`; decorators and defaults are
/// evaluated outside it.
fn function_around(file: &SourceFile, byte: usize) -> Option<usize> {
    around(file, byte, |definition| file.definition(definition).body.contains(&byte))
}

/// The function that a name at `byte` is bound in; a parameter is the
/// function's own, its name is not.
fn binder(file: &SourceFile, byte: usize) -> Option<usize> {
    around(file, byte, |definition| {
        let this = file.definition(definition);
        this.bytes.contains(&byte) && this.name_bytes.end <= byte
    })
}

fn around(file: &SourceFile, byte: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let definitions = &file.outline.definitions;
    let mut at = definitions.partition_point(|definition| definition.bytes.start <= byte).checked_sub(1);
    while let Some(index) = at {
        if definitions[index].kind.is_callable() && holds(index) {
            return Some(index);
        }
        at = definitions[index].parent;
    }
    None
}

/// `definition` or the innermost function around it.
fn callable_around(file: &SourceFile, definition: Option<usize>) -> Option<usize> {
    let mut at = definition;
    while let Some(index) = at {
        if file.definition(index).kind.is_callable() {
            return Some(index);
        }
        at = file.definition(index).parent;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language;
    use crate::language::Language;
    use crate::source::RelPath;

    /// Whether each `name` followed by `?` in the text is a variable.
    fn variables(language: &'static Language, marked: &str) -> Vec<bool> {
        let mut text = String::new();
        let mut uses = Vec::new();
        for (at, piece) in marked.split("quote?").enumerate() {
            if at > 0 {
                uses.push(text.len());
                text.push_str("quote");
            }
            text.push_str(piece);
        }
        let file = SourceFile::new(0, RelPath::new("a").expect("a path"), language, &text);
        uses.iter().map(|byte| is_variable(&file, "quote", *byte)).collect()
    }

    #[test]
    fn a_rust_variable_begins_behind_its_value_and_ends_with_its_block() {
        for (text, wanted) in [
            ("fn f() { let quote? = quote?(1); quote?.cents; }", vec![true, false, true]),
            ("fn f() { { let quote = 1; quote?; } quote?(2); }", vec![true, false]),
            ("fn f() { if let Some(quote) = quote?(1) { quote? } else { quote?(2) } }", vec![false, true, false]),
            ("fn f() { for quote in quote?(1) { quote?; } quote?(2); }", vec![false, true, false]),
            ("fn f(quote: u8) { quote?; g(|quote| quote?); }", vec![true, true]),
            ("fn f() { g(|quote| quote?); quote?(1); }", vec![true, false]),
            ("fn f() { let quote = 1; fn inner() { quote?(1); } }", vec![false]),
            ("fn f() { let (a, quote) = (quote?(1), 2); assert_eq!(quote?, 2); }", vec![false, true]),
        ] {
            assert_eq!(variables(&language::rust::RUST, text), wanted, "{text}");
        }
    }

    #[test]
    fn a_python_name_is_a_variable_wherever_its_function_binds_it() {
        for (text, wanted) in [
            ("def f():\n    quote? (1)\n    quote = 2\n", vec![true]),
            ("from quote import quote\ndef f():\n    quote?(1)\n", vec![false]),
            ("def f():\n    from quote import quote\n    quote?(1)\n", vec![false]),
            ("def f():\n    def quote(): pass\n    quote?(1)\n", vec![false]),
            ("def f():\n    global quote\n    quote = quote?(1)\n", vec![false]),
            ("def f(quote):\n    def g():\n        nonlocal quote\n        quote = quote?(1)\n", vec![true]),
            ("def f(quote):\n    def g():\n        return quote?(1)\n", vec![true]),
            ("def f(a=quote?(1)):\n    quote = a\n", vec![false]),
            ("def f():\n    a = [quote? for quote in b]\n    return quote?(1)\n", vec![true, false]),
            ("def f():\n    a = lambda quote: quote?\n    return quote?(1)\n", vec![true, false]),
            ("a = [quote? for quote in b]\nquote?(1)\n", vec![true, false]),
            ("def f():\n    for quote in b:\n        pass\n    with c as quote:\n        return quote?\n", vec![true]),
            ("class A:\n    quote = 1\n    def f(self):\n        return quote?(1)\n", vec![false]),
        ] {
            assert_eq!(variables(&language::python::PYTHON, text), wanted, "{text}");
        }
    }
}
