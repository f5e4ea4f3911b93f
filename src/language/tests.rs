//! Tests of all languages together; decide nothing else.

use std::fmt::Write;

use insta::assert_snapshot;

use super::*;

/// One small text in each language, with the forms that its query reads.
const TEXTS: &[(&str, &str)] = &[
    (
        "cart.js",
        r#"import money, { round as near } from './money.js';
const { rates } = require('./rates');

/** Sums up. */
export function total(items, { tax = 0.2, off: rebate } = {}, ...rest) {
  let sum = 0;
  for (const item of items) sum += item.price * item.qty;
  return near(sum * (1 + tax));
}

export const LIMIT = 3;
const half = (value) => value / 2, third = x => x / 3;
const table = { a: 1 };
const api = { total, count(items) { return items.length; }, first: (items) => items[0] };

export class Cart extends Base {
  #items = [];
  static limit = 5;
  onClick = () => this.add(1);
  constructor(items) { super(); this.items = items; this.rates = new Rates(items); }
  async total() { return await total(this.items); }
  get size() { return this.items.length; }
}
Cart.prototype.old = function (a) { return a; };
module.exports.twice = (a) => a * 2;
export default (a) => a;

describe('Cart', () => {
  beforeEach(() => {});
  it('adds up', async () => { expect(new Cart([]).total()).toBe(0); });
  it.each([1, 2])(`takes ${1}`, (n) => {});
});
"#,
    ),
    (
        "cart.ts",
        r#"import type { Item } from './item';

export interface Priced extends Named { price: number; total(qty: number): number; }
export type Id = string | number;
export enum Kind { Book, Food = 'food' }
namespace Money { export function round(n: number): number { return n; } }
export abstract class Shop<T> extends Base implements Priced, Open<T> {
  private readonly items: Item[] = [];
  constructor(private cart: Cart, limit = 3) { super(); }
  abstract open(): void;
  public find(id: Id): Cart | undefined { return this.cart.find(id as string); }
}
export function load(path: string): Promise<Shop<Item>>;
export function load(path: string, deep?: boolean) { return new Shop(path); }
export const add = (a: number, b: number): number => a + b;
"#,
    ),
    ("view.tsx", "export const View = ({ cart }: Props) => <Row total={cart.total()}><Cell /></Row>;\n"),
    (
        "cart.go",
        r#"// Package cart sells.
package cart

import "example.test/shop/money"

// Limit is the most.
const Limit = 3

var (
	rates = map[string]int{"a": 1}
	hook  = func(n int) int { return n }
)

type ID = string
type Kind int

// Cart is bought.
type Cart struct {
	items []Item
	rates *money.Rates
	*Base
	sync.Mutex
}

type Totaler interface{ Total(qty int) int }

// New makes one.
func New(items ...Item) *Cart { return &Cart{items: items} }

// Total sums up.
func (c *Cart) Total(qty int, by func(int) int) (sum int, err error) {
	for i, item := range c.items {
		if price := item.Price; price > 0 {
			sum += by(price) * qty
		}
		_ = i
	}
	add := func(a, b int) int { return a + b }
	return money.Round(add(sum, 1)), nil
}

func TestTotal(t *testing.T) {
	t.Run("two items", func(t *testing.T) {
		if got := New().Total(2, hook); got != 0 {
			t.Errorf("got %d", got)
		}
	})
}
"#,
    ),
    (
        "Cart.java",
        r#"package shop;

import java.util.List;
import static shop.Money.round;

/** Is bought. */
public class Cart extends Base implements Priced {
  static final int LIMIT = 3;
  private List<Item> items, more;
  public Cart(List<Item> items) { super(); this.items = items; }
  @Override
  public int total(int qty, int... rest) throws Error {
    int sum = 0;
    for (Item item : items) { sum += item.price() * qty; }
    Money money = new Money(sum);
    return round(money.half());
  }
  static class Inner { void go() {} }
  enum Kind { A, B; int rank() { return 1; } }
  interface Priced { int price(); }
  record Pair(int a, int b) {}
}
class CartChecks { @Test void adds() { assertEquals(0, new Cart(null).total(1)); } }
"#,
    ),
];

fn parsed(name: &str) -> Parsed {
    let (path, text) = TEXTS.iter().find(|(path, _)| *path == name).expect("a text");
    parse(of_path(&RelPath::new(path).expect("path")).expect("a language"), text)
}

/// What the query finds in a text, as a person would read it.
fn rendered(parsed: &Parsed) -> String {
    let outline = parsed.outline();
    let mut out = String::new();
    for found in &outline.definitions {
        let test = if found.is_test { " test" } else { "" };
        let signature = parsed.text[found.signature.clone()].lines().next().unwrap_or_default();
        let given = outline.results.iter().find(|result| result.at == found.name_bytes.start);
        let given = given.and_then(|result| result.written_type.as_deref()).unwrap_or("-");
        let (lines, parameters, bases) = (found.lines, found.parameters.join(","), found.bases.join(","));
        writeln!(
            out,
            "{:?} {} {}-{} [{parameters}] <{bases}> {given}{test} | {signature}",
            found.kind, found.qualified, lines.start, lines.end
        )
        .expect("written");
    }
    let calls = outline.references.iter().filter(|found| found.kind != ReferenceKind::Value);
    let calls = calls.map(|found| match &found.receiver {
        Some(receiver) => format!("{receiver}.{}:{}", found.name, found.line),
        None => format!("{}:{}", found.name, found.line),
    });
    writeln!(out, "calls and types: {}", calls.collect::<Vec<_>>().join(", ")).expect("written");
    let local = |local: &scopes::Local| format!("{}:{}", local.name, local.line);
    writeln!(out, "locals: {}", outline.locals.iter().map(local).collect::<Vec<_>>().join(", ")).expect("written");
    let binding = |binding: &scopes::Binding| match (&binding.written_type, &binding.value) {
        (Some(written), _) => format!("{}: {written}", binding.name),
        (None, Some(value)) => format!("{} = {}", binding.name, &parsed.text[value.clone()].replace('\n', " ")),
        (None, None) => binding.name.clone(),
    };
    writeln!(out, "bindings: {}", outline.bindings.iter().map(binding).collect::<Vec<_>>().join(" | "))
        .expect("written");
    let point = |point: &outline::Point| format!("{:?}:{}", point.kind, point.line);
    writeln!(out, "points: {}", outline.points.iter().map(point).collect::<Vec<_>>().join(" ")).expect("written");
    out
}

#[test]
fn javascript_is_read_like_this() {
    assert_snapshot!(rendered(&parsed("cart.js")));
}

#[test]
fn typescript_is_read_like_this() {
    assert_snapshot!(rendered(&parsed("cart.ts")));
    assert_snapshot!(rendered(&parsed("view.tsx")));
}

#[test]
fn go_is_read_like_this() {
    assert_snapshot!(rendered(&parsed("cart.go")));
}

#[test]
fn java_is_read_like_this() {
    assert_snapshot!(rendered(&parsed("Cart.java")));
}

#[test]
fn the_texts_of_these_tests_are_right() {
    for (path, _) in TEXTS {
        assert_eq!(parsed(path).errors(), 0, "{path}");
    }
}

#[test]
fn names_and_extensions_are_each_of_one_language_and_families_are_of_the_table() {
    let mut names = std::collections::HashSet::new();
    let mut extensions = std::collections::HashSet::new();
    for language in LANGUAGES {
        assert!(names.insert(language.name), "{language:?}");
        assert!(LANGUAGES.iter().any(|other| other.name == language.family), "{language:?}");
        for extension in language.extensions {
            assert!(extensions.insert(*extension), "{extension} of {language:?}");
        }
    }
}

#[test]
fn every_language_has_a_text_here_or_tests_of_its_own() {
    let read = |language: &&&Language| {
        matches!(language.name, "python" | "rust")
            || TEXTS.iter().any(|(path, _)| of_path(&RelPath::new(path).expect("path")) == Some(language))
    };
    let unread: Vec<&&Language> = LANGUAGES.iter().filter(|language| !read(language)).collect();
    assert!(unread.is_empty(), "{unread:?}");
}

#[test]
fn the_names_of_a_scope_are_its_own_and_those_around_it() {
    for (path, line, wanted) in [
        ("cart.js", 7, vec!["item", "sum", "rest", "rebate", "tax", "items"]),
        ("cart.go", 35, vec!["price", "i", "item", "sum", "err", "qty", "by", "c"]),
        ("Cart.java", 14, vec!["item", "sum", "qty", "rest"]),
    ] {
        let mut names = parsed(path).scope_names(line);
        let mut wanted = wanted;
        names.sort();
        wanted.sort_unstable();
        assert_eq!(names, wanted, "{path}:{line}");
    }
}

#[test]
fn where_a_line_ends_counts_where_it_ends_a_statement() {
    let tokens = |text: &str| parse(&javascript::JAVASCRIPT, text).tokens();
    assert_ne!(tokens("function f(x) { return\n x }"), tokens("function f(x) { return x }"));
    assert_eq!(tokens("function f(x) { return x }"), tokens("function f(x) {\n  return x // it\n}"));
}

#[test]
fn only_functions_that_differ_are_looked_at_where_nothing_else_does() {
    let text = "import os\n\ndef f(x):\n    return x\n\nclass A:\n    def g(self):\n        return 1\n\nX = f(1)\n";
    for (from, to, wanted) in [
        ("return x", "return x + 1", vec!["def f(x):\n    return x + 1"]),
        ("return 1", "return 2", vec!["class A:\n    def g(self):\n        return 2"]),
        ("import os", "import sys", vec![]),
        ("X = f(1)", "X = f(2)", vec![]),
        ("class A", "def h(): pass\n\nclass A", vec![]),
        ("return x", "return (x", vec![]),
        ("return x", "return x", vec![]),
    ] {
        let (before, after) = (parse(&python::PYTHON, text), parse(&python::PYTHON, &text.replace(from, to)));
        let (ours, theirs) = differing(&before, &after);
        let whole = theirs.first() == Some(&after.tree.root_node());
        let found: Vec<&str> = if whole { vec![] } else { theirs.iter().map(|node| after.text_of(*node)).collect() };
        assert_eq!(found, wanted, "{to}");
        assert_eq!(ours.len(), theirs.len(), "{to}");
    }
}

#[test]
fn a_text_that_was_parsed_lately_has_the_same_tree() {
    let texts = ["x = 1\n", "x = 2\n", "y = (\n", "x = 1\n", "z\n", "x = 2\n"];
    for text in texts {
        let (kept, anew) = (parse(&python::PYTHON, text), parse_anew(&python::PYTHON, text));
        assert_eq!(kept.tree.root_node().to_sexp(), anew.tree.root_node().to_sexp());
    }
    let other = parse(&rust::RUST, "x = 1\n");
    assert_eq!(other.language.name, "rust", "another language is another tree");
}
