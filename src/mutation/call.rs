//! Calls: arguments in the wrong order or the wrong ones, a call too many, the
//! wrong function (PAR "parameter replacer", "method replacer"; TBar FP10 and
//! FP13; swapped arguments as in Rice et al. 2017).

use tree_sitter::Node;

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::short;
use super::place::sum_in_place;
use super::shape;
use super::shape::Shape;

/// Neighbouring arguments change places; all orders of a recursive call.
pub static ARGUMENTS_SWAPPED: Operator =
    Operator { name: "arguments-swapped", what: "arguments change places", prior: 0.7, apply: arguments_swapped };

/// An argument is another name, or another argument of the same call.
pub static ARGUMENT: Operator =
    Operator { name: "wrong-argument", what: "an argument becomes another name", prior: 0.4, apply: argument };

/// An argument of a recursive call is changed as its sibling is, or by a name.
pub static ADJUSTED: Operator = Operator {
    name: "argument-adjusted",
    what: "an argument of a recursive call is reduced or advanced",
    prior: 0.45,
    apply: adjusted,
};

/// `f(x)` becomes `x`.
pub static UNWRAPPED: Operator =
    Operator { name: "call-unwrapped", what: "a call gives way to its argument", prior: 0.35, apply: unwrapped };

/// Another function with the same arguments.
pub static FUNCTION: Operator =
    Operator { name: "wrong-function", what: "another function is called", prior: 0.55, apply: function };

/// Whether the call is of the function around it.
fn is_recursive<'a>(site: &Site<'a>) -> bool {
    let callee = site.scope.syntax.callee(site.node).map_or("", |callee| site.of(callee));
    let last = callee.rsplit(['.', ':']).next().unwrap_or(callee);
    !last.is_empty() && (last == site.scope.name)
}

/// Whether each argument stands for itself: by place, and no callback.
fn is_positional(arguments: &[Node<'_>]) -> bool {
    arguments.iter().all(|node| {
        !matches!(
            node.kind(),
            "keyword_argument"
                | "list_splat"
                | "dictionary_splat"
                | "closure_expression"
                | "spread_element"
                | "arrow_function"
                | "function_expression"
                | "func_literal"
                | "lambda_expression"
                | "variadic_argument"
        )
    })
}

fn arguments_swapped<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let arguments = site.scope.syntax.arguments(site.node);
    if arguments.len() < 2 || arguments.len() > 8 || !is_positional(&arguments) {
        return;
    }
    let recursive = is_recursive(site);
    let range = arguments[0].start_byte()..arguments[arguments.len() - 1].end_byte();
    let texts: Vec<&str> = arguments.iter().map(|node| site.of(*node)).collect();
    let orders: Vec<Vec<usize>> = if recursive && arguments.len() == 3 {
        vec![vec![1, 0, 2], vec![0, 2, 1], vec![2, 1, 0], vec![1, 2, 0], vec![2, 0, 1]]
    } else {
        let swapped = |at: usize| {
            let mut order: Vec<usize> = (0..arguments.len()).collect();
            order.swap(at, at + 1);
            order
        };
        (0..arguments.len() - 1).map(swapped).collect()
    };
    for order in orders {
        let text = order.iter().map(|at| texts[*at]).collect::<Vec<_>>().join(", ");
        let note = if recursive {
            "the arguments of the recursive call are in the wrong order"
        } else {
            "the arguments are in the wrong order"
        };
        let alike = arguments.windows(2).all(|pair| {
            let shapes: Vec<Shape> = pair.iter().map(|node| shape_of(site, *node)).collect();
            shapes[0].fit(shapes[1]) > 0.5
        });
        let weight = match (recursive, alike) {
            (true, _) => 1.0,
            (false, true) => 0.8,
            (false, false) => 0.45,
        };
        out.push(Replacement::new(range.clone(), text, note, weight));
    }
}

fn shape_of<'a>(site: &Site<'a>, node: Node<'a>) -> Shape {
    if node.kind() == "identifier" {
        site.scope.shape(site.of(node))
    } else {
        shape::of_value(site.parsed, site.scope.syntax, node)
    }
}

fn argument<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let arguments = site.scope.syntax.arguments(site.node);
    for (position, node) in arguments.iter().enumerate() {
        // Plain names are the work of `wrong-variable`.
        if node.kind() == "identifier"
            || matches!(
                node.kind(),
                "keyword_argument"
                    | "closure_expression"
                    | "lambda"
                    | "arrow_function"
                    | "function_expression"
                    | "func_literal"
                    | "lambda_expression"
                    | "spread_element"
            )
        {
            continue;
        }
        let shape = shape_of(site, *node);
        let mut candidates: Vec<(String, f64)> = Vec::new();
        for name in site.scope.names_at(site.node.start_byte()).filter(|name| !name.global).take(12) {
            let fit = shape.fit(name.shape);
            if fit > 0.5 {
                candidates.push((name.text.to_owned(), fit * 0.7));
            }
        }
        for (other, argument) in arguments.iter().enumerate() {
            if other != position && argument.kind() != "identifier" {
                candidates.push((site.of(*argument).to_owned(), 0.3));
            }
        }
        for (text, weight) in candidates {
            let note = format!("the argument `{}` is the wrong one", short(site.of(*node)));
            out.push(Replacement::new(node.byte_range(), text, note, weight));
        }
    }
}

fn adjusted<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let arguments = syntax.arguments(site.node);
    if !is_recursive(site) || !is_positional(&arguments) {
        return;
    }
    for node in &arguments {
        let shape = shape_of(site, *node);
        let list = node.parent();
        if node.kind() == "identifier" && !shape.has(Shape::NUMBER) {
            // The rest of a sequence: as a sibling argument does it, or `[1:]`.
            let name = site.of(*node);
            let rests = syntax.rests;
            let slices = arguments.iter().filter(|other| other.kind() == syntax.index);
            let borrow = if syntax.tail_values { "&" } else { "" };
            let mut seen: Vec<String> = slices
                .filter_map(|other| Some(site.of(*other).get(site.of(other.named_child(0)?).len()..)?.to_owned()))
                .collect();
            let by_sibling = seen.len();
            seen.extend(rests.iter().map(|rest| (*rest).to_owned()));
            for (rank, rest) in seen.iter().enumerate() {
                let note = format!("the recursive call gets all of `{name}` again");
                let weight = if rank < by_sibling { 1.0 } else { 0.7 };
                out.push(Replacement::new(node.byte_range(), format!("{borrow}{name}{rest}"), note, weight));
            }
        }
        if shape.may_be(Shape::NUMBER) && node.kind() == "identifier" {
            for name in site.scope.names_at(site.node.start_byte()) {
                if name.text == site.of(*node) || !name.shape.has(Shape::NUMBER) || name.global {
                    continue;
                }
                for (sign, weight) in [("-", 0.9), ("+", 0.6)] {
                    let text = format!("{} {sign} {}", site.of(*node), name.text);
                    let text = sum_in_place(site, *node, list, text);
                    let note = format!("the recursive call has to account for `{}`", name.text);
                    out.push(Replacement::new(node.byte_range(), text, note, weight));
                }
            }
        }
    }
}

fn unwrapped<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let arguments = site.scope.syntax.arguments(site.node);
    let Some(first) = arguments.first().filter(|first| !first.kind().contains("splat")) else { return };
    let method = site.scope.syntax.member_of(site.node).is_some();
    if arguments.len() > 2 || first.kind() == "keyword_argument" {
        return;
    }
    let callee = site.scope.syntax.callee(site.node).map_or("", |callee| site.of(callee));
    let statement = site.parent.is_some_and(|parent| parent.kind() == "expression_statement");
    if statement || matches!(callee, "len" | "range" | "print" | "isinstance" | "Some" | "Ok" | "Err") {
        return;
    }
    let mut weight = if is_recursive(site) { 0.9 } else { 0.5 };
    if arguments.len() == 2 || method {
        weight *= 0.4;
    }
    let note = format!("`{callee}` is not to be called here");
    out.push(Replacement::new(site.node.byte_range(), site.of(*first), note, weight));
}

/// Functions that are taken for each other.
const PAIRS: &[(&str, &str)] = &[
    ("any", "all"),
    ("min", "max"),
    ("floor", "ceil"),
    ("int", "round"),
    ("sorted", "list"),
    ("sorted", "reversed"),
    ("list", "set"),
    ("list", "tuple"),
    ("filter", "map"),
    ("zip", "zip_longest"),
    ("is_some", "is_none"),
    ("is_ok", "is_err"),
    ("first", "last"),
    ("take", "skip"),
    ("take_while", "skip_while"),
    ("starts_with", "ends_with"),
    ("startswith", "endswith"),
    ("lower", "upper"),
    ("to_lowercase", "to_uppercase"),
    ("to_ascii_lowercase", "to_ascii_uppercase"),
    ("lstrip", "rstrip"),
    ("strip", "rstrip"),
    ("trim_start", "trim_end"),
    ("find", "rfind"),
    ("index", "rindex"),
    ("split", "rsplit"),
    ("keys", "values"),
    ("values", "items"),
    ("keys", "items"),
    ("union", "intersection"),
    ("union", "difference"),
    ("issubset", "issuperset"),
    ("is_subset", "is_superset"),
    ("push_back", "push_front"),
    ("pop_back", "pop_front"),
    ("popleft", "pop"),
    ("append", "appendleft"),
    ("isalpha", "isalnum"),
    ("isdigit", "isalnum"),
    ("chars", "bytes"),
    ("sum", "len"),
    ("sum", "max"),
    ("sum", "product"),
    ("map", "filter_map"),
    ("map", "flat_map"),
    ("map", "and_then"),
    ("unwrap_or", "unwrap_or_default"),
    ("bisect_left", "bisect_right"),
    ("min_by_key", "max_by_key"),
    ("min_by", "max_by"),
    ("position", "rposition"),
    ("split_once", "rsplit_once"),
    ("splitn", "rsplitn"),
    ("trim", "trim_end"),
    ("trim", "trim_start"),
    ("contains", "starts_with"),
    ("is_alphabetic", "is_alphanumeric"),
    ("is_numeric", "is_alphanumeric"),
    ("is_uppercase", "is_lowercase"),
    ("saturating_sub", "wrapping_sub"),
    ("ceil", "round"),
    ("floor", "round"),
    ("heappush", "heappop"),
    ("some", "every"),
    ("startsWith", "endsWith"),
    ("toLowerCase", "toUpperCase"),
    ("indexOf", "lastIndexOf"),
    ("trimStart", "trimEnd"),
    ("trim", "trimStart"),
    ("slice", "splice"),
    ("push", "unshift"),
    ("pop", "shift"),
    ("find", "findLast"),
    ("map", "flatMap"),
    ("padStart", "padEnd"),
    ("entries", "values"),
    ("parseInt", "parseFloat"),
    ("HasPrefix", "HasSuffix"),
    ("ToLower", "ToUpper"),
    ("TrimLeft", "TrimRight"),
    ("TrimPrefix", "TrimSuffix"),
    ("Index", "LastIndex"),
    ("Floor", "Ceil"),
    ("Min", "Max"),
    ("Before", "After"),
    ("anyMatch", "allMatch"),
    ("getFirst", "getLast"),
];

fn function<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if site.kind() != site.scope.syntax.call {
        return;
    }
    let Some(callee) = site.scope.syntax.callee(site.node) else { return };
    let name = site.scope.syntax.member_of(site.node).map_or(callee, |(_, member)| member);
    if callee.kind() != "identifier" && name == callee {
        return;
    }
    let text = site.of(name);
    for (one, other) in PAIRS {
        let new = if text == *one {
            other
        } else if text == *other {
            one
        } else {
            continue;
        };
        let note = format!("`{new}` is meant, not `{text}`");
        out.push(Replacement::new(name.byte_range(), *new, note, 1.0));
    }
    // Another function of the file that takes as many arguments.
    let given = site.scope.syntax.arguments(site.node).len();
    if name == callee {
        for (other, count) in &site.scope.file.functions {
            if *other != text && *count == given && *other != site.scope.name {
                let known = site.scope.file.functions.iter().any(|(function, _)| *function == text);
                let note = format!("`{other}` is meant, not `{text}`");
                out.push(Replacement::new(name.byte_range(), *other, note, if known { 0.6 } else { 0.1 }));
            }
        }
    }
}
