//! The contract: every case of `contract/corpus`, and no tag without one.

use data_bridge_ir::{ActionTag, ElementTag, ExprTag, ExtraTag, Operator, SourceTag, StatementTag, decode};
use data_bridge_sql::{compile, render};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn contract() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contract")
}

fn cases() -> Vec<(String, Value)> {
    let mut cases = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(contract().join("corpus")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let list: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for case in list {
            cases.push((file.file_name().unwrap().to_string_lossy().into_owned(), case));
        }
    }
    assert!(cases.len() > 100, "the corpus is missing: {} cases", cases.len());
    cases
}

#[test]
fn every_case_compiles_to_its_text() {
    let mut wrong = Vec::new();
    for (file, case) in cases() {
        let name = case["name"].as_str().unwrap();
        match decode(&&case["ir"]) {
            Err(error) => wrong.push(format!("{file} {name}: {error}")),
            Ok(decoded) => {
                let compiled = compile(&decoded);
                let sql = case["sql"].as_str().unwrap();
                if compiled.sql != sql {
                    wrong.push(format!("{file} {name}\n  want {sql}\n  got  {}", compiled.sql));
                }
                let params = case["params"].as_array().unwrap().len();
                if compiled.params != params {
                    wrong.push(format!("{file} {name}: {} parameters, want {params}", compiled.params));
                }
                // Written for humans the text must be the same but for white space.
                let (pretty, slots) = render(&decoded, data_bridge_sql::Style::Numeric, true);
                let squeeze = |text: &str| text.split_whitespace().collect::<String>();
                if case["ir"][0] != "styled" && squeeze(&pretty.sql) != squeeze(sql) {
                    wrong.push(format!("{file} {name}: pretty differs\n{}", pretty.sql));
                }
                if slots.iter().copied().collect::<BTreeSet<_>>().len() != params {
                    wrong.push(format!("{file} {name}: not every parameter is written: {slots:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn tags(tree: &Value, seen: &mut BTreeSet<String>) {
    match tree {
        Value::Array(items) => items.iter().for_each(|item| tags(item, seen)),
        Value::String(text) => {
            seen.insert(text.clone());
        }
        _ => {}
    }
}

#[test]
fn no_tag_is_forgotten() {
    let mut seen = BTreeSet::new();
    cases().iter().for_each(|(_, case)| tags(&case["ir"], &mut seen));
    let manual = std::fs::read_to_string(contract().join("ir.md")).unwrap();
    let families = [
        StatementTag::ALL,
        SourceTag::ALL,
        ExprTag::ALL,
        Operator::ALL,
        ExtraTag::ALL,
        ActionTag::ALL,
        ElementTag::ALL,
    ];
    for tag in families.into_iter().flatten() {
        assert!(seen.contains(*tag), "no corpus case uses {tag:?}");
        assert!(manual.contains(&format!("`{tag}`")) || manual.contains(&format!("\"{tag}\"")), "ir.md lacks {tag:?}");
    }
}
