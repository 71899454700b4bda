//! Columns, constraints and the actions of ALTER TABLE.

use crate::change::{Action, Column, Constraint, Kind};
use crate::name::{Name, one};
use crate::read_expression::expression;
use crate::tree::{child, children, has, has_word, named, offset, text};
use crate::types::Type;
use squawk_syntax::SyntaxKind as K;
use squawk_syntax::SyntaxNode;

fn is_type(kind: K) -> bool {
    matches!(
        kind,
        K::ARRAY_TYPE
            | K::PATH_TYPE
            | K::VARCHAR_TYPE
            | K::CHARACTER_TYPE
            | K::BIT_TYPE
            | K::BIT_VARYING_TYPE
            | K::DOUBLE_TYPE
            | K::TIME_TYPE
            | K::TIMESTAMP_TYPE
            | K::INTERVAL_TYPE
    )
}

fn type_in(node: &SyntaxNode) -> Type {
    node.children().find(|n| is_type(n.kind())).map(|n| Type::read(&text(&n))).unwrap_or_default()
}

/// A column of CREATE TABLE or ADD COLUMN.
pub fn column(node: &SyntaxNode) -> Column {
    let name = child(node, K::COLUMN_NAME).map(|n| one(&text(&n))).unwrap_or_default();
    let mut made = Column { ty: type_in(node), at: offset(node), ..Column::default() };
    for part in node.children() {
        match part.kind() {
            K::NOT_NULL_CONSTRAINT => made.not_null = true,
            K::DEFAULT_CONSTRAINT => {
                made.default = part.children().find(|n| n.kind() != K::CONSTRAINT_NAME_CLAUSE).map(|n| expression(&n));
            }
            K::GENERATED_CONSTRAINT => {
                if let Some(expr) = child(&part, K::GENERATED_STORED) {
                    made.generated = expr.children().find(|n| n.kind() != K::GENERATED_ALWAYS).map(|n| expression(&n));
                    // PostgreSQL 18 says VIRTUAL where nothing is said; what is not spelled out is taken as stored before it.
                    made.stored = has(&expr, K::STORED);
                } else {
                    made.identity = true;
                    made.not_null = true;
                }
            }
            _ => {
                if let Some(found) = constraint(&part, Some(&name)) {
                    made.not_null |= found.kind == Kind::Primary;
                    made.constraints.push(found);
                }
            }
        }
    }
    made.not_null |= made.ty.serial();
    made.name = name;
    made
}

fn column_names(node: Option<SyntaxNode>) -> Vec<String> {
    node.iter().flat_map(|n| children(n, K::COLUMN_NAME_REF).collect::<Vec<_>>()).map(|n| one(&text(&n))).collect()
}

/// A constraint of a table, or of the column that is named.
pub fn constraint(node: &SyntaxNode, column: Option<&str>) -> Option<Constraint> {
    let own: Vec<String> = column.map(str::to_owned).into_iter().collect();
    let listed =
        || column_names(child(node, K::INDEX_PARAMETERS).and_then(|n| child(&n, K::CONSTRAINT_COLUMN_REF_LIST)));
    let (kind, columns) = match node.kind() {
        K::CHECK_CONSTRAINT => (Kind::Check, own),
        K::NOT_NULL_CONSTRAINT => {
            let named = children(node, K::COLUMN_NAME_REF).map(|n| one(&text(&n))).collect();
            (Kind::NotNull, if column.is_some() { own } else { named })
        }
        K::UNIQUE_CONSTRAINT => (Kind::Unique, if column.is_some() { own } else { listed() }),
        K::PRIMARY_KEY_CONSTRAINT => (Kind::Primary, if column.is_some() { own } else { listed() }),
        K::EXCLUDE_CONSTRAINT => (Kind::Exclude, own),
        K::REFERENCES_CONSTRAINT => {
            let columns = children(node, K::COLUMN_NAME_REF).map(|n| one(&text(&n))).collect();
            (Kind::Foreign { table: named(node, K::TABLE_NAME_REF), columns }, own)
        }
        K::FOREIGN_KEY_CONSTRAINT => {
            let mut lists = children(node, K::FOREIGN_KEY_COLUMN_LIST);
            let from = column_names(lists.next());
            (Kind::Foreign { table: named(node, K::TABLE_NAME_REF), columns: column_names(lists.next()) }, from)
        }
        _ => return None,
    };
    Some(Constraint {
        name: child(node, K::CONSTRAINT_NAME_CLAUSE).and_then(|n| n.first_child()).map(|n| one(&text(&n))),
        kind,
        columns,
        not_valid: has(node, K::NOT_VALID),
        using_index: child(node, K::USING_INDEX_NAME).and_then(|n| n.first_child()).map(|n| Name::read(&text(&n))),
        text: text(node),
        at: offset(node),
    })
}

/// The actions of ALTER TABLE with their offsets.
pub fn actions(node: &SyntaxNode) -> Vec<(Action, usize)> {
    node.children()
        .filter(|n| !matches!(n.kind(), K::IF_EXISTS | K::TABLE_RELATION_NAME))
        .map(|n| (action(&n), offset(&n)))
        .collect()
}

fn action(node: &SyntaxNode) -> Action {
    let first = || node.children().find(|n| n.kind() != K::IF_EXISTS).map(|n| one(&text(&n))).unwrap_or_default();
    let last = || node.last_child().map(|n| one(&text(&n))).unwrap_or_default();
    let cascade = has(node, K::CASCADE);
    match node.kind() {
        K::ADD_COLUMN => {
            Action::AddColumn { column: Box::new(column(node)), if_not_exists: has(node, K::IF_NOT_EXISTS) }
        }
        K::DROP_COLUMN => Action::DropColumn {
            name: child(node, K::COLUMN_NAME_REF).map(|n| one(&text(&n))).unwrap_or_default(),
            cascade,
        },
        K::RENAME_COLUMN => Action::RenameColumn { from: first(), to: last() },
        K::ADD_CONSTRAINT => node.first_child().and_then(|n| constraint(&n, None)).map_or(Action::Other, Action::Add),
        K::DROP_CONSTRAINT => Action::DropConstraint {
            name: child(node, K::CONSTRAINT_NAME_REF).map(|n| one(&text(&n))).unwrap_or_default(),
            cascade,
        },
        K::RENAME_CONSTRAINT => Action::RenameConstraint { from: first(), to: last() },
        K::VALIDATE_CONSTRAINT => Action::Validate(first()),
        K::TABLE_RENAME_TO => Action::RenameTable(last()),
        K::SET_SCHEMA => Action::SetSchema(last()),
        K::ATTACH_PARTITION => Action::Attach(named(node, K::TABLE_NAME_REF)),
        K::DETACH_PARTITION => {
            Action::Detach { child: named(node, K::TABLE_NAME_REF), concurrently: has(node, K::DETACH_CONCURRENTLY) }
        }
        K::SET_TABLESPACE => Action::Rewrite("SET TABLESPACE"),
        K::SET_LOGGED => Action::Rewrite("SET LOGGED"),
        K::SET_UNLOGGED => Action::Rewrite("SET UNLOGGED"),
        K::SET_ACCESS_METHOD => Action::Rewrite("SET ACCESS METHOD"),
        K::SET_OPTIONS | K::RESET_OPTIONS | K::CLUSTER_ON => Action::Settings,
        K::ENABLE_TRIGGER | K::DISABLE_TRIGGER | K::ENABLE_ALWAYS_TRIGGER | K::ENABLE_REPLICA_TRIGGER => {
            Action::Trigger
        }
        K::ALTER_COLUMN => alter_column(node),
        _ => Action::Other,
    }
}

fn alter_column(node: &SyntaxNode) -> Action {
    let name = child(node, K::COLUMN_NAME_REF).map(|n| one(&text(&n))).unwrap_or_default();
    let Some(option) = node.children().find(|n| n.kind() != K::COLUMN_NAME_REF) else { return Action::Other };
    match option.kind() {
        K::SET_NOT_NULL => Action::SetNotNull(name),
        K::DROP_NOT_NULL => Action::DropNotNull(name),
        K::SET_DEFAULT => Action::SetDefault,
        K::DROP_DEFAULT => Action::DropDefault,
        K::ADD_GENERATED => Action::AddIdentity,
        K::SET_TYPE => Action::SetType {
            column: name,
            ty: type_in(&option),
            using: child(&option, K::USING_EXPR).and_then(|n| n.first_child()).map(|n| text(&n)),
        },
        K::SET_EXPRESSION => Action::Rewrite("SET EXPRESSION"),
        K::SET_STATISTICS | K::SET_OPTIONS | K::RESET_OPTIONS => Action::Settings,
        _ if has_word(&option, K::STATISTICS_KW) => Action::Settings,
        _ => Action::Other,
    }
}
