//! Whatever decodes compiles, and whatever does not decode says where: over a hundred thousand damaged structures.

use data_bridge_ir::{Decoded, decode};
use data_bridge_sql::{Style, compile, render};
use serde_json::{Value, json};
use std::path::Path;

/// A small generator of its own (xorshift), so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

fn corpus() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contract/corpus");
    let mut trees = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
        trees.extend(cases.into_iter().map(|mut case| case["ir"].take()));
    }
    trees
}

/// Every node of a tree, for grafting.
fn nodes<'a>(tree: &'a Value, into: &mut Vec<&'a Value>) {
    into.push(tree);
    if let Value::Array(items) = tree {
        items.iter().for_each(|item| nodes(item, into));
    }
}

/// Changes one place of a tree, chosen at random.
fn damage(tree: &mut Value, random: &mut Random, parts: &[Value]) {
    let Value::Array(items) = tree else {
        *tree = random.pick(parts).clone();
        return;
    };
    if items.is_empty() || random.below(6) == 0 {
        let part = random.pick(parts).clone();
        match random.below(6) {
            0 if !items.is_empty() => {
                let at = random.below(items.len());
                items.remove(at);
            }
            1 => items.push(part),
            2 if !items.is_empty() => {
                let (a, b) = (random.below(items.len()), random.below(items.len()));
                items.swap(a, b);
            }
            3 if !items.is_empty() => {
                let at = random.below(items.len());
                items[at] = part;
            }
            4 => {
                let at = random.below(items.len() + 1);
                items.insert(at, part);
            }
            _ => *tree = part,
        }
        return;
    }
    let at = random.below(items.len());
    damage(&mut items[at], random, parts);
}

/// Text and slots of a statement are sound, whatever it says.
fn check(decoded: &Decoded) {
    let compiled = compile(decoded);
    assert_eq!(compiled.params, decoded.params);
    for style in [Style::Numeric, Style::Format, Style::Pyformat, Style::Named] {
        for pretty in [false, true] {
            let (_, slots) = render(decoded, style, pretty);
            assert!(slots.iter().all(|slot| *slot < decoded.params));
        }
    }
}

#[test]
fn a_damaged_structure_compiles_or_says_where_it_is_wrong() {
    let trees = corpus();
    let mut all = Vec::new();
    trees.iter().for_each(|tree| nodes(tree, &mut all));
    let mut parts: Vec<Value> = all.into_iter().cloned().collect();
    parts.extend([
        json!(null),
        json!(true),
        json!(1.5),
        json!({}),
        json!([]),
        json!(""),
        json!("\u{0}"),
        json!("x".repeat(64)),
        json!(-1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(["rows", 40_000_000]),
        json!(["same", 70_000]),
        json!("é\u{301}\"'\\"),
    ]);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut good, mut bad) = (0_u32, 0_u32);
    for round in 0..120_000 {
        let mut tree = random.pick(&trees).clone();
        for _ in 0..=random.below(3) {
            damage(&mut tree, &mut random, &parts);
        }
        match decode(&&tree) {
            Ok(decoded) => {
                good += 1;
                check(&decoded);
            }
            Err(error) => {
                bad += 1;
                assert!(error.path.starts_with('$') && !error.message.is_empty(), "round {round}: {error}");
                let steps: Vec<usize> = error.path.split('.').skip(1).map(|step| step.parse().unwrap()).collect();
                // The path leads to a node of the tree.
                let mut node = &tree;
                for step in steps {
                    node = node.get(step).unwrap_or_else(|| panic!("round {round}: {error} in {tree}"));
                }
            }
        }
    }
    assert!(good > 5_000 && bad > 5_000, "{good} good, {bad} bad: the damage is too weak or too strong");
}

/// An array that takes its items: `json!` would copy them, and a deep tree cannot be copied.
fn node(items: Vec<Value>) -> Value {
    Value::Array(items)
}

#[test]
fn depth_is_bounded() {
    let select = |column: Value| {
        node(vec![
            "select".into(),
            Value::Null,
            node(vec![column]),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ])
    };
    for nested in [false, true] {
        let mut tree = node(vec!["true".into()]);
        for _ in 0..5_000 {
            tree = if nested { node(vec!["exists".into(), select(tree)]) } else { node(vec!["not".into(), tree]) };
        }
        let statement = select(tree);
        let error = decode(&&statement).unwrap_err();
        assert!(error.message.contains("deeper"), "{error}");
        // Nor can it be dropped.
        std::mem::forget(statement);
    }
}

/// The deepest statements that are accepted fit a small stack: half a megabyte, a thread of musl or macOS.
#[test]
fn the_deepest_structure_fits_a_small_stack() {
    let deep = || {
        for nested in [false, true] {
            let select = |column: Value| {
                node(vec![
                    "select".into(),
                    Value::Null,
                    node(vec![column]),
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    Value::Null,
                ])
            };
            let mut tree = node(vec!["true".into()]);
            for _ in 0..if nested { 95 } else { 190 } {
                tree = if nested { node(vec!["exists".into(), select(tree)]) } else { node(vec!["not".into(), tree]) };
            }
            let decoded = decode(&&select(tree)).unwrap();
            assert!(compile(&decoded).sql.len() > 500);
        }
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(deep).unwrap().join().unwrap();
}

#[test]
fn a_sum_of_many_terms_is_flat_enough() {
    let mut tree = json!(["col", null, "a"]);
    for _ in 0..150 {
        tree = json!(["+", tree, "$"]);
    }
    let statement = json!(["select", null, [tree], null, null, null, null, null]);
    assert_eq!(decode(&&statement).unwrap().params, 150);
}

#[test]
fn wide_structures_are_fine() {
    let conditions: Vec<Value> = (0..20_000).map(|_| json!(["=", ["col", null, "a"], "$"])).collect();
    let statement = json!(["select", null, [["star"]], conditions, null, null, null, null]);
    let decoded = decode(&&statement).unwrap();
    assert_eq!(decoded.params, 20_000);
    assert!(compile(&decoded).sql.ends_with("\"a\" = $20000"));
}
