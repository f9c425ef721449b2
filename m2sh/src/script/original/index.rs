//! Where in a text the fields of calls and the keys of dicts are: found once, before anything is evaluated.

use std::collections::HashMap;

use super::lex::Token;
use super::tree::{Entry, Expr, Form, Statement};
use crate::script::lex::At;
use crate::script::scan::Index;

/// The places of a text.
pub(super) fn of(tokens: &[Token], statements: &[Statement]) -> Index {
    let mut finder = Finder { names: HashMap::new(), keys: HashMap::new() };
    for statement in statements {
        if let Statement::Assign(entry) = statement {
            finder.names.insert(&entry.name, entry);
        }
    }
    for statement in statements {
        finder.statement(statement);
    }
    let commit = finder.commit(statements);
    commit.into_iter().for_each(|at| finder.options(at, statements));
    Index::known(tokens.iter().map(|token| (token.at, token.width)).collect(), finder.keys)
}

struct Finder<'a> {
    names: HashMap<&'a str, &'a Entry>,
    keys: HashMap<(At, Vec<String>), At>,
}

/// How many names may lead to one another.
const LONGEST_CHAIN: usize = 64;

impl<'a> Finder<'a> {
    fn statement(&mut self, statement: &'a Statement) {
        match statement {
            Statement::Assign(entry) => self.expr(&entry.value),
            Statement::Add { value, .. } => self.expr(value),
            Statement::Commit { servers, options, .. } => {
                self.expr(servers);
                options.iter().for_each(|option| self.expr(&option.value));
            }
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.form {
            Form::Call(_, fields) => {
                for field in fields {
                    self.field(expr.at, field);
                    self.expr(&field.value);
                }
            }
            Form::List(entries) => entries.iter().for_each(|entry| self.expr(entry)),
            Form::Dict(entries) => entries.iter().for_each(|entry| self.expr(&entry.value)),
            _ => {}
        }
    }

    /// A field of the call at `call`, and its keys if it is a dict.
    fn field(&mut self, call: At, field: &'a Entry) {
        self.keys.insert((call, vec![field.name.clone()]), field.at);
        let mut value = &field.value;
        for _ in 0..LONGEST_CHAIN {
            match &value.form {
                Form::Name(name) => match self.names.get(name.as_str()) {
                    Some(entry) => value = &entry.value,
                    None => return,
                },
                Form::Dict(entries) => {
                    for entry in entries {
                        self.keys.insert((call, vec![field.name.clone(), entry.name.clone()]), entry.at);
                    }
                    return;
                }
                _ => return,
            }
        }
    }

    fn commit(&self, statements: &[Statement]) -> Option<At> {
        let commit = statements.iter().find_map(|statement| match statement {
            Statement::Commit { at, .. } => Some(*at),
            _ => None,
        });
        commit.or_else(|| self.names.get("servers").map(|entry| entry.at))
    }

    fn options(&mut self, commit: At, statements: &'a [Statement]) {
        for name in ["settings", "mimetypes"] {
            self.names.get(name).copied().into_iter().for_each(|entry| self.field(commit, entry));
        }
        for statement in statements {
            if let Statement::Commit { options, .. } = statement {
                options.iter().for_each(|option| self.field(commit, option));
            }
        }
    }
}
