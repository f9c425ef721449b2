//! What a text says, with the place of everything.

use crate::script::lex::At;

/// Something at the top of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// `name = value`
    Assign(Entry),
    /// `name.field.add(value)`
    Add { name: String, at: At, field: String, field_at: At, value: Expr },
    /// `commit(servers, settings=…, mimetypes=…)`
    Commit { at: At, servers: Expr, options: Vec<Entry> },
}

/// A name or key, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) at: At,
    pub(super) value: Expr,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expr {
    pub(super) at: At,
    pub(super) form: Form,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    Text(String),
    /// A number, and its digits if they are more than it needs.
    Number(i64, Option<String>),
    Truth(bool),
    Nothing,
    /// The name of something else.
    Name(String),
    Call(String, Vec<Entry>),
    List(Vec<Expr>),
    Dict(Vec<Entry>),
    Negative(Box<Expr>),
    Binary(Box<Expr>, char, Box<Expr>),
}
