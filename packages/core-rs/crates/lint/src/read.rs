//! From text to changes: the only part that knows the parser.

use crate::change::{Change, Index, Object, Table};
use crate::name::{Name, one};
use crate::read_table::{actions, column, constraint};
use crate::tree::{child, children, has, has_word, named, offset, strings, text, words};
use squawk_syntax::SyntaxKind as K;
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxNode};

/// The change of one statement.
pub fn read(sql: &str) -> Change {
    // A migration must run even when a parser that is not ours trips over it.
    let Ok(change) = std::panic::catch_unwind(|| understood(sql)) else {
        return Change::Unknown("the parser gave up".to_owned());
    };
    change
}

fn understood(sql: &str) -> Change {
    let parsed = SourceFile::parse(sql);
    if let Some(error) = parsed.errors().first() {
        return Change::Unknown(error.message().to_owned());
    }
    let root = parsed.syntax_node();
    let mut statements = root.children().filter(|n| n.kind() != K::EMPTY_STMT);
    match (statements.next(), statements.next()) {
        (Some(node), None) => statement(&node),
        (None, _) => Change::Other("nothing".to_owned()),
        _ => Change::Unknown("more than one statement".to_owned()),
    }
}

fn names(node: &SyntaxNode, kind: K) -> Vec<Name> {
    children(node, kind).map(|n| Name::read(&text(&n))).collect()
}

fn relations(node: &SyntaxNode) -> Vec<Name> {
    node.descendants()
        .filter(|n| matches!(n.kind(), K::TABLE_NAME_REF | K::RELATION_NAME_REF))
        .map(|n| Name::read(&text(&n)))
        .collect()
}

fn relation(node: &SyntaxNode) -> Name {
    relations(node).into_iter().next().unwrap_or_else(|| Name::read(""))
}

fn statement(node: &SyntaxNode) -> Change {
    let cascade = has(node, K::CASCADE);
    let drop = |object, kind| Change::Drop { object, names: names(node, kind), on: None, cascade };
    match node.kind() {
        K::CREATE_TABLE | K::CREATE_TABLE_AS | K::CREATE_FOREIGN_TABLE | K::SELECT_INTO => {
            Change::CreateTable(table(node))
        }
        K::ALTER_TABLE => match child(node, K::TABLE_RELATION_NAME) {
            Some(name) => Change::AlterTable { table: relation(&name), actions: actions(node) },
            None => Change::Other("ALTER TABLE ALL IN TABLESPACE".to_owned()),
        },
        K::CREATE_INDEX => Change::CreateIndex(index(node)),
        K::DROP_INDEX => Change::DropIndex {
            names: names(node, K::INDEX_REF),
            concurrently: has_word(node, K::CONCURRENTLY_KW),
            cascade,
        },
        K::DROP_TABLE => drop(Object::Table, K::TABLE_NAME_REF),
        K::DROP_VIEW => drop(Object::View, K::VIEW_REF),
        K::DROP_MATERIALIZED_VIEW => drop(Object::MaterializedView, K::VIEW_REF),
        K::DROP_SEQUENCE => drop(Object::Sequence, K::SEQUENCE_REF),
        K::DROP_TYPE => drop(Object::Type, K::TYPE_NAME_REF),
        K::DROP_DOMAIN => drop(Object::Type, K::DOMAIN_REF),
        K::DROP_SCHEMA => drop(Object::Schema, K::SCHEMA_REF),
        K::DROP_DATABASE => drop(Object::Database, K::DATABASE_REF),
        K::DROP_OWNED => Change::Drop { object: Object::Owned, names: vec![Name::read("role")], on: None, cascade },
        K::DROP_EXTENSION => drop(Object::Other, K::EXTENSION_REF),
        K::DROP_FUNCTION | K::DROP_PROCEDURE | K::DROP_ROUTINE | K::DROP_AGGREGATE => Change::Drop {
            object: Object::Function,
            names: node
                .descendants()
                .filter(|n| n.kind() == K::FUNCTION_NAME_REF)
                .map(|n| Name::read(&text(&n)))
                .collect(),
            on: None,
            cascade,
        },
        K::DROP_TRIGGER | K::DROP_POLICY | K::DROP_RULE => {
            Change::Drop { object: Object::Trigger, names: Vec::new(), on: Some(relation(node)), cascade }
        }
        K::ALTER_VIEW => renamed(node, Object::View, K::VIEW_REF, K::VIEW_RENAME_TO),
        K::ALTER_MATERIALIZED_VIEW => renamed(node, Object::MaterializedView, K::VIEW_REF, K::VIEW_RENAME_TO),
        K::ALTER_SCHEMA => renamed(node, Object::Schema, K::SCHEMA_REF, K::SCHEMA_RENAME_TO),
        K::ALTER_INDEX => renamed(node, Object::Index, K::INDEX_REF, K::INDEX_RENAME_TO),
        K::ALTER_SEQUENCE => renamed(node, Object::Sequence, K::SEQUENCE_REF, K::SEQUENCE_RENAME_TO),
        K::ALTER_TYPE => alter_type(node),
        K::CREATE_TYPE => match child(node, K::ENUM_TYPE) {
            Some(labels) => Change::CreateEnum {
                name: named(node, K::TYPE_NAME),
                values: labels.descendants().filter(|n| n.kind() == K::LITERAL).map(|n| strings(&n)).collect(),
            },
            None => Change::Other("CREATE TYPE".to_owned()),
        },
        K::CREATE_DOMAIN => Change::CreateDomain {
            name: named(node, K::DOMAIN),
            checked: has(node, K::CHECK_CONSTRAINT) || has(node, K::NOT_NULL_CONSTRAINT),
        },
        K::ALTER_DOMAIN => Change::AlterDomain {
            name: named(node, K::DOMAIN_REF),
            adds: has(node, K::ADD_CONSTRAINT) || has(node, K::SET_NOT_NULL),
            not_valid: node.descendants().any(|n| n.kind() == K::NOT_VALID),
        },
        K::REINDEX => reindex(node),
        K::REFRESH => Change::Refresh {
            view: named(node, K::VIEW_REF),
            concurrently: has_word(node, K::CONCURRENTLY_KW),
            no_data: has(node, K::WITH_NO_DATA),
        },
        K::VACUUM => {
            let full = has_word(node, K::FULL_KW)
                || node
                    .descendants()
                    .any(|n| n.kind() == K::VACUUM_OPTION_NAME && text(&n).eq_ignore_ascii_case("full"));
            if full { Change::VacuumFull(relations(node).pop()) } else { Change::Other("VACUUM".to_owned()) }
        }
        K::CLUSTER => Change::Cluster(relations(node).pop()),
        K::CREATE_VIEW | K::CREATE_MATERIALIZED_VIEW => Change::CreateView {
            name: named(node, K::VIEW),
            materialized: node.kind() == K::CREATE_MATERIALIZED_VIEW,
            text: text(node),
            tables: relations(node),
            no_data: has(node, K::WITH_NO_DATA),
        },
        K::CREATE_FUNCTION => Change::CreateFunction {
            name: named(node, K::FUNCTION_NAME),
            volatile: !node.descendants().any(|n| matches!(n.kind(), K::IMMUTABLE | K::STABLE)),
        },
        K::CREATE_TRIGGER => Change::CreateTrigger { table: relation(node) },
        K::CREATE_POLICY | K::ALTER_POLICY => Change::Policy { table: relation(node), text: text(node) },
        K::COMMENT_ON => comment(node),
        K::TRUNCATE => Change::Truncate { tables: relations(node), cascade },
        K::UPDATE => Change::Update { table: relation(node), keys: keys(node) },
        K::DELETE => Change::Delete { table: relation(node), keys: keys(node) },
        K::INSERT => Change::Insert {
            table: child(node, K::RELATION_NAME_REF).map_or_else(|| relation(node), |n| Name::read(&text(&n))),
            select: node.children().any(|n| {
                matches!(n.kind(), K::SELECT | K::COMPOUND_SELECT | K::PAREN_SELECT)
                    && n.descendants().any(|n| n.kind() == K::FROM_CLAUSE)
            }),
        },
        K::SELECT | K::COMPOUND_SELECT => Change::Select { set_config: configs(node) },
        K::LOCK => Change::Lock {
            tables: relations(node),
            mode: child(node, K::LOCK_MODE_CLAUSE)
                .and_then(|n| n.children().next())
                .map_or_else(|| "ACCESS EXCLUSIVE".to_owned(), |n| words(&n).to_uppercase()),
        },
        K::SET => set(node),
        K::BEGIN => Change::Begin,
        K::COMMIT_TRANSACTION => Change::Commit,
        K::ROLLBACK_TRANSACTION => Change::Rollback,
        K::SAVEPOINT_CREATE | K::ROLLBACK_TO_SAVEPOINT | K::RELEASE_SAVEPOINT => Change::Savepoint,
        K::DO => anonymous(node),
        K::CALL => Change::Call,
        _ => Change::Other(words(node).split(' ').take(3).collect::<Vec<_>>().join(" ").to_uppercase()),
    }
}

fn table(node: &SyntaxNode) -> Table {
    let arguments = child(node, K::TABLE_ARG_LIST);
    let parts: Vec<SyntaxNode> = arguments.iter().flat_map(SyntaxNode::children).collect();
    Table {
        name: named(node, K::TABLE_NAME),
        if_not_exists: has(node, K::IF_NOT_EXISTS),
        temporary: has(node, K::TEMP),
        partitioned: has(node, K::PARTITION_BY),
        partition_of: child(node, K::PARTITION_OF).map(|n| relation(&n)),
        columns: parts.iter().filter(|n| n.kind() == K::COLUMN).map(column).collect(),
        constraints: parts.iter().filter_map(|n| constraint(n, None)).collect(),
        open: matches!(node.kind(), K::CREATE_TABLE_AS | K::SELECT_INTO)
            || has(node, K::INHERITS)
            || has(node, K::PARTITION_OF)
            || parts.iter().any(|n| n.kind() == K::LIKE_CLAUSE),
    }
}

fn index(node: &SyntaxNode) -> Index {
    let items: Vec<SyntaxNode> = child(node, K::PARTITION_ITEM_LIST)
        .iter()
        .flat_map(|n| children(n, K::PARTITION_ITEM).collect::<Vec<_>>())
        .collect();
    let columns: Vec<Option<String>> = items
        .iter()
        .map(|item| item.first_child().filter(|n| n.kind() == K::NAME_REF).map(|n| one(&text(&n))))
        .collect();
    let table = child(node, K::TABLE_RELATION_NAME);
    Index {
        name: child(node, K::INDEX).map(|n| Name::read(&text(&n))),
        table: table.as_ref().map_or_else(|| Name::read(""), relation),
        unique: has_word(node, K::UNIQUE_KW),
        concurrently: has_word(node, K::CONCURRENTLY_KW),
        if_not_exists: has(node, K::IF_NOT_EXISTS),
        only: table.is_some_and(|n| has_word(&n, K::ONLY_KW)),
        method: child(node, K::USING_METHOD)
            .and_then(|n| n.first_child())
            .map_or_else(|| "btree".to_owned(), |n| one(&text(&n))),
        // An operator class, a direction, a collation or columns that come along make it another index.
        plain: items.iter().all(|item| item.children().count() == 1) && !has(node, K::INDEX_INCLUDE_CLAUSE),
        columns,
        partial: has(node, K::WHERE_CLAUSE),
    }
}

fn renamed(node: &SyntaxNode, object: Object, from: K, action: K) -> Change {
    match child(node, action) {
        Some(to) => Change::Rename {
            object,
            name: named(node, from),
            to: to.first_child().map(|n| one(&text(&n))).unwrap_or_default(),
        },
        None => Change::Other(format!("ALTER {}", object.word().to_uppercase())),
    }
}

fn comment(node: &SyntaxNode) -> Change {
    let object = node.first_child();
    let name = object.as_ref().and_then(|object| {
        let (kind, column) = match object.kind() {
            K::OBJECT_TABLE | K::OBJECT_CONSTRAINT | K::OBJECT_TRIGGER | K::OBJECT_POLICY => (K::TABLE_NAME_REF, false),
            K::OBJECT_VIEW | K::OBJECT_MATERIALIZED_VIEW => (K::VIEW_REF, false),
            K::OBJECT_COLUMN => (K::QUALIFIED_COLUMN_NAME_REF, true),
            _ => return None,
        };
        let path = child(object, kind).map(|n| text(&n))?;
        let path = if column { path.rsplit_once('.')?.0.to_owned() } else { path };
        Some(Name::read(&path))
    });
    name.map_or_else(|| Change::Other("COMMENT".to_owned()), Change::Comment)
}

fn alter_type(node: &SyntaxNode) -> Change {
    let name = named(node, K::TYPE_NAME_REF);
    if let Some(add) = child(node, K::ADD_VALUE) {
        return Change::AddValue {
            name,
            value: child(&add, K::LITERAL).map(|n| strings(&n)).unwrap_or_default(),
            placed: has(&add, K::BEFORE_VALUE) || has(&add, K::AFTER_VALUE),
        };
    }
    if let Some(rename) = child(node, K::RENAME_VALUE) {
        let mut labels = children(&rename, K::LITERAL).map(|n| strings(&n));
        let (from, to) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
        return Change::RenameValue { name, from, to };
    }
    renamed(node, Object::Type, K::TYPE_NAME_REF, K::TYPE_RENAME_TO)
}

fn reindex(node: &SyntaxNode) -> Change {
    let concurrently = has_word(node, K::CONCURRENTLY_KW)
        || node.descendants().any(|n| n.kind() == K::REINDEX_OPTION_CONCURRENTLY)
        || words(node).split(' ').any(|w| w == "concurrently");
    let target = node.children().find(|n| n.kind() != K::REINDEX_OPTION_LIST);
    let what = match target.as_ref().map(SyntaxNode::kind) {
        Some(K::REINDEX_TARGET_INDEX) => "index",
        Some(K::REINDEX_TARGET_TABLE) => "table",
        Some(K::REINDEX_TARGET_SCHEMA) => "schema",
        _ => "database",
    };
    let name = target.and_then(|n| n.first_child()).map(|n| Name::read(&text(&n)));
    Change::Reindex { what, name, concurrently }
}

fn set(node: &SyntaxNode) -> Change {
    match child(node, K::SET_CONFIG) {
        Some(config) => Change::Set {
            name: child(&config, K::CONFIG_PARAMETER_REF).map(|n| text(&n).to_lowercase()).unwrap_or_default(),
            value: child(&config, K::TO_CONFIG_VALUE)
                .map(|n| n.children().map(|v| strings(&v)).collect::<Vec<_>>().join(", "))
                .unwrap_or_default(),
            local: has(node, K::LOCAL_SCOPE),
        },
        None => Change::Other("SET".to_owned()),
    }
}

/// `set_config(name, value, is_local)` among the outputs of a query.
fn configs(node: &SyntaxNode) -> Vec<(String, bool)> {
    node.descendants()
        .filter(|n| n.kind() == K::CALL_EXPR && n.first_child().is_some_and(|f| one(&text(&f)) == "set_config"))
        .filter_map(|call| {
            let arguments: Vec<SyntaxNode> = child(&call, K::ARG_LIST)?.children().collect();
            Some((strings(arguments.first()?), text(arguments.get(2)?).eq_ignore_ascii_case("true")))
        })
        .collect()
}

/// The columns that WHERE compares with constants, when it only does that.
fn keys(node: &SyntaxNode) -> Option<Vec<String>> {
    let condition = child(node, K::WHERE_CLAUSE)?.first_child()?;
    if has(node, K::USING_CLAUSE) || has(node, K::FROM_CLAUSE) {
        return None;
    }
    let mut found = Vec::new();
    compared(&condition, &mut found).then_some(found)
}

fn compared(node: &SyntaxNode, found: &mut Vec<String>) -> bool {
    if node.kind() == K::PAREN_EXPR {
        return node.first_child().is_some_and(|n| compared(&n, found));
    }
    let (Some(left), Some(right)) = (node.first_child(), node.last_child()) else { return false };
    if node.kind() != K::BIN_EXPR {
        return false;
    }
    if words(node).contains(" and ") && left.kind() == K::BIN_EXPR {
        // One side that names the rows is enough.
        let (a, b) = (compared(&left, found), compared(&right, found));
        return a || b;
    }
    let operator: String =
        node.children_with_tokens().filter_map(|e| e.into_token().map(|t| t.text().to_lowercase())).collect();
    let constant = |n: &SyntaxNode| {
        n.descendants().all(|d| !matches!(d.kind(), K::NAME_REF | K::SELECT | K::CALL_EXPR | K::FIELD_EXPR))
    };
    if (operator.contains('=') || operator.contains("in")) && !operator.contains(['<', '>', '!']) && constant(&right) {
        found.push(one(&text(&left)));
        return true;
    }
    false
}

/// The statements inside an anonymous block.
fn anonymous(node: &SyntaxNode) -> Change {
    let Some(body) = ast::Do::cast(node.clone()).and_then(|block| block.plpgsql()) else {
        return Change::Do {
            inner: Vec::new(),
            dynamic: Vec::new(),
            error: Some("its language is not PL/pgSQL".to_owned()),
            commits: false,
        };
    };
    let base = offset(node);
    let at = |n: &SyntaxNode| usize::from(body.source_range(n.text_range()).start()).saturating_sub(base);
    let (mut inner, mut dynamic, mut commits) = (Vec::new(), Vec::new(), false);
    for n in body.syntax().descendants() {
        match n.kind() {
            K::PLPGSQL_EXEC_SQL_STMT => {
                if let Some(sql) = n.first_child() {
                    inner.push((statement(&sql), at(&sql), text(&sql)));
                }
            }
            K::PLPGSQL_DYN_EXECUTE_STMT | K::PLPGSQL_FOR_DYN_STMT => dynamic.push(at(&n)),
            K::PLPGSQL_COMMIT_STMT | K::PLPGSQL_ROLLBACK_STMT => commits = true,
            _ => {}
        }
    }
    let error = body.errors().first().map(|e| e.message().to_owned());
    Change::Do { inner, dynamic, error, commits }
}
